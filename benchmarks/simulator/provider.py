"""The provider in numbers: clips that end at their time, and limits that it does not tell."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.simulator.laws import Law

__all__ = ["Limits", "Provider"]


def _no_limit(_now: float) -> float:
    return float("inf")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused with a 429.

    Attributes:
        at_once: clips rendering at once, by the time.
        per_span: requests in any ``span_s`` seconds, by the time; refused ones don't count.
        submits_only: whether that counts and refuses submits alone.
        at_random: the share of submits that are refused for no reason of the account's.
    """

    at_once: Callable[[float], float] = _no_limit
    per_span: Callable[[float], float] = _no_limit
    span_s: float = 60.0
    submits_only: bool = False
    at_random: float = 0.0


@dataclass(slots=True)
class Provider:
    """Accepts, renders, answers polls.

    Attributes:
        used, offered: clip-seconds rendered, and clip-seconds that the limit allowed, since ``measure_from``.
    """

    law: Law
    limits: Limits
    rng: random.Random
    ready_at: dict[int, float] = field(default_factory=dict)
    peak: int = 0
    used: float = 0.0
    offered: float = 0.0
    _ends: list[float] = field(default_factory=list)
    _asked: deque[float] = field(default_factory=deque)
    _measured_to: float = 0.0

    def submit(self, clip: int, voice_s: float, now: float) -> bool:
        """Whether the clip is taken."""
        if not self._in_time(now, submit=True):
            return False
        if self.limits.at_random and self.rng.random() < self.limits.at_random:
            return False
        self.measure(now)
        if len(self._ends) >= self.limits.at_once(now):
            return False
        self.ready_at[clip] = now + self.law(self.rng, clip, voice_s)
        heapq.heappush(self._ends, self.ready_at[clip])
        self.peak = max(self.peak, len(self._ends))
        return True

    def poll(self, clip: int, now: float) -> bool | None:
        """Whether the clip is ready; None: too many requests."""
        if not self._in_time(now, submit=False):
            return None
        return self.ready_at[clip] <= now

    def measure(self, now: float) -> None:
        """Account for the time since the last call."""
        while self._ends and self._ends[0] <= now:
            self._account(heapq.heappop(self._ends), 1)
        self._account(now, 0)

    def _account(self, until: float, ended: int) -> None:
        span_s = until - self._measured_to
        limit = self.limits.at_once(self._measured_to)
        if span_s > 0 and limit != float("inf"):
            # After a limit came down, more may still render than it allows.
            self.used += min(limit, len(self._ends) + ended) * span_s
            self.offered += limit * span_s
        self._measured_to = max(self._measured_to, until)

    def _in_time(self, now: float, *, submit: bool) -> bool:
        if self.limits.submits_only and not submit:
            return True
        while self._asked and self._asked[0] <= now - self.limits.span_s:
            self._asked.popleft()
        if len(self._asked) >= self.limits.per_span(now):
            return False
        self._asked.append(now)
        return True
