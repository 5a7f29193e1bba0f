"""Which clip is asked next, and when: due times in a heap, and under a limit the most promising of those due first."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["PollQueue"]

K = TypeVar("K", bound=Hashable)

TOGETHER_S = 0.1
"""Plans that fall due within such a slot are due at its begin, together.

To wake for each costs several times what a poll does: of 2,000 clips (benchmarks/large_jobs.py) a hundred polls a second took
10 % of a core when each came alone, and 3.6 % by tens.
"""
HARDLY_SOONER = 0.02
"""Of a gap: clips that are asked more often than that makes up for keep their own time."""


@dataclass(slots=True)
class _Entry:
    since: float
    gap_s: float
    jitter: float
    planned: bool
    due: float = 0.0

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Reckon when it is due. A time that a server asked for, or a backoff, is never brought forward."""
        self.due = self.since + self.gap_s * self.jitter
        if self.planned and self.gap_s * HARDLY_SOONER >= TOGETHER_S:
            self.due = math.floor(self.due / TOGETHER_S) * TOGETHER_S


@dataclass(slots=True)
class PollQueue(Generic[K]):
    """Outstanding clips between two polls.

    When a limit lets fewer polls through than are due, the one goes first by which most is gained: that for which
    ∫sqrt(h)dt has grown the most (see ``render_curve``), as the best plan for a smaller number of polls has it.

    Attributes:
        rng: jitter, a tenth more or less, so that clips that started together are not polled in bursts.
    """

    rng: random.Random
    _entries: dict[K, _Entry] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _late: dict[K, _Entry] = field(default_factory=dict)
    _pushed: int = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, clip: K, since: float, gap_s: float, *, planned: bool = True) -> None:
        """Ask for a clip again.

        Args:
            clip: whatever names it.
            since: when it was last seen rendering, by the clock that ``pop`` is given.
            gap_s: seconds from then.
            planned: whether new plans may change that.
        """
        entry = self._entries[clip] = _Entry(since, gap_s, self.rng.uniform(0.9, 1.1), planned)
        self._late.pop(clip, None)
        self._push(clip, entry)

    def replan(self, gap_s: Callable[[K], float]) -> None:
        """Gaps have changed: plan all clips anew."""
        for clip, entry in self._entries.items():
            if entry.planned:
                entry.gap_s = gap_s(clip)
                entry.settle()
        self._late.clear()
        self._heap = [(entry.due, number, clip) for number, (clip, entry) in enumerate(self._entries.items())]
        self._pushed = len(self._heap)
        heapq.heapify(self._heap)

    def next_at(self) -> float | None:
        """When the next one is due; None if none is outstanding."""
        if self._late:
            return min(entry.due for entry in self._late.values())
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float, gain: Callable[[K], float] | None) -> K | None:
        """The clip to ask now; None if none is due.

        Args:
            now: the time.
            gain: what there is to be gained by asking for a clip now; only asked for clips that compete. None where
                nothing limits polls, so that none does.
        """
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now and not (gain is None and self._late):
            _, _, clip = heapq.heappop(self._heap)
            self._late[clip] = self._entries[clip]
            self._drop_stale()
        if not self._late:
            return None
        if gain is None or len(self._late) == 1:
            clip = next(iter(self._late))
        else:
            # What was not planned (a fresh link, another try) is due by a time of its own.
            clip = max(self._late, key=lambda one: gain(one) if self._late[one].planned else math.inf)
        del self._late[clip], self._entries[clip]
        return clip

    def _push(self, clip: K, entry: _Entry) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (entry.due, self._pushed, clip))

    def _drop_stale(self) -> None:
        """Entries of the heap whose clip was put again since."""
        while self._heap:
            due, _, clip = self._heap[0]
            entry = self._entries.get(clip)
            if entry is not None and entry.due == due and clip not in self._late:
                return
            heapq.heappop(self._heap)
