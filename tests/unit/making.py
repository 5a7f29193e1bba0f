"""Pictures, voices, clips, rows and clips of rows that the tests make themselves."""

from __future__ import annotations

import array
import math
import wave
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from pipeline.clip import Clip, Row, Status
from pipeline.errors import Problem
from pipeline.manifest import Looks, Problems, RowReader
from pipeline.models import Catalogue, builtin_catalogue

AVATAR_PRO = "klingai/avatar-pro"
_CODECS = {".mp3": ("mp3", "libmp3lame"), ".m4a": ("ipod", "aac"), ".aac": ("adts", "aac"), ".ogg": ("ogg", "libopus")}
_TONE = array.array("h", (round(9000 * math.sin(2 * math.pi * k / 100)) for k in range(48_000)))


# --- files -------------------------------------------------------------------------------------------------------


def make_picture(path: Path, size: tuple[int, int] = (400, 500), **options: Any) -> Path:
    """A picture of the format that the name's ending says, with enough detail not to be empty."""
    Image.radial_gradient("L").resize(size).convert("RGB").save(path, **options)
    return path


def make_wav(path: Path, seconds: float, rate_hz: int = 8000) -> Path:
    """A tone by the standard library alone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        count = round(seconds * rate_hz)
        file.writeframes((_TONE * (count // len(_TONE) + 1))[:count].tobytes())
    return path


def make_voice(path: Path, seconds: float, *, cover: Path | None = None) -> Path:
    """A tone in the format that the name's ending says, perhaps with a cover picture inside."""
    if path.suffix == ".wav":
        return make_wav(path, seconds)
    container_format, codec = _CODECS[path.suffix]
    with av.open(str(path), "w", format=container_format) as container:
        if cover is not None:
            picture = container.add_stream("png")
            with Image.open(cover) as image:
                picture.width, picture.height, picture.pix_fmt = *image.size, "rgb24"
                frame = VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        stream = cast("AudioStream", container.add_stream(codec, rate=48_000, layout="mono"))
        if cover is not None:
            container.mux(picture.encode(frame))
        _encode_tone(container, stream, seconds)
    return path


def make_clip(
    path: Path,
    seconds: float = 2.0,
    *,
    size: tuple[int, int] = (320, 180),
    fps: int = 24,
    sound_s: float | None = None,
    faststart: bool = False,
    codec: str = "libx264",
    container: Mapping[str, str] | None = None,
) -> Path:
    """A small MP4 whose picture moves; ``sound_s`` 0 leaves out the sound."""
    options = {"movflags": "+faststart"} if faststart else dict(container or {})
    with av.open(str(path), "w", format="mp4", container_options=options) as film:
        video = cast(VideoStream, film.add_stream(codec, rate=fps))
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"preset": "ultrafast", "g": str(fps), "x265-params": "log-level=none"}
        heard_s = seconds if sound_s is None else sound_s
        audio = film.add_stream("aac", rate=48_000, layout="mono") if heard_s else None
        noise = Image.effect_noise((size[0] // 4, size[1] // 4), 90).resize(size).convert("RGB")
        for number in range(round(seconds * fps)):
            image = noise.rotate(number)
            film.mux(video.encode(VideoFrame.from_image(image)))  # type: ignore[no-untyped-call]
        film.mux(video.encode(None))
        if audio is not None:
            _encode_tone(film, audio, heard_s)
    return path


def _encode_tone(container: av.container.OutputContainer, stream: AudioStream, seconds: float) -> None:
    samples = round(seconds * 48_000)
    for start in range(0, samples, 48_000):
        count = min(48_000, samples - start)
        frame = AudioFrame(format="s16", layout="mono", samples=count)
        data = _TONE[:count].tobytes()
        frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


# --- manifests ---------------------------------------------------------------------------------------------------


def read_manifest(
    path: Path, *, template: str = "{id}.mp4", catalogue: Catalogue | None = None, looks: Looks | None = None
) -> tuple[list[Row], list[Problem]]:
    """All rows of a manifest, and all that is wrong with it, in file order."""
    problems = Problems(path.name)
    reader = RowReader(
        path, catalogue=catalogue or builtin_catalogue(), template=template, looks=looks or Looks(), problems=problems
    )
    rows = list(reader.rows())
    return rows, sorted(problems.kept, key=lambda problem: problem.line)


# --- nouns -------------------------------------------------------------------------------------------------------


def a_row(row_id: str = "one", **values: Any) -> Row:
    """A row with links, so that no file has to be there."""
    row = Row(
        id=row_id, image="https://example.com/face.png", audio=f"https://example.com/{row_id}.mp3", prompt="",
        model=AVATAR_PRO, provider="", options={}, meta={}, output=f"{row_id}.mp4", voice_s=5.0, estimated_usd=0.6,
        image_stamp="", audio_stamp="", image_digest="face", audio_digest="voice",
    )  # fmt: skip
    return replace(row, **values)


def rows_named(ids: Sequence[str]) -> list[Row]:
    return [a_row(row_id) for row_id in ids]


def a_clip(row_id: str = "one", **values: Any) -> Clip:
    """A clip as a stage would get it, pending and never sent."""
    clip = Clip(
        seq=1, moved=1, id=row_id, status=Status.PENDING, image="https://example.com/face.png",
        audio="https://example.com/voice.mp3", prompt="", model=AVATAR_PRO, provider="", options="{}",
        output=f"{row_id}.mp4", image_stamp="", audio_stamp="", fingerprint="f", voice_s=5.0, estimated_usd=0.6,
        attempts=0, attempt=0, client_request_id="", generation_id="", video_url="", submitted_at=0.0,
        completed_at=0.0, part="",
    )  # fmt: skip
    return replace(clip, **values)
