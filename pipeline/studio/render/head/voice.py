"""Hears a voice: what a mouth does while it sounds, a hundred times a second.

A network with one hidden layer looks at a quarter of a second of spectrum round each instant and tells how far the
jaw is open, how much the lips are spread or rounded, and whether they are closed. It learnt that from synthetic
speech whose phones are known to the millisecond (``benchmarks/train_mouth.py``, which also says how well it does on
voices that it never heard). As it looks both ways, it does not lag.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from pipeline.studio.render.sound import Sound

__all__ = ["ANALYSIS_HZ", "EAR_HZ", "Articulation", "Heard", "articulate", "hear", "network_input", "smooth"]

Curve = NDArray[np.float32]
"""One value for each instant, of shape (n,)."""

EAR_HZ = 16_000
"""Sampling rate of what is analysed: speech has little above half of it."""
ANALYSIS_HZ = 100
"""Instants a second."""

_WINDOW = 400
_FFT = 512
_BANDS = 24
_BAND_RANGE_HZ = (80.0, 7_600.0)
_FLOOR_DB = -60.0
_NEIGHBOURS = (-12, -8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8, 12)
"""Instants that the network sees at once, relative to its own."""
_BLOCK = 512
"""Instants that are computed at once: few, as their spectra take a hundred times the memory of their sound."""


@dataclass(frozen=True, slots=True)
class Articulation:
    """What the mouth does, each curve ``ANALYSIS_HZ`` instants a second from 0 to 1.

    Attributes:
        opening: of the jaw and the lips.
        spread, rounded: of the lips, as in *see* and as in *you*.
        closed: the lips are shut: p, b, m and pauses.
        level: loudness between the voice's own floor and peak, on a scale of decibels.
        emphasis: loudness of words about that of their sentence, -1 to 1.
    """

    opening: Curve
    spread: Curve
    rounded: Curve
    closed: Curve
    level: Curve
    emphasis: Curve


@dataclass(frozen=True, slots=True)
class Heard:
    """A voice that was decoded to its end.

    Attributes:
        samples: mono, of shape (n,) at ``EAR_HZ``, full scale at 1.
        seconds: its exact length.
        damaged: packets that could not be decoded.
    """

    samples: NDArray[np.float32]
    seconds: Fraction
    damaged: int


def hear(path: Path) -> Heard:
    """Decode a voice.

    Raises:
        RenderError: nothing of it can be decoded.
    """
    pieces: list[NDArray[np.int16]] = []
    # 16 bits: five minutes of it are 10 MB.
    resampler = AudioResampler(format="s16", layout="mono", rate=EAR_HZ)
    with closing(Sound(path)) as sound:
        for frame in sound.frames():
            frame.pts = None
            pieces += _samples(resampler, frame)
        seconds, damaged = sound.seconds, sound.damaged
    pieces += _samples(resampler, None)
    # Filled in place: one copy of five minutes is 19 MB.
    samples = np.empty(sum(map(len, pieces)), np.float32)
    np.divide(np.concatenate(pieces), np.float32(32_768), out=samples)
    return Heard(samples, seconds, damaged)


def _samples(resampler: AudioResampler, frame: AudioFrame | None) -> list[NDArray[np.int16]]:
    return [piece.to_ndarray()[0].astype(np.int16, copy=False) for piece in resampler.resample(frame)]


def articulate(samples: NDArray[np.float32]) -> Articulation:
    """What the mouth does to speak these samples (``EAR_HZ``)."""
    spectrum, loudness = _analyse(samples)
    answers = _Network.trained().answer(spectrum)
    floor = float(np.percentile(loudness, 5))
    peak = max(float(np.percentile(loudness, 98)), -55.0)
    # A voice without pauses has no floor to speak of: 30 dB under its peak are quiet enough.
    floor = max(min(floor, peak - 30.0), peak - 50.0)
    level = np.clip((loudness - floor) / (peak - floor), 0, 1)
    # Sound at the level of the noise moves nothing, whatever its colour.
    audible = np.clip((loudness - (floor + 3.0)) / 6.0, 0, 1) if peak > -54.0 else np.zeros_like(loudness)
    audible = smooth(audible.astype(np.float32), 0.02)
    slow = smooth(level.astype(np.float32), 0.12)
    return Articulation(
        opening=answers[:, 0] * audible,
        spread=answers[:, 1] * audible,
        rounded=answers[:, 2] * audible,
        closed=1 - (1 - answers[:, 3]) * audible,
        level=level.astype(np.float32) * audible,
        emphasis=np.clip((slow - smooth(slow, 0.8)) * 3, -1, 1).astype(np.float32),
    )


def network_input(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network sees of a voice, of shape (instants, neighbours x bands)."""
    return _context(_analyse(samples)[0], 0, None)


def _analyse(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], Curve]:
    """Band levels (n, bands) about -3 to 0.5, relative to the voice's loud parts, and loudness (n,) in dBFS.

    Instant ``i`` is the middle of its window and lies at ``i / ANALYSIS_HZ`` seconds.
    """
    hop = EAR_HZ // ANALYSIS_HZ
    count = max(1, -(-len(samples) // hop))
    padded = np.zeros(count * hop + _WINDOW, np.float32)
    padded[_WINDOW // 2 : _WINDOW // 2 + len(samples)] = samples
    starts = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop][:count]
    window = np.hanning(_WINDOW).astype(np.float32)
    bands = np.empty((count, _BANDS), np.float32)
    loudness = np.empty(count, np.float32)
    for first in range(0, count, _BLOCK):
        block = starts[first : first + _BLOCK] * window
        loudness[first : first + _BLOCK] = 10 * np.log10(np.mean(block**2, axis=1) / np.mean(window**2) + 1e-9)
        power = np.abs(np.fft.rfft(block, _FFT)) ** 2
        bands[first : first + _BLOCK] = 10 * np.log10(power @ _filters() + 1e-9)
    total = 10 * np.log10(np.sum(10 ** (bands / 10), axis=1))
    reference = float(np.percentile(total, 95))
    return np.maximum(bands - reference, _FLOOR_DB) / np.float32(20), loudness


@cache
def _filters() -> NDArray[np.float32]:
    """Triangular filters, evenly spaced in mel (Stevens, Volkmann and Newman 1937), of shape (bins, bands)."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2595 * np.log10(1 + hertz / 700)

    low, high = mel(np.array(_BAND_RANGE_HZ, np.float64))
    edges = np.linspace(low, high, _BANDS + 2)
    at = mel(np.asarray(np.fft.rfftfreq(_FFT, 1 / EAR_HZ), np.float64))[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float32)


def _context(bands: NDArray[np.float32], first: int, last: int | None) -> NDArray[np.float32]:
    """Rows ``first`` to ``last``, each with its neighbours; silence lies beyond the ends."""
    reach = max(_NEIGHBOURS)
    padded = np.pad(bands, ((reach, reach), (0, 0)), constant_values=_FLOOR_DB / 20)
    count = len(bands[first:last])
    return np.hstack([padded[reach + first + shift :][:count] for shift in _NEIGHBOURS])


@dataclass(frozen=True, slots=True)
class _Network:
    """One hidden layer; weights of shape (inputs, hidden) and (hidden, 4)."""

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    @staticmethod
    @cache
    def trained() -> _Network:
        source = files("pipeline.studio.render").joinpath("models", "mouth.npz")
        with as_file(source) as path, np.load(path) as stored:
            names = ("hidden", "hidden_bias", "output", "output_bias")
            return _Network(*(stored[name].astype(np.float32) for name in names))

    def answer(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Opening, spread, rounded and closed for every instant, of shape (n, 4)."""
        answers = np.empty((len(bands), 4), np.float32)
        for first in range(0, len(bands), _BLOCK):
            seen = _context(bands, first, first + _BLOCK)
            inner = np.tanh(seen @ self.hidden + self.hidden_bias)
            answers[first : first + _BLOCK] = 1 / (1 + np.exp(-(inner @ self.output + self.output_bias)))
        return answers


def smooth(curve: Curve, sigma_s: float, rate_hz: float = ANALYSIS_HZ) -> Curve:
    """A Gaussian average without delay; the ends go on as they are."""
    sigma = sigma_s * rate_hz
    reach = max(1, round(3.5 * sigma))
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    padded = np.pad(curve, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float32)
