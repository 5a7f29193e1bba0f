"""The moves of a row, each a function on the database: it happens whole or not at all, and only from the right status.

::

    pending ──► submitting ──► rendering ──► downloading ──► done
       ▲            │  │           │  ▲            │
       └────────────┘  │           │  └────────────┘  the link expired: ask for a fresh one
        not made       ▼           ▼            ▼
                  unconfirmed   failed  ◄───────┘
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from pipeline.clip import Clip, Failure, Status
from pipeline.state.notes import keep_notes

__all__ = [
    "IllegalMove",
    "accept",
    "begin_submit",
    "complete",
    "fail",
    "finish",
    "lose",
    "next_move",
    "note_part",
    "relink",
    "rename",
    "resubmit",
    "take_back",
    "unconfirm",
]


class IllegalMove(Exception):
    """The row wasn't where the caller thought: a fault of this program, never of its user."""


def next_move(db: sqlite3.Connection) -> int:
    """Count one more move; the rows of a status are taken in the order of their moves."""
    (value,) = db.execute(
        "INSERT INTO job VALUES ('moves', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    ).fetchone()
    return int(value)


def _move(db: sqlite3.Connection, seq: int, old: Status, new: Status, **columns: Any) -> None:
    columns |= {"status": new, "moved": next_move(db)}
    names = ", ".join(f"{name} = ?" for name in columns)
    cursor = db.execute(f"UPDATE clips SET {names} WHERE seq = ? AND status = ?", (*columns.values(), seq, old))
    if cursor.rowcount != 1:
        raise IllegalMove(f"row number {seq} is not {old}")


def _note_fate(db: sqlite3.Connection, attempt: int, fate: str, **columns: Any) -> None:
    names = "".join(f", {name} = ?" for name in columns)
    db.execute(f"UPDATE attempts SET fate = ?{names} WHERE n = ?", (fate, *columns.values(), attempt))


def begin_submit(db: sqlite3.Connection, clip: Clip, client_request_id: str, reserved_usd: float, now: float) -> int:
    """pending → submitting: the intent, with the id that finds it again. Returns the attempt's number."""
    cursor = db.execute(
        "INSERT INTO attempts (seq, client_request_id, fate, fingerprint, model, voice_s, reserved_usd, submitted_at) "
        "VALUES (?, ?, 'sent', ?, ?, ?, ?, ?)",
        (clip.seq, client_request_id, clip.fingerprint, clip.model, clip.voice_s, reserved_usd, now),
    )
    attempt = int(cursor.lastrowid or 0)
    _move(
        db, clip.seq, Status.PENDING, Status.SUBMITTING,
        attempt=attempt, attempts=clip.attempts + 1, error_code=None, error_message=None, video_url=None, part=None,
    )  # fmt: skip
    return attempt


def take_back(db: sqlite3.Connection, clip: Clip, *, forget: bool, now: float) -> float:
    """submitting → pending: the API surely made nothing. Returns what that frees.

    With ``forget`` not even a trace is kept: the request never left, or was told to come again later.
    """
    freed_usd = _held_back_usd(db, clip.attempt)
    if not forget:
        _note_fate(db, clip.attempt, "refused", ended_at=now)
        _move(db, clip.seq, Status.SUBMITTING, Status.PENDING)
        return freed_usd
    (previous,) = db.execute("SELECT max(n) FROM attempts WHERE seq = ? AND n < ?", (clip.seq, clip.attempt)).fetchone()
    _move(db, clip.seq, Status.SUBMITTING, Status.PENDING, attempt=previous, attempts=clip.attempts - 1)
    db.execute("DELETE FROM attempts WHERE n = ?", (clip.attempt,))
    return freed_usd


def lose(db: sqlite3.Connection, clip: Clip) -> None:
    """submitting, and nobody knows what became of the request: a matter for the usage log."""
    _note_fate(db, clip.attempt, "lost")
    _move(db, clip.seq, Status.SUBMITTING, Status.SUBMITTING)


def accept(db: sqlite3.Connection, clip: Clip, generation_id: str, cost_usd: float | None, now: float) -> float:
    """submitting → rendering: the generation's id, before anything else happens to it.

    Returns by how much it costs more than was held back.
    """
    before_usd = _held_back_usd(db, clip.attempt)
    _note_fate(db, clip.attempt, "accepted", generation_id=generation_id, cost_usd=cost_usd, accepted_at=now)
    _move(db, clip.seq, Status.SUBMITTING, Status.RENDERING, error_code=None, error_message=None)
    return _held_back_usd(db, clip.attempt) - before_usd


def resubmit(db: sqlite3.Connection, clip: Clip) -> None:
    """submitting → pending by the user's wish, though the lost submit may be paid for: its reserve stays."""
    _note_fate(db, clip.attempt, "unconfirmed")
    _move(db, clip.seq, Status.SUBMITTING, Status.PENDING)


def unconfirm(db: sqlite3.Connection, clip: Clip, failure: Failure) -> None:
    """submitting or rendering → unconfirmed: it may be paid for, and nothing can tell."""
    _note_fate(db, clip.attempt, "unconfirmed")
    _move(db, clip.seq, clip.status, Status.UNCONFIRMED, error_code=failure.code, error_message=failure.message)


def complete(
    db: sqlite3.Connection, clip: Clip, url: str, cost_usd: float | None, now: float, notes: Sequence[str] = ()
) -> float:
    """rendering → downloading: the clip is made and paid for. Returns by how much it costs more than was held back."""
    before = _held_back_usd(db, clip.attempt)
    db.execute(
        "UPDATE attempts SET fate = 'completed', cost_usd = coalesce(?, cost_usd), ended_at = coalesce(ended_at, ?) "
        "WHERE n = ?",
        (cost_usd, now, clip.attempt),
    )
    keep_notes(db, clip.attempt, notes)
    _move(db, clip.seq, Status.RENDERING, Status.DOWNLOADING, video_url=url, error_code=None, error_message=None)
    return _held_back_usd(db, clip.attempt) - before


def relink(db: sqlite3.Connection, clip: Clip) -> None:
    """downloading → rendering: the link is no good any more; the poll gets a fresh one."""
    _move(db, clip.seq, Status.DOWNLOADING, Status.RENDERING, video_url=None)


def note_part(db: sqlite3.Connection, clip: Clip, part: str) -> None:
    """downloading: what must be known to go on with the part file."""
    db.execute("UPDATE clips SET part = ? WHERE seq = ? AND status = ?", (part, clip.seq, Status.DOWNLOADING))


def rename(db: sqlite3.Connection, clip: Clip, generation_id: str) -> None:
    """The form of the generation's id that retrieve knows, where the usage log wrote another."""
    db.execute("UPDATE attempts SET generation_id = ? WHERE n = ?", (generation_id, clip.attempt))


def finish(
    db: sqlite3.Connection, clip: Clip, *, output: str, sha256: str, size_bytes: int, duration_s: float, now: float
) -> None:
    """downloading → done: the verified clip stands in OUT."""
    _move(
        db, clip.seq, Status.DOWNLOADING, Status.DONE,
        clip_output=output, sha256=sha256, bytes=size_bytes, duration_s=duration_s, finished_at=now, part=None,
        error_code=None, error_message=None,
    )  # fmt: skip


def fail(db: sqlite3.Connection, clip: Clip, failure: Failure, now: float, *, fate: str | None = None) -> float:
    """Any working status → failed. ``fate`` settles the attempt where the failure does; returns what that frees."""
    freed = 0.0
    if fate:
        freed = _held_back_usd(db, clip.attempt)
        _note_fate(db, clip.attempt, fate, ended_at=now)
    _move(
        db,
        clip.seq,
        clip.status,
        Status.FAILED,
        error_code=failure.code,
        error_message=failure.message,
        finished_at=now,
    )
    return freed


def _held_back_usd(db: sqlite3.Connection, attempt: int) -> float:
    """What an attempt counts as in the books: its cost where the API said one, else what was reserved."""
    (usd,) = db.execute("SELECT coalesce(cost_usd, reserved_usd) FROM attempts WHERE n = ?", (attempt,)).fetchone()
    return float(usd)
