"""What was seen of finished clips, in the state file: a row a clip, valid for the very file that was looked at."""

from __future__ import annotations

import sqlite3
import time

import msgspec

from pipeline.inspection.facts import Inspection

__all__ = ["HAS_TABLE", "TABLE", "UNSEEN", "note_inspection", "read_inspection"]

TABLE = """
CREATE TABLE IF NOT EXISTS inspections (
    seq INTEGER PRIMARY KEY REFERENCES clips (seq),
    sha256 TEXT NOT NULL,                     -- of the clip that was looked at
    at REAL NOT NULL,
    seen TEXT NOT NULL                        -- JSON
) STRICT;
"""
"""Created with the file, and added to files of earlier versions when they are opened to write."""

HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'inspections'"

UNSEEN = (
    "NOT EXISTS (SELECT 1 FROM inspections WHERE inspections.seq = clips.seq AND inspections.sha256 = clips.sha256)"
)
"""The clip that stands in OUT has not been looked at."""


def note_inspection(db: sqlite3.Connection, seq: int, seen: Inspection) -> None:
    """Keep what was seen of the clip that a done row has."""
    sql = "INSERT OR REPLACE INTO inspections SELECT seq, sha256, ?, ? FROM clips WHERE seq = ? AND status = 'done'"
    db.execute(sql, (time.time(), msgspec.json.encode(seen).decode(), seq))


def read_inspection(text: str | None) -> Inspection | None:
    """What was kept; None for nothing, or for what a later version wrote."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Inspection)
    except msgspec.MsgspecError:
        return None
