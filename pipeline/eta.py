"""How long a run still takes: pure, from what has been seen of it.

Clips that render end when clips like them ended, and no faster one after another than of late; clips that wait take
their places as these become free. So a burst of clips that started together, a window that stays full and a queue
before two render processes are all foreseen by the same few lines.
"""

from __future__ import annotations

import bisect
import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Eta"]

RECENT = 64
SIMULATED = 2000
SETTLING_S = 120.0
"""How long a search for the account's limit is given before it is foreseen from: most have ended by then."""


@dataclass(slots=True)
class Eta:
    """Foresees the end of a run.

    Attributes:
        expected_s: a typical render time, until the first clips have ended; 0 for none.
        since: when the run began; what was accepted before was sent by an earlier one.
        workers: how many of the clips that were accepted are really worked on at once, where that is known; 0 for all.
    """

    expected_s: float = 0.0
    since: float = 0.0
    workers: int = 0
    _began: float | None = None
    _sending_since: float | None = None
    _rendering: dict[str, float] = field(default_factory=dict)
    _worked_on: deque[float] = field(default_factory=deque)
    _sent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _ended: int = 0
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def accepted(self, row: str, at: float) -> None:
        """A clip begins to render."""
        self._rendering[row] = at
        self._began = at if self._began is None else min(at, self._began)
        if at >= self.since:
            self._sending_since = self._sending_since or at
            self._sent.append(at)
        if len(self._worked_on) < self.workers:
            self._worked_on.append(max(at, self.since))

    def ended(self, row: str, at: float) -> None:
        """It rendered to its end, well or not."""
        began = self._rendering.pop(row, None)
        self._ends.append(at)
        self._ended += 1
        if began is not None and self._worked_on:
            began = self._worked_on.popleft()  # one of them, whichever: the mean stays the same
            if len(self._rendering) > len(self._worked_on):
                self._worked_on.append(at)  # the next in the queue
        if began is not None and at > began:
            self._took.append(at - began)

    def left_s(self, now: float, waiting: int, places: int | None) -> float | None:
        """Seconds until all is rendered; None while nothing can be said.

        Args:
            now: on the clock of the other calls.
            waiting: clips that are not submitted yet.
            places: clips that may render at once; None while that is being found.
        """
        in_all = len(self._took) + len(self._rendering) + waiting
        if len(self._took) < min(self.workers, places or in_all, in_all) / 2:
            return None  # the first of them that end are the quick ones
        # The newest, a window full: those before may have met a shorter queue.
        took = list(self._took)[-max(8, len(self._rendering)) :]
        if self.expected_s and len(took) < 8:
            took += [self.expected_s] * (8 - len(took))
        if not took:
            return None
        begun = sorted(self._worked_on if self.workers else self._rendering.values())
        if self.workers:
            waiting += len(self._rendering) - len(begun)
            places = min(self.workers, places or self.workers)
        ages = [now - at for at in begun]
        ends = self._rendering_ends(ages, sorted(took))
        # The first to end are the quick ones: those that are out longer already count with what they will have taken.
        overdue = [age + end for age, end in zip(ages, ends, strict=True) if age > max(took)]
        known = sorted(took + overdue)
        typical_s = sum(known) / len(known)
        # The last of many to end is a slow one.
        slow_s = known[int(0.95 * (len(known) - 1))] - typical_s if places != 1 else 0.0
        if places is None and waiting:
            sending_s = self._sending_s(now, waiting)
            return None if sending_s is None else max([sending_s + typical_s + slow_s, *ends])
        free = max(0, min(waiting, (places or 0) - len(ends)))
        waiting -= free
        ends += [typical_s] * free
        if not ends:
            return typical_s if waiting else 0.0
        sent_later = waiting > 0 or free > 0
        heapq.heapify(ends)
        rounds = max(0, waiting - SIMULATED) // len(ends)
        for _ in range(waiting - rounds * len(ends)):
            heapq.heapreplace(ends, ends[0] + typical_s)
        return max(ends) + rounds * typical_s + (slow_s if sent_later else 0.0)

    def _sending_s(self, now: float, waiting: int) -> float | None:
        """Seconds until so many more are submitted, at the pace of late."""
        if self._sending_since is None or now - self._sending_since < SETTLING_S:
            return None
        return waiting * (now - self._sent[0]) / len(self._sent)

    def _rendering_ends(self, ages: Sequence[float], took: Sequence[float]) -> list[float]:
        """Seconds until each rendering clip ends, the oldest first."""
        gap_s = 0.0 if self.workers else self._gap_s()
        shorter = [bisect.bisect_right(took, age_s) for age_s in ages]
        overdue = sum(len(took) - count < max(1, len(took) // 5) for count in shorter)
        # Where most are still out, those that ended were the quick few of a burst, and tell nothing of the others.
        is_burst = overdue > self._ended
        ends: list[float] = []
        for number, (age_s, count) in enumerate(zip(ages, shorter, strict=True), 1):
            if number > overdue:
                longer = took[count:]
                ends.append(sum(longer) / len(longer) - age_s)
            elif is_burst and age_s < self.expected_s:
                ends.append(self.expected_s - age_s)
            else:
                # Older than all that ended so far: they come one after another, as the last ones did.
                ends.append(max(number * gap_s, 0.05 * age_s))
        return ends

    def _gap_s(self) -> float:
        if not self.expected_s and len(self._ends) < 8 and self._began is not None and self._ends:
            # Too few to tell a burst from a queue: what each has taken so far, all told.
            return (self._ends[-1] - self._began) / len(self._ends)
        if len(self._ends) < 2:
            return self._took[-1] if self._took else 0.0
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
