"""Standard output and error for what is only said along the way: whoever reads it may leave, and the work goes on."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["unfailing"]


class _Unfailing(FileIO):
    """What can't be written is dropped: the terminal is gone, the pipe has no reader, the disk is full."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(OSError):
            if written := super().write(data):
                return written
        return memoryview(data).nbytes


def unfailing(stream: TextIO | None) -> TextIO:
    """The same stream, to which writing never fails; one to nowhere for None, as Python has it where it was closed.

    A stream of no descriptor stays as it is.
    """
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    try:
        raw = _Unfailing(stream.fileno(), "w", closefd=False)
    except OSError:
        return stream
    return TextIOWrapper(BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True)
