"""How long a run still takes: pure, from what has been seen of it.

Clips that render end when clips like them ended, and no faster one after another than of late; clips that wait take
their places as these become free. So a burst of clips that started together, a window that stays full and a queue
before two render processes are all foreseen by the same few lines.
"""

from __future__ import annotations

import bisect
import heapq
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Eta"]

RECENT = 64
SIMULATED = 2000


@dataclass(slots=True)
class Eta:
    """Foresees the end of a run.

    Attributes:
        expected_s: a typical render time, until the first clips have ended; 0 for none.
    """

    expected_s: float = 0.0
    _began: float | None = None
    _rendering: dict[str, float] = field(default_factory=dict)
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def accepted(self, row: str, at: float) -> None:
        """A clip begins to render."""
        self._rendering[row] = at
        self._began = at if self._began is None else min(at, self._began)

    def ended(self, row: str, at: float) -> None:
        """It rendered to its end, well or not."""
        began = self._rendering.pop(row, None)
        self._ends.append(at)
        if began is not None and at > began:
            self._took.append(at - began)

    def left_s(self, now: float, waiting: int, places: int) -> float | None:
        """Seconds until all is rendered; None while nothing can be said.

        Args:
            now: on the clock of the other calls.
            waiting: clips that are not submitted yet.
            places: clips that may render at once.
        """
        # The newest, a window full: those before may have met a shorter queue.
        took = list(self._took)[-max(8, len(self._rendering)) :]
        if self.expected_s and len(took) < 8:
            took += [self.expected_s] * (8 - len(took))
        if not took:
            return None
        ends = self._rendering_ends(now, sorted(took))
        # The first to end are the quick ones: those that are out longer already count with what they will have taken.
        ages = [now - began for began in sorted(self._rendering.values())]
        overdue = [age + end for age, end in zip(ages, ends, strict=True) if age > max(took)]
        known = sorted(took + overdue)
        typical_s = sum(known) / len(known)
        # The last of many to end is a slow one.
        slow_s = known[int(0.95 * (len(known) - 1))] - typical_s if places > 1 else 0.0
        free = max(0, min(waiting, places - len(ends)))
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

    def _rendering_ends(self, now: float, took: list[float]) -> list[float]:
        """Seconds until each rendering clip ends, the oldest first."""
        gap_s = self._gap_s()
        ends: list[float] = []
        overdue = 0
        for began in sorted(self._rendering.values()):
            age_s = now - began
            longer = took[bisect.bisect_right(took, age_s) :]
            if len(longer) >= max(1, len(took) // 5):
                ends.append(sum(longer) / len(longer) - age_s)
                continue
            # Older than all that ended so far: they come one after another, as the last ones did.
            overdue += 1
            ends.append(max(overdue * gap_s, 0.05 * age_s))
        return ends

    def _gap_s(self) -> float:
        if not self.expected_s and len(self._ends) < 8 and self._began is not None and self._ends:
            # Too few to tell a burst from a queue: what each has taken so far, all told.
            return (self._ends[-1] - self._began) / len(self._ends)
        if len(self._ends) < 2:
            return self._took[-1] if self._took else 0.0
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
