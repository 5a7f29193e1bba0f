"""What is done to many rows at once before the stages start: what a run or a retry asks for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.clip import FailureCode, Status
from pipeline.errors import UsageError
from pipeline.state.moves import next_move
from pipeline.state.rows import among

__all__ = ["Retried", "changed_rows", "forget_lost_files", "known_ids", "recover", "rerender", "resubmit", "retry"]

_FETCHABLE = (FailureCode.TIMEOUT, FailureCode.DOWNLOAD)


@dataclass(slots=True)
class Retried:
    """What a retry took up: rows to submit (paid again), rows whose paid clip is fetched again, rows left alone."""

    to_submit: list[str] = field(default_factory=list)
    to_fetch: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def recover(db: sqlite3.Connection) -> None:
    """After an earlier process: whatever was in the air is lost, whatever may be paid for is looked for once more.

    An unconfirmed row that has a generation id is polled again, the others go to the usage log again. A row that failed
    by a time-out or a broken download has its clip, or will have it: it is asked for again, for free.
    """
    db.execute(
        "UPDATE attempts SET fate = 'lost' WHERE fate = 'sent' "
        "AND n IN (SELECT attempt FROM clips WHERE status = 'submitting')"
    )
    for seq, attempt, generation_id in db.execute(
        "SELECT clips.seq, n, generation_id FROM clips JOIN attempts ON n = attempt WHERE status = 'unconfirmed'"
    ).fetchall():
        status, fate = (Status.RENDERING, "accepted") if generation_id else (Status.SUBMITTING, "lost")
        db.execute("UPDATE attempts SET fate = ? WHERE n = ?", (fate, attempt))
        # The error stays until it is settled: one more look is due, not one more wait.
        db.execute("UPDATE clips SET status = ?, moved = ? WHERE seq = ?", (status, next_move(db), seq))
    _fetch_what_is_paid(db)


def _fetch_what_is_paid(db: sqlite3.Connection) -> None:
    marks = ", ".join("?" * len(_FETCHABLE))
    for (seq,) in db.execute(
        "SELECT clips.seq FROM clips JOIN attempts ON n = attempt WHERE status = 'failed' AND NOT dropped "
        f"AND generation_id IS NOT NULL AND fate IN ('accepted', 'completed') AND error_code IN ({marks})",
        _FETCHABLE,
    ).fetchall():
        _set_status(db, seq, Status.RENDERING)


def resubmit(db: sqlite3.Connection, only: Sequence[str] = ()) -> frozenset[int]:
    """unconfirmed → pending for rows whose generation the API does not know: asked for by --resubmit-unconfirmed.

    Rows without a generation id stay: the usage log is asked once more first.

    Args:
        only: ids of the rows to do it for; all, if empty.

    Returns:
        Numbers of the rows that stay, to be sent again if the log does not know them.
    """
    sql = (
        "SELECT clips.seq, generation_id FROM clips JOIN attempts ON n = attempt "
        f"WHERE status = 'unconfirmed' AND NOT dropped{among(only)}"
    )
    rows = db.execute(sql, tuple(only)).fetchall()
    for seq, generation_id in rows:
        if generation_id is not None:
            _set_status(db, seq, Status.PENDING)
    return frozenset(seq for seq, generation_id in rows if generation_id is None)


def known_ids(db: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Raise UsageError, naming them, if any of the ids is no row of the job."""
    unknown = [
        row_id for row_id in ids
        if not db.execute("SELECT 1 FROM clips WHERE id = ? AND NOT dropped", (row_id,)).fetchone()
    ]  # fmt: skip
    if unknown:
        words = ", ".join(row_id or "''" for row_id in unknown)
        raise UsageError(f"no row of this job: {words}; `avatar-batch export` lists them")


def retry(db: sqlite3.Connection, ids: Sequence[str], only: Sequence[str] = ()) -> Retried:
    """Take up failed rows, or the named ones; of either those among ``only``, if any are.

    A clip that is paid for is fetched again, never bought again: a row that timed out or could not be downloaded
    goes back to the poll. One whose file was refused by verification is fetched again too, and rendered anew only
    when it is named, and so is a named row that is done.
    """
    known_ids(db, ids)
    chosen = among(ids) or " AND status = 'failed'"
    sql = (
        "SELECT clips.seq, clips.id, status, error_code, generation_id, fate FROM clips "
        f"LEFT JOIN attempts ON n = attempt WHERE NOT dropped{chosen}{among(only)} ORDER BY clips.seq"
    )
    retried = Retried()
    for seq, row_id, status, code, generation_id, fate in db.execute(sql, (*ids, *only)).fetchall():
        paid = generation_id is not None and fate in {"accepted", "completed"} and code != FailureCode.BAD_REQUEST
        if status not in {Status.FAILED, Status.DONE}:
            retried.left.append(row_id)
        elif status == Status.FAILED and paid and (code in _FETCHABLE or not ids):
            _set_status(db, seq, Status.RENDERING)
            retried.to_fetch.append(row_id)
        else:
            _set_status(db, seq, Status.PENDING)
            retried.to_submit.append(row_id)
    return retried


def changed_rows(db: sqlite3.Connection, only: Sequence[str] = ()) -> list[tuple[int, str, Status]]:
    """Rows whose inputs are no longer those that their clip was made from, of ``only`` if any are: number, id, status."""
    sql = (
        "SELECT clips.seq, clips.id, clips.status FROM attempts JOIN clips ON clips.attempt = attempts.n "
        "WHERE attempts.fingerprint <> clips.fingerprint AND NOT dropped AND status NOT IN ('pending', 'failed')"
        f"{among(only)} ORDER BY clips.seq"
    )
    return [(seq, row_id, Status(status)) for seq, row_id, status in db.execute(sql, tuple(only))]


def rerender(db: sqlite3.Connection, only: Sequence[str] = ()) -> int:
    """done → pending for changed rows; the old clip stays until the new one takes its place.

    Args:
        only: ids of the rows to do it for; all, if empty.
    """
    rows = [seq for seq, _, status in changed_rows(db, only) if status is Status.DONE]
    for seq in rows:
        _set_status(db, seq, Status.PENDING)
    return len(rows)


def forget_lost_files(db: sqlite3.Connection, out: Path) -> list[str]:
    """done → rendering for clips whose file is gone from OUT: they are paid for, so they are fetched again."""
    lost = [
        (seq, row_id)
        for seq, row_id, output in db.execute(
            "SELECT seq, id, clip_output FROM clips WHERE status = 'done' AND NOT dropped"
        )
        if not os.path.exists(out / output)
    ]
    for seq, _ in lost:
        _set_status(db, seq, Status.RENDERING)
    return [row_id for _, row_id in lost]


def _set_status(db: sqlite3.Connection, seq: int, status: Status) -> None:
    db.execute(
        "UPDATE clips SET status = ?, moved = ?, error_code = NULL, error_message = NULL WHERE seq = ?",
        (status, next_move(db), seq),
    )
