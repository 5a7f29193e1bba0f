"""What is known of render times: clips that were ready between two polls, and clips that still render."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from pipeline.pacing.render_curve import Curve, Seen, bin_of, fit_curve, spread_over

__all__ = ["Observation", "RenderTimes"]

REMEMBERED = 1024
HALF_LIFE = 96
"""Clips after which an observation counts half (or as many as render at once, if more): times drift with the hour.

Clips are counted by their start, those that render included: were it by their end, the quick ones of a burst would
fade beside the slow ones that still render."""
COLD_CLIPS = 20
SLOPE_CLIPS = 12
"""Clips from which on the voice's length may be believed to matter."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A clip of ``voice_s`` seconds (0: not known) rendered longer than ``after_s`` and at most ``by_s`` (inf: not known)."""

    after_s: float
    by_s: float
    voice_s: float
    number: int = 0

    @property
    def ended(self) -> bool:
        """Whether it is known when it was ready."""
        return self.by_s < math.inf

    @property
    def middle_s(self) -> float:
        """Between the two polls that it was ready between."""
        return (self.after_s + self.by_s) / 2


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
    _rendering: dict[Hashable, tuple[float, float, int]] = field(default_factory=dict)
    _started: int = 0
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
        """At this age (0: it was just sent) it was not ready."""
        known = self._rendering.get(clip)
        if known is None:
            self._started += 1
        self._rendering[clip] = (age_s, voice_s, known[2] if known else self._started)
        self._waited += age_s > 0
        # While little is known, that clips still render is most of the news: a few scouts spare all others a poll.
        if self._waited >= (4 if len(self._past) < COLD_CLIPS else max(128, 4 * len(self._rendering))):
            self._fit()

    def ready(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """At this age it was ready."""
        known = self._rendering.pop(clip, None)
        if known is None:
            # Nobody looked while it rendered (the run was away): when it was ready can't be told.
            return
        after_s, _, number = known
        self._past.append(Observation(after_s, max(age_s, after_s + 1e-3), voice_s, number))
        self._ended += 1
        if self._ended >= max(1, len(self._past) // 10):
            self._fit()

    def gone(self, clip: Hashable) -> None:
        """It ended without ever being ready, so it only tells that it was not until then."""
        after_s, voice_s, number = self._rendering.pop(clip, (0.0, 0.0, 0))
        if after_s > 0:
            self._past.append(Observation(after_s, math.inf, voice_s, number))

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
        fade = 0.5 ** (1 / max(HALF_LIFE, len(self._rendering)))
        spans: defaultdict[tuple[int, int], float] = defaultdict(float)
        for one in self._past:
            weight = fade ** (self._started - one.number)
            scale = self.scale(one.voice_s)
            low = bin_of(one.after_s / scale)
            if one.ended:
                spans[low, bin_of(one.by_s / scale)] += weight
            else:
                seen.left[low] += weight
        for (low, high), weight in spans.items():
            for j, share in enumerate(spread_over(believed[low : high + 1]), low):
                seen.events[j] += weight * share
        for age_s, voice_s, number in self._rendering.values():
            seen.left[bin_of(age_s / self.scale(voice_s))] += fade ** (self._started - number)
        guess = (self.curve.mean_log, self.curve.spread) if self.curve.spread else None
        self.curve = fit_curve(seen, self.expected_s, guess)
        self.version += 1

    def _fit_slope(self) -> None:
        """Least squares of log render time on log voice, taken for nothing below two standard errors."""
        points = [
            (math.log(one.voice_s), math.log(one.middle_s)) for one in self._past if one.voice_s > 0 and one.ended
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
