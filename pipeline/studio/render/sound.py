"""A voice of any format as PCM at 48 kHz, a piece at a time, with a length that its decoded samples define."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from pipeline.studio.render.task import RenderError

__all__ = ["RATE_HZ", "Sound"]

RATE_HZ = 48_000

# FFmpeg also knows formats that name other files to play; a stranger's voice must not read this machine's disk.
_ONLY = {"format_whitelist": "mp3,wav,w64,aac,mov,mp4,m4a,flac,ogg", "protocol_whitelist": "file"}


class Sound:
    """Decodes a voice.

    Headers and packet times of MP3 and M4A count an encoder's padding or guess; so seconds are those of the samples
    that really come out of the decoder.

    Attributes:
        layout: ``mono`` or ``stereo``; more channels are mixed down.
        seconds: decoded so far.
        damaged: packets that could not be decoded so far.
    """

    def __init__(self, path: Path) -> None:
        """Open a voice.

        Raises:
            RenderError: it is no sound file.
        """
        self.seconds = Fraction(0)
        self.damaged = 0
        try:
            self._container = av.open(os.fspath(path), mode="r", metadata_errors="ignore", options=_ONLY)
        except (av.error.FFmpegError, OSError) as error:
            raise RenderError(f"the voice can't be read as sound: {error.strerror}") from None
        if not self._container.streams.audio:
            self._container.close()
            raise RenderError("the voice holds no sound")
        self._stream = self._container.streams.audio[0]
        self._stream.codec_context.thread_count = 1
        self.layout = "mono" if self._stream.codec_context.channels == 1 else "stereo"

    def frames(self) -> Iterator[AudioFrame]:
        """Frames of planar floats at 48 kHz, as many samples in all as ``seconds`` says at the end.

        Raises:
            RenderError: nothing of it can be decoded.
        """
        given = 0
        for piece in self._resampled():
            given += piece.samples
            yield piece
        if not self.seconds:
            raise RenderError("the voice holds no sound that can be decoded")
        if (left := round(self.seconds * RATE_HZ) - given) > 0:
            yield _silence(self.layout, left)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _resampled(self) -> Iterator[AudioFrame]:
        resampler: AudioResampler | None = None
        shape: tuple[str, str, int] | None = None
        for frame in self._decoded():
            self.seconds += Fraction(frame.samples, frame.sample_rate)
            frame.pts = None  # gaps and jumps in a file's times are no silence
            if shape != (shape := (frame.format.name, frame.layout.name, frame.sample_rate)):
                # A stream may change its rate or channels under way; a resampler takes only one kind of frame.
                if resampler:
                    yield from resampler.resample(None)
                resampler = AudioResampler(format="fltp", layout=self.layout, rate=RATE_HZ)
            if resampler:
                yield from resampler.resample(frame)
        if resampler:
            yield from resampler.resample(None)

    def _decoded(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.FFmpegError:
                # A damaged place: what comes after it is still the user's voice.
                self.damaged += 1
                if self.damaged > 10_000:
                    return
                continue
            yield from (frame for frame in frames if isinstance(frame, AudioFrame))


def _silence(layout: str, samples: int) -> AudioFrame:
    """So many samples of nothing."""
    frame = AudioFrame(format="fltp", layout=layout, samples=samples)
    frame.sample_rate = RATE_HZ
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame
