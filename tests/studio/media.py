"""Pictures and voices that the tests make themselves, and a ruler for clips."""

from __future__ import annotations

import array
import base64
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.logging
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

FORMATS = {
    "wav": ("wav", "pcm_s16le", "audio/wav"),
    "mp3": ("mp3", "libmp3lame", "audio/mpeg"),
    "m4a": ("ipod", "aac", "audio/mp4"),
    "aac": ("adts", "aac", "audio/aac"),
}


def make_voice(
    path: Path, seconds: float, *, rate_hz: int = 44_100, channels: int = 1, bits_per_s: int = 64_000
) -> Path:
    """A tone of exactly so many seconds, of the format that the name's ending says."""
    container_format, codec, _ = FORMATS[path.suffix[1:]]
    layout = "mono" if channels == 1 else "stereo"
    samples = round(seconds * rate_hz)
    period = [round(9000 * math.sin(2 * math.pi * k / 100)) for k in range(100)]
    tone = array.array("h", (value for value in period for _ in range(channels))).tobytes()
    with av.open(str(path), "w", format=container_format) as container:
        stream = cast("AudioStream", container.add_stream(codec, rate=rate_hz, layout=layout))
        stream.bit_rate = bits_per_s
        for start in range(0, samples, 10_000):  # a whole number of periods
            count = min(10_000, samples - start)
            frame = AudioFrame(format="s16", layout=layout, samples=count)
            data = (tone * (count // 100 + 1))[: count * channels * 2]
            frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_picture(path: Path, size: tuple[int, int] = (640, 800)) -> Path:
    """A drawn face."""
    width, height = size
    image = Image.new("RGB", size, (60, 90, 130))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.2, height * 0.15, width * 0.8, height * 0.85), fill=(228, 184, 152))
    for x in (0.38, 0.62):
        draw.ellipse((width * (x - 0.05), height * 0.4, width * (x + 0.05), height * 0.45), fill=(40, 40, 60))
    draw.chord((width * 0.38, height * 0.58, width * 0.62, height * 0.7), 0, 180, fill=(160, 60, 70))
    image.save(path)
    return path


def data_uri(path: Path) -> str:
    """The file as it travels inside a request."""
    kind = FORMATS[path.suffix[1:]][2] if path.suffix[1:] in FORMATS else f"image/{path.suffix[1:]}"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def sound_s(path: Path) -> float:
    """Seconds of a clip's sound, by its index alone."""
    with av.open(str(path)) as clip:
        audio = clip.streams.audio[0]
        assert audio.duration
        assert audio.time_base
        return float(audio.duration * audio.time_base)


@dataclass(frozen=True)
class Measured:
    """A clip as a decoder sees it. Times in seconds."""

    width: int
    height: int
    fps: Fraction
    codecs: tuple[str, str]
    pixels: str | None
    colors: tuple[int, int, int, int]
    frames: int
    video_s: float
    audio_s: float
    sound_heard_s: float
    channels: int
    rate_hz: int
    comment: str
    key_frames: tuple[int, ...]
    complaints: tuple[str, ...]
    first: Image.Image
    last: Image.Image


def measure(path: Path) -> Measured:
    """Decode a whole clip and say what it is."""
    frames: list[VideoFrame] = []
    count = heard = 0
    keys = []
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said, av.open(str(path)) as clip:
            video, audio = clip.streams.video[0], clip.streams.audio[0]
            for frame in clip.decode(video=0):
                if frame.key_frame:
                    keys.append(count)
                frames = [*frames[:1], frame]
                count += 1
            clip.seek(0)
            for sound in clip.decode(audio=0):
                values = array.array("f", bytes(sound.planes[0])[: sound.samples * 4])
                heard += sound.samples if max(map(abs, values)) > 0.01 else 0
            codec = video.codec_context
            assert video.duration
            assert video.time_base
            assert video.average_rate
            assert audio.duration
            assert audio.time_base
            return Measured(
                width=video.width,
                height=video.height,
                fps=video.average_rate,
                codecs=(codec.name, audio.codec_context.name),
                pixels=codec.pix_fmt,
                colors=(codec.color_range, codec.colorspace, codec.color_primaries, codec.color_trc),
                frames=count,
                video_s=float(video.duration * video.time_base),
                audio_s=float(audio.duration * audio.time_base),
                sound_heard_s=heard / audio.rate,
                channels=audio.codec_context.channels,
                rate_hz=audio.rate,
                comment=clip.metadata.get("comment", ""),
                key_frames=tuple(keys),
                complaints=tuple(message for _, _, message in said),
                first=frames[0].to_image(),  # type: ignore[no-untyped-call]
                last=frames[-1].to_image(),  # type: ignore[no-untyped-call]
            )
    finally:
        av.logging.set_level(None)
