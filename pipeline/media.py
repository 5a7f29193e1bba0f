"""What a picture, a voice or a clip really is, read from its bytes and never from its name.

Pillow reads pictures. PyAV (FFmpeg's libraries in a wheel) reads voices and clips: a clip has to be decoded to be
believed, so the decoder is needed anyway, and unlike tag readers it also tells the length of raw AAC truthfully.
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from PIL import Image, UnidentifiedImageError

from pipeline.errors import BadMedia
from pipeline.models import Model, PictureLimits, VoiceLimits

__all__ = [
    "ClipFacts",
    "Picture",
    "Voice",
    "check_clip",
    "check_picture",
    "check_voice",
    "look_at_clip",
    "look_at_picture",
    "look_at_voice",
    "sha256_of",
]

MAX_PIXELS = 120_000_000
"""Pictures beyond this are refused unread: they are decompression bombs, or of no use to a 1080p model."""

_VOICE_FORMATS = {"mp3": "mp3", "wav": "wav", "w64": "wav", "mov,mp4,m4a,3gp,3g2,mj2": "m4a", "aac": "aac"}
# What may be opened at all. FFmpeg's other demuxers include playlists, which read files that they name themselves;
# Pillow's other formats include one that runs Ghostscript. Those listed and not taken are named in the refusal.
_PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_VOICE_OPTIONS = {
    "format_whitelist": "mp3,wav,w64,aac,mov,mp4,m4a,3gp,3g2,mj2,ogg,flac,aiff,matroska,webm,png_pipe,jpeg_pipe,webp_pipe",
    "protocol_whitelist": "file",
}
_CLIP_OPTIONS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2", "protocol_whitelist": "file"}
_PICTURE_CODECS = frozenset({"png", "mjpeg", "webp", "gif", "bmp", "tiff", "apng", "jpegls"})

# FFmpeg's own words go to stderr past every handler; what matters reaches people through BadMedia.
av.logging.set_level(None)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its format in lower case (``jpeg``), size in pixels and bytes, a digest of its content."""

    format: str
    width: int
    height: int
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice track: its format in lower case (``mp3``), seconds of sound, bytes, a digest of its content."""

    format: str
    duration_s: float
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A whole clip: pixels, frames a second, seconds of picture and of sound, bytes."""

    width: int
    height: int
    fps: float
    video_s: float
    audio_s: float
    size_bytes: int


# --- pictures ----------------------------------------------------------------------------------------------------


def look_at_picture(path: Path) -> Picture:
    """Read a picture's header, then decode it once (small, where the format can), so that a cut file is seen.

    Raises:
        BadMedia: it isn't a picture, is cut short, or is absurdly large.
        OSError: it can't be read at all.
    """
    size_bytes = _size_of_regular(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the check below is stricter
            with Image.open(path, formats=_PICTURE_FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise BadMedia(f"{width}x{height} pixels are more than {MAX_PIXELS // 1_000_000} megapixels")
                # A phone's MPO is a JPEG with more pictures behind the first.
                kind = {"MPO": "JPEG"}.get(image.format or "", image.format or "unknown")
                picture = Picture(kind.lower(), width, height, size_bytes, _digest_of(path))
                image.draft("RGB", (width // 8, height // 8))
                image.load()
    except BadMedia:
        raise
    except Image.DecompressionBombError:
        raise BadMedia("is a decompression bomb: far too many pixels") from None
    except UnidentifiedImageError:
        raise BadMedia("isn't a picture that can be read: give a JPEG, PNG or WEBP file") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError) as error:
        raise BadMedia(f"is a damaged picture ({error}): export it again") from None
    return picture


def check_picture(picture: Picture, limits: PictureLimits) -> str | None:
    """What keeps a model from taking the picture, with the remedy; None if nothing does."""
    short_px, long_px = sorted((picture.width, picture.height))
    if picture.format not in limits.formats:
        return f"is {picture.format.upper()}; the model takes {_list(limits.formats)}: convert it"
    if picture.size_bytes > limits.max_bytes:
        return f"has {picture.size_bytes:,} bytes; the model takes {limits.max_bytes:,}: save it smaller"
    if short_px < limits.min_side_px:
        return (
            f"is {picture.width}x{picture.height}; each side must be {limits.min_side_px} px or more: use a larger one"
        )
    if long_px > limits.max_aspect * short_px:
        return f"is {picture.width}x{picture.height}; the sides may differ by 1:{limits.max_aspect:g} at most: crop it"
    return None


# --- voices ------------------------------------------------------------------------------------------------------


def look_at_voice(path: Path) -> Voice:
    """Open a voice, decode its beginning and walk it to its end.

    The seconds are those that are really there (packets are counted), which a header, above all an MP3's or a
    cut file's, may not tell.

    Raises:
        BadMedia: it isn't a sound file, has a moving picture, or is cut short.
        OSError: it can't be read at all.
    """
    size_bytes = _size_of_regular(path)
    if size_bytes == 0:
        raise BadMedia("is empty: export it again")
    with path.open("rb") as file:
        _refuse_cut_wave(file, size_bytes)
    try:
        with av.open(os.fspath(path), mode="r", metadata_errors="ignore", options=_VOICE_OPTIONS) as container:
            if not container.streams.audio:
                codec = _codec_of(container.streams.video[0]) if container.streams.video else "no"
                kind = "a picture" if codec in _PICTURE_CODECS else "without a sound track"
                raise BadMedia(f"is {kind}, not a voice: give an MP3, WAV, M4A or AAC file")
            if any(_codec_of(stream) not in _PICTURE_CODECS for stream in container.streams.video):
                raise BadMedia("is a video, not a voice: export its sound as MP3, WAV, M4A or AAC")
            stream = container.streams.audio[0]
            name = _VOICE_FORMATS.get(container.format.name, container.format.name.partition(",")[0])
            declared_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
            counted_s = _seconds_of(container.demux(stream), stream)
    except av.error.FFmpegError as error:
        raise BadMedia(f"isn't a sound file that can be read ({error.strerror}): give MP3, WAV, M4A or AAC") from None
    if counted_s <= 0:
        raise BadMedia("holds no sound that can be decoded: export it again")
    if declared_s is not None and name == "mp3" and abs(counted_s - declared_s) < 0.15:
        counted_s = declared_s  # the encoder's padding is counted, and not heard
    if declared_s is not None and name in {"wav", "m4a"}:
        if counted_s < declared_s - 0.25:
            raise BadMedia(
                f"is cut short: {declared_s:.1f} s by its header, {counted_s:.1f} s are there; export it again"
            )
        counted_s = min(counted_s, declared_s)
    return Voice(name, round(counted_s, 6), size_bytes, _digest_of(path))


def _refuse_cut_wave(file: BinaryIO, size_bytes: int) -> None:
    """FFmpeg takes the length of a WAV from its file; its header tells how long it was meant to be."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    bytes_per_s = 0
    while len(header := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", header)
        if kind == b"fmt ":
            bytes_per_s = int.from_bytes(file.read(12)[8:12], "little")
            file.seek(length - 12, os.SEEK_CUR)
        elif kind == b"data":
            there = size_bytes - file.tell()
            if bytes_per_s and 0 < length < 0xFFFFFFF0 and there < length - bytes_per_s / 4:
                raise BadMedia(
                    f"is cut short: {length / bytes_per_s:.1f} s by its header, {there / bytes_per_s:.1f} s are there; "
                    "export it again"
                )
            return
        else:
            file.seek(length + length % 2, os.SEEK_CUR)


def _codec_of(stream: VideoStream) -> str:
    """The codec's name; a stream of a kind that FFmpeg doesn't know has no codec at all."""
    codec: VideoCodecContext | None = stream.codec_context
    return codec.name if codec is not None else "unknown"


def _seconds_of(packets: Iterator[av.Packet[AudioStream]], stream: AudioStream) -> float:
    total = 0
    decoded = 0
    for number, packet in enumerate(packets):
        if number < 16:
            try:
                decoded += sum(frame.samples for frame in packet.decode())
            except av.error.FFmpegError:
                continue  # a first broken packet is common in cut MP3 streams; the next ones decide
        total += packet.duration or 0
    return float(total * (stream.time_base or 0)) if decoded else 0.0


def check_voice(voice: Voice, limits: VoiceLimits) -> str | None:
    """What keeps a model from taking the voice, with the remedy; None if nothing does."""
    if voice.format not in limits.formats:
        return f"is {voice.format.upper()}; the model takes {_list(limits.formats)}: convert it"
    if voice.size_bytes > limits.max_bytes:
        return f"has {voice.size_bytes:,} bytes; the model takes {limits.max_bytes:,}: save it as MP3 or M4A"
    if voice.duration_s < limits.min_s:
        return f"lasts {voice.duration_s:.2f} s; the model needs {limits.min_s:g} s or more"
    if voice.duration_s > limits.max_s:
        return f"lasts {voice.duration_s:.1f} s; the model takes {limits.max_s:g} s at most: split it"
    return None


# --- clips -------------------------------------------------------------------------------------------------------


def look_at_clip(path: Path) -> ClipFacts:
    """Hold a downloaded MP4 against itself: it is whole, and it decodes.

    A header probe opens a file that is cut in half. So first the boxes are walked to the file's end (ISO/IEC
    14496-12), then every packet is read and the lengths of its NAL units are followed (14496-15), and at last all
    key frames and the whole sound are decoded.

    Raises:
        BadMedia: it isn't a whole MP4 with picture and sound.
        OSError: it can't be read at all.
    """
    size_bytes = _size_of_regular(path)
    with path.open("rb") as file:
        _walk_boxes(file, size_bytes)
    try:
        with av.open(os.fspath(path), mode="r", metadata_errors="ignore", options=_CLIP_OPTIONS) as container:
            if not container.streams.video:
                raise BadMedia("has no picture track")
            if not container.streams.audio:
                raise BadMedia("has no sound track")
            video, audio = container.streams.video[0], container.streams.audio[0]
            if any(getattr(track, "codec_context", None) is None for track in (video, audio)):
                raise BadMedia("has a track of a kind that can't be decoded")
            video.thread_type = "NONE"
            video.codec_context.skip_frame = "NONKEY"
            frames, samples, video_s = _decode(container, video, audio)
            if not frames:
                raise BadMedia("has no picture that can be decoded")
            if not samples:
                raise BadMedia("has no sound that can be decoded")
            fps = float(video.average_rate or 0)
            return ClipFacts(video.width, video.height, fps, video_s, samples / audio.rate, size_bytes)
    except av.error.FFmpegError as error:
        raise BadMedia(f"can't be decoded ({error.strerror})") from None


def _decode(container: av.container.InputContainer, video: VideoStream, audio: AudioStream) -> tuple[int, int, float]:
    nal_length_bytes = _nal_length_bytes(video.codec_context)
    frames = samples = video_ticks = 0
    for packet in container.demux(video, audio):
        if packet.stream is video:
            if packet.size and nal_length_bytes:
                _walk_nal_units(memoryview(packet), nal_length_bytes)
            video_ticks += packet.duration or 0
            for frame in packet.decode():
                if getattr(frame, "is_corrupt", False):
                    raise BadMedia("is damaged inside: a picture doesn't decode")
                frames += 1
        else:
            samples += sum(getattr(frame, "samples", 0) for frame in packet.decode())
    return frames, samples, float(video_ticks * (video.time_base or 0))


def _nal_length_bytes(codec: VideoCodecContext) -> int:
    extra = codec.extradata or b""
    if codec.name == "h264" and len(extra) > 6 and extra[0] == 1:
        return (extra[4] & 3) + 1
    if codec.name == "hevc" and len(extra) > 22 and extra[0] == 1:
        return (extra[21] & 3) + 1
    return 0


def _walk_nal_units(data: memoryview, length_bytes: int) -> None:
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + length_bytes], "big")
        position += length_bytes + length
        if not length or position > len(data):
            raise BadMedia("is damaged inside: a picture's data don't add up")
        # Inside a unit three zero bytes can't stand (H.264 7.4.1, H.265 7.4.2.1): where they do, a hole was filled.
        if b"\0\0\0" in bytes(data[position - length : position]).rstrip(b"\0"):
            raise BadMedia("is damaged inside: zeros stand where a picture's data were")


def _walk_boxes(file: BinaryIO, size_bytes: int) -> None:
    position = 0
    seen: set[bytes] = set()
    while position < size_bytes:
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            raise BadMedia("is cut short: it ends inside a box header")
        length, kind = struct.unpack_from(">I4s", header)
        if position == 0 and kind not in {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"}:
            raise BadMedia("isn't an MP4 file")
        if length == 1:
            if len(header) < 16:
                raise BadMedia("is cut short: it ends inside a box header")
            length = struct.unpack_from(">Q", header, 8)[0]
            if length < 16:
                raise BadMedia("is damaged: a box of impossible size")
        elif length == 0:
            if kind != b"mdat":
                raise BadMedia("is damaged: bytes that are no box stand at its end")
            length = size_bytes - position
        elif length < 8:
            raise BadMedia("is damaged: a box of impossible size")
        seen.add(kind)
        position += length
    if position != size_bytes:
        raise BadMedia(f"is cut short: {position - size_bytes:,} bytes are missing")
    if not {b"moov", b"mdat"} <= seen:
        raise BadMedia("is not a whole MP4: its index or its data are missing")


def check_clip(clip: ClipFacts, model: Model, voice_s: float | None) -> str | None:
    """What tells that this isn't the clip the model makes of a voice of ``voice_s`` seconds; None if nothing does.

    A portrait picture may turn the model's frame, so it is the short side that has to be the model's.
    """
    if model.width and model.height and abs(min(clip.width, clip.height) - min(model.width, model.height)) > 8:
        return f"is {clip.width}x{clip.height}, the model makes {model.width}x{model.height}"
    if model.fps and abs(clip.fps - model.fps) > 0.5:
        return f"has {clip.fps:g} frames a second, the model makes {model.fps}"
    if voice_s is not None:
        tolerance_s = max(0.5, 0.02 * voice_s)
        for what, seconds in (("picture", clip.video_s), ("sound", clip.audio_s)):
            if abs(seconds - voice_s) > tolerance_s:
                return f"has {seconds:.2f} s of {what}, the voice lasts {voice_s:.2f} s"
    return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _size_of_regular(path: Path) -> int:
    if not path.is_file():
        # A pipe or a device would hang or never end.
        raise BadMedia("isn't a file") if path.exists() else FileNotFoundError(path)
    return path.stat().st_size


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(name.upper() for name in names)
