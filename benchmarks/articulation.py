"""What a mouth does in each phone, and the curves that a line's true phone times make of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech import Phone

__all__ = ["LABIAL_STOPS", "VOWELS", "true_curves"]

LABIAL_STOPS = frozenset({"p", "b", "m"})

# Phone: jaw and lip opening, spreading, rounding, each 0 to 1. Openings follow the vowels' first formant (Peterson
# and Barney 1952) and the usual viseme tables; consonants without a lip target lean on their neighbours by smoothing.
_SHAPES: dict[str, tuple[float, float, float]] = {
    "aa": (1.00, 0.15, 0.10), "ae": (0.90, 0.45, 0.00), "ah": (0.70, 0.20, 0.05), "ao": (0.80, 0.00, 0.55),
    "aw": (0.85, 0.10, 0.35), "ax": (0.45, 0.20, 0.05), "ay": (0.85, 0.35, 0.00), "eh": (0.65, 0.50, 0.00),
    "er": (0.40, 0.10, 0.35), "ey": (0.50, 0.65, 0.00), "ih": (0.40, 0.55, 0.00), "iy": (0.28, 0.90, 0.00),
    "ow": (0.55, 0.00, 0.75), "oy": (0.60, 0.10, 0.65), "uh": (0.38, 0.00, 0.55), "uw": (0.25, 0.00, 1.00),
    "axr": (0.40, 0.10, 0.35), "el": (0.35, 0.10, 0.20), "en": (0.20, 0.25, 0.00),
    "p": (0.00, 0.20, 0.10), "b": (0.00, 0.20, 0.10), "m": (0.00, 0.20, 0.10),
    "f": (0.08, 0.30, 0.00), "v": (0.08, 0.30, 0.00), "th": (0.20, 0.30, 0.00), "dh": (0.20, 0.30, 0.00),
    "t": (0.20, 0.35, 0.00), "d": (0.20, 0.35, 0.00), "n": (0.22, 0.30, 0.00), "l": (0.32, 0.25, 0.05),
    "s": (0.13, 0.60, 0.00), "z": (0.13, 0.60, 0.00), "sh": (0.16, 0.00, 0.60), "zh": (0.16, 0.00, 0.60),
    "ch": (0.16, 0.00, 0.55), "jh": (0.16, 0.00, 0.55), "k": (0.28, 0.25, 0.05), "g": (0.28, 0.25, 0.05),
    "ng": (0.28, 0.25, 0.05), "hh": (0.40, 0.20, 0.05), "r": (0.28, 0.00, 0.50), "w": (0.15, 0.00, 0.95),
    "y": (0.25, 0.75, 0.00), "pau": (0.00, 0.10, 0.00),
}  # fmt: skip

VOWELS = frozenset({"aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"})

_STEP_HZ = 1_000
_OPENING_SIGMA_S = 0.028
_LIPS_SIGMA_S = 0.040
_SEAL_SIGMA_S = 0.012


def true_curves(phones: tuple[Phone, ...], count: int, rate_hz: float) -> NDArray[np.float32]:
    """Opening, spread, rounded and closed at ``count`` instants from 0 s on, of shape (count, 4)."""
    length = int(count / rate_hz * _STEP_HZ) + 1
    shape = np.tile(np.array((0.0, 0.1, 0.0), np.float32), (length, 1))
    sealed = np.ones(length, np.float32)
    for phone in phones:
        span = slice(int(phone.start_s * _STEP_HZ), int(phone.end_s * _STEP_HZ))
        shape[span] = _SHAPES[phone.name]
        sealed[span] = phone.name in LABIAL_STOPS or phone.name == "pau"
    closed = _blurred(sealed, _SEAL_SIGMA_S)
    opening = _blurred(shape[:, 0], _OPENING_SIGMA_S) * (1 - closed)
    curves = np.stack((opening, _blurred(shape[:, 1], _LIPS_SIGMA_S), _blurred(shape[:, 2], _LIPS_SIGMA_S), closed), 1)
    at = np.minimum((np.arange(count) / rate_hz * _STEP_HZ).astype(int), length - 1)
    return curves[at]


def _blurred(values: NDArray[np.float32], sigma_s: float) -> NDArray[np.float32]:
    sigma = sigma_s * _STEP_HZ
    steps = np.arange(-int(3 * sigma), int(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, len(steps) // 2, mode="edge")
    return np.convolve(padded, kernel, mode="valid").astype(np.float32)
