"""Where the bytes of a download are until it is whole: in memory for a while, or in its part file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase, AsyncBufferedReader

from pipeline.placing import create_new, keep_room

__all__ = ["LARGEST_HELD_BYTES", "Holding", "PartFile"]

LARGEST_HELD_BYTES = 8 << 20
"""A clip of several seconds."""


@dataclass(slots=True)
class Holding:
    """Memory for files that come whole: written and checked in one go, they cost less than piece by piece.

    Attributes:
        left_bytes: what is left of it.
        likely: whether the last file was held: the next is probably as large.
        patience_s: a file that takes longer is written as it comes, so that little is lost of it when the run is killed.
    """

    left_bytes: int = 32 << 20
    likely: bool = False
    patience_s: float = 2.0

    def take(self, size_bytes: int) -> bool:
        """Whether a file may be held; then so much is taken."""
        self.likely = size_bytes <= min(LARGEST_HELD_BYTES, self.left_bytes)
        if self.likely:
            self.left_bytes -= size_bytes
        return self.likely

    def give_back(self, size_bytes: int) -> None:
        """A file is no longer held."""
        self.left_bytes += size_bytes


@dataclass(slots=True)
class PartFile:
    """A download's file, opened when there is something to write.

    Attributes:
        path: its place.
        offset: where to go on in what is there; 0: it is made anew.
        reserved_bytes: room on the disk that is left alone.
        opening: called before it is opened.
    """

    path: Path
    offset: int
    reserved_bytes: int
    opening: Callable[[], object] | None = None
    _file: AsyncBufferedReader | AsyncBufferedIOBase | None = None

    async def write(self, data: bytes | memoryview) -> int:
        """Put bytes behind those of the last call; how many.

        Raises:
            DiskFull: no room.
            OSError: the disk.
        """
        keep_room(self.path.parent, self.reserved_bytes + len(data))
        file = self._file
        if file is None:
            if self.opening is not None:
                self.opening()
            if self.offset:
                file = await aiofiles.open(self.path, "r+b")
                await file.seek(self.offset)
            else:
                file = await aiofiles.open(self.path, "wb", opener=lambda path, _: create_new(Path(path)))
            self._file = file
        return await file.write(data)

    async def aclose(self) -> None:
        """Close it, if it was opened."""
        if self._file is not None:
            await self._file.close()
