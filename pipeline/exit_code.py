"""How a command ends, for scripts."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """The process's exit code."""

    DONE = 0
    FAILED_ROWS = 1
    USAGE = 2
    STOPPED_EARLY = 3
    INTERRUPTED = 130
