"""The passing line while much is read before anything else can be told."""

from __future__ import annotations

import sys
from typing import TextIO

__all__ = ["Reading"]


class Reading:
    """Counts on one line of a terminal that is wiped in the end; says nothing where lines stay.

    Args:
        quiet: say nothing at all.
        stream: where to; standard error, if not given.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._shown = False

    def rows_read(self, rows: int) -> None:
        """Show that a large manifest is being read."""
        if rows % 1000 == 0:
            self._show(f"checking rows: {rows:,}")

    def clips_seen(self, number: int, total: int) -> None:
        """Show that clips are being looked at."""
        self._show(f"looking at clips: {number + 1:,} of {total:,}")
        if number + 1 == total:
            self.wipe()

    def wipe(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._shown = False

    def _show(self, words: str) -> None:
        if not self._quiet and self._stream.isatty():
            self._stream.write(f"\r{words}")
            self._stream.flush()
            self._shown = True
