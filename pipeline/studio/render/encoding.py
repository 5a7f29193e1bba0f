"""Writes a clip: H.264 and AAC in an MP4 that plays from its first bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from pipeline.placing import put_in_place
from pipeline.studio.render.sound import RATE_HZ
from pipeline.studio.render.task import RenderTask

__all__ = ["MARK", "ClipWriter", "new_clip"]

MARK = "synthetic preview rendered by avatar-batch studio"
"""Kept in the clip's metadata: nobody shall take it for a recording."""

_AUDIO_BITS_PER_S = {"mono": 96_000, "stereo": 128_000}


class ClipWriter:
    """A clip being written: its picture stream, and its sound."""

    def __init__(self, container: av.container.OutputContainer, video: VideoStream, audio: AudioStream) -> None:
        self.video = video
        self._container = container
        self._audio = audio
        self._samples = 0

    def add_picture(self, packet: Packet[VideoStream]) -> None:
        """Write an encoded frame."""
        self._container.mux(packet)

    def add_sound(self, frame: AudioFrame) -> None:
        """Encode and write PCM at 48 kHz that follows what was added before without a gap."""
        frame.pts, frame.time_base = self._samples, Fraction(1, RATE_HZ)
        self._samples += frame.samples
        self._container.mux(self._audio.encode(frame))

    def end_sound(self) -> None:
        """Write what the sound's encoder still holds."""
        self._container.mux(self._audio.encode(None))


@contextmanager
def new_clip(task: RenderTask, layout: str, x264: dict[str, str]) -> Iterator[ClipWriter]:
    """Write ``task.output``: under another name until it is whole and on disk; nothing is left of it after an error.

    ``layout`` is the sound's, ``x264`` the picture encoder's options.
    """
    part = task.output.with_name(f"{task.output.name}.{os.getpid()}.part")
    try:
        # The index goes first, so that a browser plays at once; a time scale of the frame rate keeps times exact.
        options = {"movflags": "+faststart", "video_track_timescale": str(task.fps)}
        with av.open(os.fspath(part), "w", format="mp4", options=options) as container:
            container.metadata["comment"] = MARK
            yield ClipWriter(container, _picture_stream(container, task, x264), _sound_stream(container, layout))
        put_in_place(part, task.output)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _picture_stream(container: av.container.OutputContainer, task: RenderTask, x264: dict[str, str]) -> VideoStream:
    stream = container.add_stream("libx264", rate=Fraction(task.fps), options=x264)
    stream.width, stream.height, stream.pix_fmt = task.width, task.height, "yuv420p"
    stream.time_base = Fraction(1, task.fps)
    codec = stream.codec_context
    codec.time_base = Fraction(1, task.fps)
    codec.color_range = ColorRange.MPEG
    codec.colorspace = Colorspace.ITU709
    codec.color_primaries = ColorPrimaries.BT709
    codec.color_trc = ColorTrc.BT709
    codec.thread_count = 1  # clips are rendered side by side: that uses the cores better than threads do
    return stream


def _sound_stream(container: av.container.OutputContainer, layout: str) -> AudioStream:
    # Mid/side coding takes a third of the encoder's time and saves nothing on a voice.
    stream = container.add_stream("aac", rate=RATE_HZ, layout=layout, options={"aac_ms": "0"})
    stream.bit_rate = _AUDIO_BITS_PER_S[layout]
    stream.codec_context.thread_count = 1
    return stream
