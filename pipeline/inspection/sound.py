"""Comparing two sound tracks: the row's voice, and what is heard in its clip.

Plain Python over arrays, in two steps so that it stays quick: loudness contours find the rough offset, a few seconds of
the waveform settle it to a quarter of a millisecond. numpy would be shorter, and the largest package of the install.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import mul, sub
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

__all__ = ["Match", "compare", "contour", "loudness_db", "missing_s", "read_sound"]

RATE_HZ = 4000
STEP = RATE_HZ // 100
"""Samples in a hundredth of a second: one value of a contour."""

MAX_S = 330
REACH = 150
"""How far apart the two may be: hundredths of a second, either way."""

WAVE_S = 2
AUDIBLE = 0.05
"""The share of the loudest moment below which a voice counts as a pause."""


@dataclass(frozen=True, slots=True)
class Match:
    """How alike two sounds are where they fit best (0 to 1), and how much later the clip's is."""

    similarity: float
    offset_ms: float


def read_sound(path: Path) -> array[int]:
    """The first sound track, mono, 4,000 samples a second.

    Raises:
        av.error.FFmpegError: it can't be decoded.
    """
    samples = array("h")
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)

    def take(frames: Sequence[AudioFrame]) -> None:
        for frame in frames:
            samples.frombytes(bytes(frame.planes[0])[: 2 * frame.samples])

    with av.open(os.fspath(path), metadata_errors="ignore") as container:
        for frame in container.decode(container.streams.audio[0]):
            take(resampler.resample(frame))
            if len(samples) > MAX_S * RATE_HZ:
                break
    take(resampler.resample(None))
    return samples


def contour(samples: array[int]) -> list[float]:
    """Loudness (root mean square) in hundredths of a second."""
    pieces = (samples[start : start + STEP] for start in range(0, len(samples) - STEP + 1, STEP))
    return [math.sqrt(sum(map(mul, piece, piece)) / STEP) for piece in pieces]


def loudness_db(loudness: Sequence[float]) -> float:
    """The loudest tenth of a second, in dB below full scale; -120 for nothing at all."""
    tenths = [sum(loudness[start : start + 10]) / 10 for start in range(0, max(1, len(loudness) - 9), 10)]
    peak = max(tenths, default=0.0) / 32768
    return round(20 * math.log10(peak), 1) if peak > 1e-6 else -120.0


def compare(voice: array[int], clip: array[int]) -> Match | None:
    """Where the clip's sound fits the voice best; None if either holds nothing."""
    voice_loud, clip_loud = contour(voice), contour(clip)
    if max(voice_loud, default=0) < 1 or max(clip_loud, default=0) < 1:
        return None
    # Square roots, so that one loud moment does not outweigh all others.
    by_contour, lag = _best_lag(_centred([x**0.5 for x in voice_loud]), _centred([x**0.5 for x in clip_loud]))
    by_wave, fine = _fine_lag(voice, clip, _loudest(voice_loud), lag * STEP)
    offset = fine if by_wave > 0.5 else lag * STEP
    return Match(round(max(by_contour, by_wave), 3), round(offset / RATE_HZ * 1000, 1))


def missing_s(voice_loud: Sequence[float], clip_samples: int, offset_ms: float) -> float:
    """How much of the voice, to its last audible moment, lies beyond the end of the clip's sound."""
    floor = AUDIBLE * max(voice_loud, default=0.0)
    last = max((number for number, value in enumerate(voice_loud, 1) if value > floor), default=0)
    return round(max(0.0, last / 100 + offset_ms / 1000 - clip_samples / RATE_HZ), 3)


def _centred(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    return list(map(sub, values, repeat(mean)))


def _best_lag(voice: list[float], clip: list[float]) -> tuple[float, int]:
    """Similarity and lag in steps. A sound that never changes has no contour to compare: similarity 0."""
    energy = math.sqrt(sum(map(mul, voice, voice)) * sum(map(mul, clip, clip)))
    if energy / max(1, len(voice)) < 0.5:
        return 0.0, 0
    reach = min(REACH, len(voice) // 2)
    lags = sorted(range(-reach, reach + 1), key=abs)
    best = max((sum(map(mul, voice[max(0, -lag) :], clip[max(0, lag) :])), -abs(lag), lag) for lag in lags)
    return max(0.0, min(1.0, best[0] / energy)), best[2]


def _loudest(loudness: Sequence[float]) -> int:
    """Where the loudest seconds of a voice begin, in samples."""
    width = WAVE_S * 100
    if len(loudness) <= width:
        return 0
    return STEP * max(range(0, len(loudness) - width, 25), key=lambda start: sum(loudness[start : start + width]))


def _fine_lag(voice: array[int], clip: array[int], start: int, lag: int) -> tuple[float, int]:
    """Similarity and lag in samples, within 15 ms of ``lag``; a voice turned upside down is the same voice."""
    best = (0.0, lag)
    span = range(lag - RATE_HZ * 15 // 1000, lag + RATE_HZ * 15 // 1000 + 1)
    first = max(start, -min(span))
    piece = voice[first : min(start + WAVE_S * RATE_HZ, len(clip) - max(span))]
    if len(piece) < RATE_HZ // 2:
        return best
    own = sum(map(mul, piece, piece))
    for fine in span:
        other = clip[first + fine : first + fine + len(piece)]
        energy = math.sqrt(own * sum(map(mul, other, other)))
        if energy:
            best = max(best, (abs(sum(map(mul, piece, other))) / energy, fine))
    return best
