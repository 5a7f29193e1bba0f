"""Work for a thread that many wait for: what comes while it is busy is done in one go, next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

__all__ = ["Together"]

_T = TypeVar("_T")
_R = TypeVar("_R")

MOST = 64
"""Items in one go: the first of them waits for the last."""


class Together(Generic[_T, _R]):
    """A thread that takes all that waits at once.

    A hop to a thread and back costs as much as a small file's work. Alone an item waits for nothing; in a crowd they
    share the hop, and whatever else the work can do for many as for one.

    Args:
        work: takes items and gives for each, in their order, its result or the error of whoever waits for it.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Sequence[_T]], Sequence[_R | Exception]], name: str) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: list[tuple[_T, asyncio.Future[_R]]] = []
        self._busy = False

    async def do(self, item: _T) -> _R:
        """Have it done; errors are those of the work. Whoever is cancelled while the thread is at it takes nothing back."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_R] = loop.create_future()
        self._waiting.append((item, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._next)  # what comes in this turn of the loop comes along
        return await future

    def close(self) -> None:
        """Wait for what is under way; what waits is not begun."""
        self._thread.shutdown(cancel_futures=True)

    def _next(self) -> None:
        waiting = [(item, future) for item, future in self._waiting if not future.done()]
        batch, self._waiting = waiting[:MOST], waiting[MOST:]
        self._busy = bool(batch)
        if batch:
            loop = asyncio.get_running_loop()
            working = loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
            working.add_done_callback(partial(self._settle, [future for _, future in batch]))

    def _settle(self, futures: Sequence[asyncio.Future[_R]], working: asyncio.Future[Sequence[_R | Exception]]) -> None:
        if working.cancelled():
            return
        error = working.exception()
        outcomes = [error] * len(futures) if error is not None else working.result()
        for future, outcome in zip(futures, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._next()
