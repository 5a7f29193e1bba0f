"""What a wish made pending, as it stood before: a wish that turns out to cost money may be taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.clip import Status
from pipeline.state.moves import next_move

__all__ = ["Stood", "made_pending", "note_standing", "put_back"]


@dataclass(frozen=True, slots=True)
class Stood:
    """A row, by its number, before a wish was granted."""

    seq: int
    status: Status
    error_code: str | None
    error_message: str | None


def note_standing(db: sqlite3.Connection) -> None:
    """Before wishes are granted: how the rows stand that one may make pending."""
    db.execute("DROP TABLE IF EXISTS temp.stood")
    db.execute(
        "CREATE TEMP TABLE stood AS SELECT seq, status, error_code, error_message FROM clips "
        "WHERE status IN ('done', 'failed', 'unconfirmed') AND NOT dropped"
    )


def made_pending(db: sqlite3.Connection) -> tuple[Stood, ...]:
    """After them: the rows that are pending now, as they were noted."""
    rows = db.execute("SELECT stood.* FROM stood JOIN clips USING (seq) WHERE clips.status = 'pending' ORDER BY seq")
    return tuple(Stood(seq, Status(status), code, message) for seq, status, code, message in rows)


def put_back(db: sqlite3.Connection, rows: Iterable[Stood]) -> None:
    """pending → what it was."""
    for row in rows:
        db.execute(
            "UPDATE clips SET status = ?, moved = ?, error_code = ?, error_message = ? WHERE seq = ? AND status = 'pending'",
            (row.status, next_move(db), row.error_code, row.error_message, row.seq),
        )
