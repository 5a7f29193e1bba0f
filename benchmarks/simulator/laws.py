"""Laws of render times, and the least that polling can cost under one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from statistics import NormalDist

__all__ = ["Law", "bimodal", "by_voice", "drifting", "least_product", "log_normal", "with_stuck"]

Law = Callable[[random.Random, int, float], float]
"""Seconds of rendering, given chance, the clip's number and its seconds of voice."""

STUCK_S = 1e9


def log_normal(median_s: float, spread: float) -> Law:
    """Log seconds are normal; ``spread`` is their standard deviation."""
    return lambda rng, _number, _voice_s: median_s * math.exp(rng.gauss(0.0, spread))


def bimodal(quick: Law, slow: Law, share_slow: float) -> Law:
    """Two kinds of clips that nobody can tell apart."""
    return lambda rng, number, voice_s: (slow if rng.random() < share_slow else quick)(rng, number, voice_s)


def drifting(law: Law, factor: float, clips: int) -> Law:
    """Ever slower (or quicker): the last of so many clips takes ``factor`` times as long as the first."""
    return lambda rng, number, voice_s: law(rng, number, voice_s) * factor ** (number / clips)


def with_stuck(law: Law, share: float) -> Law:
    """Some never end."""
    return lambda rng, number, voice_s: STUCK_S if rng.random() < share else law(rng, number, voice_s)


def by_voice(law: Law, typical_voice_s: float, power: float = 1.0) -> Law:
    """The longer the voice, the longer the render."""
    return lambda rng, number, voice_s: law(rng, number, voice_s) * (voice_s / typical_voice_s) ** power


def least_product(median_s: float, spread: float) -> float:
    """½(∫sqrt(f·S)dt)² for a log-normal law: no plan has a smaller product of polls a clip and mean notice.

    By Cauchy and Schwarz from polls = ∫S/Δ dt and notice = ∫f·Δ/2 dt.
    """
    normal = NormalDist()
    steps = [-7 + 14 * k / 4000 for k in range(4001)]
    times = [median_s * math.exp(spread * z) for z in steps]
    roots = [math.sqrt(normal.pdf(z) / (spread * t) * normal.cdf(-z)) for z, t in zip(steps, times, strict=True)]
    area = sum(
        (later - earlier) * (low + high) / 2
        for (earlier, later), (low, high) in zip(pairwise(times), pairwise(roots), strict=True)
    )
    return area * area / 2
