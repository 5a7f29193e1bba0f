"""Taking a manifest's rows into the state file: new rows, changed rows, rows that left."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.clip import Row
from pipeline.manifest import Problems
from pipeline.media import Picture, Voice
from pipeline.state.moves import next_move
from pipeline.state.names import refuse_taken_names

__all__ = ["Intake", "StoredLooks", "take_in"]

_INPUTS = (
    "image", "audio", "prompt", "model", "provider", "options", "meta", "output", "voice_s", "estimated_usd",
    "image_stamp", "audio_stamp", "fingerprint",
)  # fmt: skip
_OUTPUT = 2 + _INPUTS.index("output")


@dataclass(slots=True)
class Intake:
    """What became of a manifest's rows.

    Attributes:
        rows, added: how many there are, and how many of them are new.
        dropped: how many rows of the state are no longer in the manifest.
    """

    rows: int = 0
    added: int = 0
    dropped: int = 0


_KINDS: dict[str, type[Picture | Voice]] = {"Picture": Picture, "Voice": Voice}


class StoredLooks:
    """The table of looks as the memory of ``Looks``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def recall(self, path: str, stamp: str) -> Picture | Voice | None:
        """What was seen at ``path``, if the file is still the same."""
        row = self._db.execute("SELECT kind, facts FROM looks WHERE path = ? AND stamp = ?", (path, stamp)).fetchone()
        return None if row is None else msgspec.json.decode(row[1], type=_KINDS[row[0]])

    def remember(self, path: str, stamp: str, seen: Picture | Voice) -> None:
        """Keep what was seen."""
        facts = msgspec.json.encode(seen).decode()
        self._db.execute("INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?)", (path, stamp, type(seen).__name__, facts))


def take_in(db: sqlite3.Connection, rows: Iterable[Row], out: Path, problems: Problems) -> Intake:
    """Lay the manifest's rows over those of the state, in the caller's transaction.

    Rows that are new become pending. A row that is known keeps its status; its inputs become those of the manifest,
    and the attempt remembers which ones its clip was made from. Rows that left the manifest are forgotten if they
    were never sent, else set aside. What is wrong is noted in ``problems``, and then nothing of it may be committed.
    """
    intake = Intake()
    db.execute("CREATE TEMP TABLE IF NOT EXISTS present(seq INTEGER PRIMARY KEY, is_named_anew INTEGER)")
    db.execute("DELETE FROM present")
    select = f"SELECT seq, dropped, {', '.join(_INPUTS)} FROM clips WHERE id = ?"
    update = f"UPDATE clips SET dropped = 0, {', '.join(f'{name} = ?' for name in _INPUTS)} WHERE seq = ?"
    insert = (
        f"INSERT INTO clips (id, status, moved, {', '.join(_INPUTS)}) "
        f"VALUES (?, 'pending', ?, {', '.join('?' * len(_INPUTS))})"
    )
    move = next_move(db)
    for row in rows:
        intake.rows += 1
        inputs = _inputs(row)
        known = db.execute(select, (row.id,)).fetchone()
        if known is None:
            move += 1
            seq = db.execute(insert, (row.id, move, *inputs)).lastrowid
            intake.added += 1
        else:
            seq = known[0]
            if known[1:] != (0, *inputs):
                db.execute(update, (*inputs, seq))
        is_named_anew = known is None or known[_OUTPUT] != row.output
        db.execute("INSERT INTO present VALUES (?, ?)", (seq, is_named_anew))
    db.execute("UPDATE job SET value = ? WHERE name = 'moves'", (move,))
    gone = "seq NOT IN (SELECT seq FROM present)"
    db.execute(f"DELETE FROM clips WHERE {gone} AND status = 'pending' AND attempt IS NULL AND attempts = 0")
    intake.dropped = db.execute(f"UPDATE clips SET dropped = 1 WHERE {gone} AND NOT dropped").rowcount
    # Only now all rows have the names of this manifest, and it is known which of them left it.
    refuse_taken_names(db, out, problems)
    return intake


def _inputs(row: Row) -> tuple[object, ...]:
    return (
        row.image, row.audio, row.prompt, row.model, row.provider,
        json.dumps(row.options, ensure_ascii=False), json.dumps(row.meta, ensure_ascii=False), row.output,
        row.voice_s, row.estimated_usd, row.image_stamp, row.audio_stamp, row.fingerprint,
    )  # fmt: skip
