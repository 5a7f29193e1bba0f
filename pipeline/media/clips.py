"""Clips: a downloaded file is believed when it is whole, and decoded where its structure alone can't vouch for it."""

from __future__ import annotations

from io import BytesIO
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
from pipeline.media.mp4 import Unfamiliar, follow_samples, read_index, walk_boxes, walk_nal_units

__all__ = ["look_at_clip"]

_OPTIONS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2", "protocol_whitelist": "file"}

# FFmpeg's own words go to stderr past every handler; what matters reaches people through BadMedia.
av.logging.set_level(None)


def look_at_clip(clip: Path | bytes, *, decode: bool = True) -> ClipFacts:
    """Hold a downloaded MP4 against itself: it is whole, and it decodes.

    A header probe opens a file that is cut in half. So the boxes are walked to the file's end, every sample is found
    where the index says, and the NAL units of each picture are followed. Then all key frames and the whole sound are
    decoded, if that is asked for, or if the file is laid out in a way that only a decoder understands.

    Args:
        clip: the file, or what it holds.
        decode: whether to decode in any case.

    Raises:
        BadMedia: it isn't a whole MP4 with picture and sound.
        OSError: it can't be read at all.
    """
    size_bytes = len(clip) if isinstance(clip, bytes) else size_of_regular(clip)
    with BytesIO(clip) if isinstance(clip, bytes) else clip.open("rb") as file:
        facts = _follow(file, size_bytes)
        if facts and not decode:
            return facts
        file.seek(0)
        return _decoded(file, size_bytes, followed=facts is not None)


def _follow(file: BinaryIO, size_bytes: int) -> ClipFacts | None:
    """What the structure tells; None where it isn't understood."""
    boxes = walk_boxes(file, size_bytes)
    try:
        index = read_index(file, boxes)
    except Unfamiliar:
        return None
    video, audio = index.video, index.audio
    if video is None:
        raise BadMedia("has no picture track")
    if audio is None:
        raise BadMedia("has no sound track")
    if not (video.seconds and video.width and video.height and audio.samples):
        return None
    for track in (video, audio):
        follow_samples(file, track, index.data)
    return ClipFacts(video.width, video.height, video.samples / video.seconds, video.seconds, audio.seconds, size_bytes)


def _decoded(file: BinaryIO, size_bytes: int, *, followed: bool) -> ClipFacts:
    """What the decoder tells; it follows the NAL units too, where nobody has."""
    try:
        with av.open(file, mode="r", metadata_errors="ignore", options=_OPTIONS) as container:
            if not container.streams.video:
                raise BadMedia("has no picture track")
            if not container.streams.audio:
                raise BadMedia("has no sound track")
            video, audio = container.streams.video[0], container.streams.audio[0]
            if any(getattr(track, "codec_context", None) is None for track in (video, audio)):
                raise BadMedia("has a track of a kind that can't be decoded")
            video.thread_type = "NONE"
            video.codec_context.skip_frame = "NONKEY"
            frames, samples, video_s = _decode(
                container, video, audio, 0 if followed else _nal_length_bytes(video.codec_context)
            )
            if not frames:
                raise BadMedia("has no picture that can be decoded")
            if not samples:
                raise BadMedia("has no sound that can be decoded")
            fps = float(video.average_rate or 0)
            return ClipFacts(video.width, video.height, fps, video_s, samples / audio.rate, size_bytes)
    except av.error.FFmpegError as error:
        raise BadMedia(f"can't be decoded ({error.strerror})") from None


def _decode(
    container: av.container.InputContainer, video: VideoStream, audio: AudioStream, nal_length_bytes: int
) -> tuple[int, int, float]:
    frames = samples = video_ticks = 0
    for packet in container.demux(video, audio):
        if packet.stream is video:
            if packet.size and nal_length_bytes:
                walk_nal_units(memoryview(packet), nal_length_bytes)
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
