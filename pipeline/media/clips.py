"""Clips, decoded by PyAV: a downloaded file is believed when it is whole and decodes."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from pipeline.errors import BadMedia
from pipeline.media.facts import ClipFacts
from pipeline.media.files import size_of_regular

__all__ = ["look_at_clip"]

_OPTIONS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2", "protocol_whitelist": "file"}

# FFmpeg's own words go to stderr past every handler; what matters reaches people through BadMedia.
av.logging.set_level(None)


def look_at_clip(path: Path) -> ClipFacts:
    """Hold a downloaded MP4 against itself: it is whole, and it decodes.

    A header probe opens a file that is cut in half. So first the boxes are walked to the file's end (ISO/IEC
    14496-12), then every packet is read and the lengths of its NAL units are followed (14496-15), and at last all
    key frames and the whole sound are decoded.

    Raises:
        BadMedia: it isn't a whole MP4 with picture and sound.
        OSError: it can't be read at all.
    """
    size_bytes = size_of_regular(path)
    with path.open("rb") as file:
        _walk_boxes(file, size_bytes)
    try:
        with av.open(os.fspath(path), mode="r", metadata_errors="ignore", options=_OPTIONS) as container:
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
