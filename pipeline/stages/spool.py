"""Small pieces of a download gathered into large writes, one of which is under way while the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Spool"]


class Spool:
    """Two buffers that take turns. They stay the same ones: memory that comes and goes costs more than copying.

    Args:
        write: puts bytes behind those of the last call; how many.
        capacity: of a buffer, in bytes.
    """

    def __init__(self, write: Callable[[bytes | memoryview], Coroutine[Any, Any, int]], capacity: int) -> None:
        self._write = write
        self._capacity = max(1, capacity)
        self._filling = self._resting = memoryview(b"")
        self._filled = 0
        self._writing: asyncio.Task[int] | None = None
        self._failure: BaseException | None = None

    async def add(self, piece: bytes) -> None:
        """Take a piece; errors are those of an earlier write."""
        if not self._filling:
            self._filling, self._resting = (memoryview(bytearray(self._capacity)) for _ in range(2))
        if self._filled + len(piece) > len(self._filling):
            await self._turn()
        if len(piece) > len(self._filling):
            await self._settle()
            self._writing = asyncio.create_task(self._write(memoryview(piece)))
            await self._settle()
            return
        self._filling[self._filled : self._filled + len(piece)] = piece
        self._filled += len(piece)

    async def finish(self) -> None:
        """Write what is left; when it returns, all is written. Errors are those of any write.

        Cancelled, it leaves the rest, and ends when no write is under way any more.
        """
        try:
            await self._turn()
            await self._settle()
        finally:
            if self._writing is not None:
                await asyncio.gather(self._writing, return_exceptions=True)

    async def _turn(self) -> None:
        await self._settle()
        if self._filled:
            self._writing = asyncio.create_task(self._write(self._filling[: self._filled]))
            self._filling, self._resting, self._filled = self._resting, self._filling, 0

    async def _settle(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._writing is not None:
            # Whoever is cancelled here leaves the write under way: without it all that follows would be in the wrong place.
            await asyncio.wait([self._writing])
            writing, self._writing = self._writing, None
            try:
                writing.result()
            except BaseException as failure:
                self._failure = failure  # what comes behind a gap must not be written
                raise
