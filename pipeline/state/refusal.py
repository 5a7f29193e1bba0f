"""What is said of a state file that can't be had: the disk's fault, another program's, or its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pipeline.errors import AvatarBatchError, DiskFull, StateRefused

__all__ = ["damaged", "is_held", "refusal"]


def refusal(path: Path, error: object) -> AvatarBatchError:
    """What to raise where SQLite can't open a state file, or go on with it.

    A disk that is full or fails says nothing of the file, which must stay where it is.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}:
        return DiskFull(f"{path} can't be opened ({error}): free space on its disk, or mend it, then run again")
    return StateRefused(damaged(path, error))


def damaged(path: Path, error: object) -> str:
    """The line that tells the way out of a damaged state file, or of one that can't be had now."""
    if is_held(error):
        return f"{path} is held by another program, such as a database browser: close it there, then run again"
    return (
        f"{path} can't be read ({error}). It knows what is paid for, so nothing starts anew over it: bring back a copy, "
        f"or rescue it with `sqlite3 {path} .recover | sqlite3 rescued.db`, or move it away and use another --out"
    )


def is_held(error: object) -> bool:
    """Whether all that is wrong with a state file is that somebody else has it."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF == sqlite3.SQLITE_BUSY
