"""What is known of render times: clips that were ready between two polls, and clips that still render."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from pipeline.pacing.render_curve import Curve, Seen, bin_of, fit_curve, spread_over

__all__ = ["Observation", "RenderTimes"]

REMEMBERED = 256
HALF_LIFE = 96
"""Clips after which an observation counts half: render times drift with the hour."""
SLOPE_CLIPS = 12
"""Clips from which on the voice's length may be believed to matter."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A clip of ``voice_s`` seconds (0: not known) rendered longer than ``after_s`` and at most ``by_s`` (inf: not known)."""

    after_s: float
    by_s: float
    voice_s: float


@dataclass(slots=True)
class RenderTimes:
    """An online estimate of how long clips of one model render.

    The longer the voice, the longer the render, by a power that is estimated as well (0 until it is significant);
    the curve is that of a clip with a typical voice.

    Attributes:
        expected_s: a typical render time to start from; 0 for none.
        version: counts fits: whatever was planned by an earlier one is out of date.
    """

    expected_s: float
    version: int = 0
    slope: float = 0.0
    curve: Curve = field(init=False)
    _past: deque[Observation] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _rendering: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    _ended: int = 0
    _waited: int = 0
    _typical_voice_log: float = 0.0

    def __post_init__(self) -> None:
        self.curve = fit_curve(Seen.nothing(), self.expected_s)

    def learn(self, observations: Iterable[Observation]) -> None:
        """Start from what an earlier run has seen."""
        self._past.extend(observations)
        self._fit()

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The clips that are remembered, oldest first."""
        return tuple(self._past)

    def renders(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """At this age it was not ready."""
        self._rendering[clip] = (age_s, voice_s)
        self._waited += 1
        if self._waited >= max(8, len(self._rendering) // 4):
            self._fit()

    def ready(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """At this age it was ready."""
        after_s, _ = self._rendering.pop(clip, (0.0, voice_s))
        if after_s <= 0 or age_s > 1.6 * after_s + 2.0:
            # Nobody looked for long (a run that was away): it tells next to nothing.
            return
        self._past.append(Observation(after_s, age_s, voice_s))
        self._ended += 1
        if self._ended >= max(1, len(self._past) // 10):
            self._fit()

    def gone(self, clip: Hashable) -> None:
        """It ended without ever being ready, so it only tells that it was not until then."""
        after_s, voice_s = self._rendering.pop(clip, (0.0, 0.0))
        if after_s > 0:
            self._past.append(Observation(after_s, math.inf, voice_s))

    def scale(self, voice_s: float) -> float:
        """How much longer than the typical clip one of so many seconds of voice renders."""
        if not self.slope or voice_s <= 0:
            return 1.0
        return math.exp(self.slope * (math.log(voice_s) - self._typical_voice_log))

    def _fit(self) -> None:
        self._ended = self._waited = 0
        self._fit_slope()
        seen = Seen.nothing()
        believed = self.curve.density
        weight, fade = 1.0, 0.5 ** (1 / HALF_LIFE)
        for one in reversed(self._past):
            scale = self.scale(one.voice_s)
            low = bin_of(one.after_s / scale)
            if one.by_s == math.inf:
                seen.left[low] += weight
            else:
                high = bin_of(one.by_s / scale)
                for j, share in enumerate(spread_over(believed[low : high + 1]), low):
                    seen.events[j] += weight * share
            weight *= fade
        for age_s, voice_s in self._rendering.values():
            seen.left[bin_of(age_s / self.scale(voice_s))] += 1.0
        guess = (self.curve.mean_log, self.curve.spread) if self.curve.spread else None
        self.curve = fit_curve(seen, self.expected_s, guess)
        self.version += 1

    def _fit_slope(self) -> None:
        """Least squares of log render time on log voice, taken for nothing below two standard errors."""
        points = [
            (math.log(one.voice_s), math.log((one.after_s + one.by_s) / 2))
            for one in self._past
            if one.voice_s > 0 and one.by_s < math.inf
        ]
        n = len(points)
        self.slope = 0.0
        if n < SLOPE_CLIPS:
            return
        mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
        xx = sum((x - mean_x) ** 2 for x, _ in points)
        xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
        yy = sum((y - mean_y) ** 2 for _, y in points)
        if xx < 0.01 * n or xy <= 0:
            return
        slope = xy / xx
        rest = max(1e-9, yy - slope * xy) / (n - 2)
        if slope * slope * xx > 4 * rest:
            self.slope, self._typical_voice_log = min(1.5, slope), mean_x
