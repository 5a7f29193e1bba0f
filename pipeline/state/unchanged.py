"""Knowing that a manifest says what it said the last time, so that a large job is resumed without reading it again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pipeline.manifest.looks import stamp_of
from pipeline.state.intake import Intake

__all__ = ["intake_if_unchanged", "mark_of", "note_mark"]


READING = "1"
"""To be changed whenever rows are read from a manifest in another way: then what an earlier version read is read again."""


def mark_of(manifest: Path, others: Iterable[str]) -> str:
    """A digest of all that decides on a manifest's rows, but for the media that they name.

    Args:
        manifest: its content counts, and where it is, since media are found from there.
        others: what else counts, as text.

    Raises:
        OSError: the manifest can't be read.
    """
    with manifest.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    parts = [READING, content, os.path.abspath(manifest), *others]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def intake_if_unchanged(db: sqlite3.Connection, mark: str) -> Intake | None:
    """What taking in a manifest with this mark would come to, if it would change nothing; else None.

    That is so if the last one taken in had the same mark, and every picture and voice still has its stamp.
    """
    row = db.execute("SELECT value FROM job WHERE name = 'manifest'").fetchone()
    if row is None or row[0] != mark:
        return None
    media = (
        "SELECT DISTINCT image, image_stamp FROM clips WHERE NOT dropped AND image_stamp <> '' "
        "UNION SELECT DISTINCT audio, audio_stamp FROM clips WHERE NOT dropped AND audio_stamp <> ''"
    )
    for path, stamp in db.execute(media):
        try:
            if stamp_of(path) != stamp:
                return None
        except OSError:
            return None
    (rows,) = db.execute("SELECT count(*) FROM clips WHERE NOT dropped").fetchone()
    return Intake(rows=rows)


def note_mark(db: sqlite3.Connection, mark: str) -> None:
    """Remember the manifest that was just taken in."""
    db.execute("INSERT OR REPLACE INTO job VALUES ('manifest', ?)", (mark,))
