"""An inbox whose rows can be put back for later, without a task asleep for each."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from pipeline.clip import Clip
from pipeline.state.store import Inbox

__all__ = ["Backlog", "first_of"]


class Backlog:
    """Rows of an inbox, and rows that wait for their time.

    Args:
        inbox: where new rows come from.
        clock: monotonic seconds.
    """

    def __init__(self, inbox: Inbox, clock: Callable[[], float]) -> None:
        self._inbox = inbox
        self._clock = clock
        self._later: list[tuple[float, int, Clip]] = []
        self._not_before: dict[int, float] = {}

    def hold(self, seq: int, delay_s: float) -> None:
        """When the row comes in again, let it wait until then."""
        self._not_before[seq] = self._clock() + delay_s

    def put_back(self, clip: Clip, delay_s: float) -> None:
        """Give the row again after a while, or as soon as possible."""
        heapq.heappush(self._later, (self._clock() + delay_s, clip.moved, clip))
        self._inbox.nudge()

    async def get(self) -> Clip:
        """The next row whose time has come; waits until there is one."""
        while (clip := self.get_nowait()) is None:
            await self.wait()
        return clip

    def get_nowait(self) -> Clip | None:
        """The next row whose time has come: new ones first, so that a row in trouble holds up no other."""
        while clip := self._inbox.get_nowait():
            due = self._not_before.pop(clip.seq, 0.0)
            if due <= self._clock():
                return clip
            heapq.heappush(self._later, (due, clip.moved, clip))
        if self._later and self._later[0][0] <= self._clock():
            return heapq.heappop(self._later)[2]
        return None

    async def wait(self) -> None:
        """Wait until there may be a row."""
        wait_s = max(0.0, self._later[0][0] - self._clock()) if self._later else None
        await first_of(wait_s, self._inbox.wait())


async def first_of(timeout_s: float | None, *waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is over, or the time."""
    if len(waits) == 1:  # the most common case, and a task is dear
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await waits[0]
        return
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
