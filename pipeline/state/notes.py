"""What the renderer said of a clip that it made, in the state file: a few lines an attempt."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

__all__ = ["HAS_TABLE", "TABLE", "keep_notes", "read_notes"]

TABLE = """
CREATE TABLE IF NOT EXISTS notes (
    attempt INTEGER PRIMARY KEY REFERENCES attempts (n),
    said TEXT NOT NULL                        -- JSON: a list of lines
) STRICT;
"""
"""Created with the file, and added to files of earlier versions when they are opened to write."""

HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'notes'"

_Lines = msgspec.json.Decoder(tuple[str, ...])


def keep_notes(db: sqlite3.Connection, attempt: int, said: Sequence[str]) -> None:
    """Keep what was said of an attempt's clip. An answer without notes takes none back: it is the same clip."""
    if said:
        db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (attempt, msgspec.json.encode(said).decode()))


def read_notes(text: str | None) -> tuple[str, ...]:
    """What was kept; nothing for nothing, or for what a later version wrote."""
    try:
        return _Lines.decode(text) if text else ()
    except msgspec.MsgspecError:
        return ()
