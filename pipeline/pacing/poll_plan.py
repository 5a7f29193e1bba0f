"""When to ask for an outstanding clip again."""

from __future__ import annotations

import bisect
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["AdaptivePlan", "FixedPlan", "PollPlan", "poll_plan_for"]


class PollPlan(Protocol):
    """Plans polls from how long clips have rendered."""

    def gap_s(self, age_s: float) -> float:
        """Seconds until the next poll of a clip that has been rendering for ``age_s``."""

    def completed(self, render_s: float) -> None:
        """A clip was seen to be ready after so long."""


@dataclass(frozen=True, slots=True)
class FixedPlan:
    """Every ``interval_s``, a tenth more or less, so that clips that started together are not polled in bursts."""

    interval_s: float
    rng: random.Random

    def gap_s(self, age_s: float) -> float:
        """The same for every age."""
        return self.interval_s * self.rng.uniform(0.9, 1.1)

    def completed(self, render_s: float) -> None:
        """Nothing to learn."""


@dataclass(slots=True)
class AdaptivePlan:
    """Polls where clips end, as this run has shown it.

    Cold, the gaps grow with the clip's age (a seventh of it), so a render time that nobody knows is noticed within
    that share of itself, whether it is a second or an hour; an expected time only lengthens what it can't hurt by
    more than that. Warm, a clip rests until the earliest share of clips was ready, is asked often while most of
    them end, and ever more rarely once it is late.

    Attributes:
        interval_s: the shortest gap.
        expected_s: a typical render time to start from; 0 for none.
    """

    interval_s: float
    expected_s: float
    rng: random.Random
    growth: float = 1 / 7
    warm_after: int = 8
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    _sorted: list[float] = field(default_factory=list)

    def gap_s(self, age_s: float) -> float:
        """See the class."""
        gap = self._warm_gap_s(age_s) if len(self._sorted) >= self.warm_after else self._cold_gap_s(age_s)
        return max(self.interval_s, gap) * self.rng.uniform(0.9, 1.1)

    def completed(self, render_s: float) -> None:
        """Learn from it; the oldest of 200 is forgotten."""
        if len(self._recent) == self._recent.maxlen:
            self._sorted.pop(bisect.bisect_left(self._sorted, self._recent[0]))
        self._recent.append(render_s)
        bisect.insort(self._sorted, render_s)

    def _cold_gap_s(self, age_s: float) -> float:
        gap = self.growth * age_s
        if self.expected_s and 0.5 * self.expected_s <= age_s <= 2 * self.expected_s:
            return min(gap, self.expected_s / 20)
        return gap

    def _warm_gap_s(self, age_s: float) -> float:
        early, late = self._quantile(0.05), self._quantile(0.95)
        if age_s < 0.9 * early:
            return 0.9 * early - age_s
        if age_s <= late:
            return max(late - early, 0.05 * late) / 10
        return max((late - early) / 10, self.growth * (age_s - late), 0.02 * age_s)

    def _quantile(self, share: float) -> float:
        return self._sorted[int(share * (len(self._sorted) - 1))]


def poll_plan_for(
    strategy: Literal["adaptive", "fixed"], interval_s: float, expected_s: float, rng: random.Random
) -> PollPlan:
    """The plan that ``poll.strategy`` asks for."""
    return FixedPlan(interval_s, rng) if strategy == "fixed" else AdaptivePlan(interval_s, expected_s, rng)
