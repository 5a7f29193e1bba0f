"""Voices, read by PyAV."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from pipeline.errors import BadMedia
from pipeline.media.facts import Voice
from pipeline.media.files import digest_of, size_of_regular

__all__ = ["look_at_voice"]

_FORMATS = {"mp3": "mp3", "wav": "wav", "w64": "wav", "mov,mp4,m4a,3gp,3g2,mj2": "m4a", "aac": "aac"}
_OPTIONS = {
    # What may be opened at all: FFmpeg's other demuxers include playlists, which read files that they name themselves.
    # Those listed and not taken are named in the refusal.
    "format_whitelist": "mp3,wav,w64,aac,mov,mp4,m4a,3gp,3g2,mj2,ogg,flac,aiff,matroska,webm,png_pipe,jpeg_pipe,webp_pipe",
    "protocol_whitelist": "file",
}
_PICTURE_CODECS = frozenset({"png", "mjpeg", "webp", "gif", "bmp", "tiff", "apng", "jpegls"})

# FFmpeg's own words go to stderr past every handler; what matters reaches people through BadMedia.
av.logging.set_level(None)


def look_at_voice(path: Path) -> Voice:
    """Open a voice, decode its beginning and walk it to its end.

    The seconds are those that are really there (packets are counted), which a header, above all an MP3's or a
    cut file's, may not tell.

    Raises:
        BadMedia: it isn't a sound file, has a moving picture, or is cut short.
        OSError: it can't be read at all.
    """
    size_bytes = size_of_regular(path)
    if size_bytes == 0:
        raise BadMedia("is empty: export it again")
    with path.open("rb") as file:
        _refuse_cut_wave(file, size_bytes)
    try:
        with av.open(os.fspath(path), mode="r", metadata_errors="ignore", options=_OPTIONS) as container:
            if not container.streams.audio:
                codec = _codec_of(container.streams.video[0]) if container.streams.video else "no"
                kind = "a picture" if codec in _PICTURE_CODECS else "without a sound track"
                raise BadMedia(f"is {kind}, not a voice: give an MP3, WAV, M4A or AAC file")
            if any(_codec_of(stream) not in _PICTURE_CODECS for stream in container.streams.video):
                raise BadMedia("is a video, not a voice: export its sound as MP3, WAV, M4A or AAC")
            stream = container.streams.audio[0]
            name = _FORMATS.get(container.format.name, container.format.name.partition(",")[0])
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
    return Voice(name, round(counted_s, 6), size_bytes, digest_of(path))


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
