"""Standard input, output and error as a night finds them: closed, on a full disk, without a reader."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["drop_output", "open_what_is_closed", "output_problem", "unfailing"]


def open_what_is_closed() -> None:
    """Stand ``/dev/null`` in for each stream that is closed, as in some cron jobs and services.

    Else the next file to be opened, perhaps a clip, would get its number, and what is told would go into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


class _Unfailing(FileIO):
    """What can't be written is dropped: the terminal is gone, the pipe has no reader, the disk is full."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(OSError):
            if written := super().write(data):
                return written
        return memoryview(data).nbytes


def unfailing(stream: TextIO) -> TextIO:
    """The same stream, to which writing never fails; one of no descriptor stays as it is."""
    try:
        raw = _Unfailing(stream.fileno(), "w", closefd=False)
    except OSError:
        return stream
    return TextIOWrapper(BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True)


def output_problem() -> str:
    """Why standard output can't be written, if it can't; a line break more does no harm to output that ends by an error."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        return os.strerror(error.errno or errno.EIO)
    return ""


def drop_output() -> None:
    """Nothing more is written to standard output: Python would complain once more while it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
