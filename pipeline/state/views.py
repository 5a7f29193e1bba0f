"""The state file as people and scripts see it: read only, also beside a live run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipeline.clip import FailureCode, Status
from pipeline.errors import StateRefused, UsageError
from pipeline.state.rows import counts_by_status
from pipeline.state.schema import connect_reader, damaged

__all__ = ["Overview", "Record", "StateView"]


@dataclass(frozen=True, slots=True)
class Record:
    """One row and its clip, as it is exported and reported.

    Times are Unix seconds, None where it has not happened; ``cost_usd`` is what the API said that the current
    attempt costs; ``output`` is the clip's file where there is one, as a path from the working folder.
    """

    id: str
    status: Status
    attempts: int
    client_request_id: str | None
    generation_id: str | None
    output: str | None
    sha256: str | None
    bytes: int | None
    duration_s: float | None
    cost_usd: float | None
    error_code: FailureCode | None
    error_message: str | None
    submitted_at: float | None
    accepted_at: float | None
    completed_at: float | None
    finished_at: float | None
    image: str
    audio: str
    prompt: str
    model: str
    voice_s: float | None
    estimated_usd: float | None
    changed: bool
    meta: dict[str, str]

    def as_status(self) -> dict[str, Any]:
        """The row as one entry of ``status --json``."""
        error = {"code": str(self.error_code), "message": self.error_message} if self.error_code else None
        return {
            "id": self.id, "status": str(self.status), "attempts": self.attempts,
            "client_request_id": self.client_request_id, "generation_id": self.generation_id, "output": self.output,
            "sha256": self.sha256, "bytes": self.bytes, "duration_s": self.duration_s, "cost_usd": self.cost_usd,
            "error": error, "submitted_at": _iso(self.submitted_at), "finished_at": _iso(self.finished_at),
        }  # fmt: skip

    def as_export(self) -> dict[str, Any]:
        """The row with its inputs, flat: one line of an export."""
        flat = self.as_status()
        flat.pop("error")
        return flat | {
            "error_code": str(self.error_code) if self.error_code else None, "error_message": self.error_message,
            "image": self.image, "audio": self.audio, "prompt": self.prompt, "model": self.model,
            "voice_s": self.voice_s, "estimated_usd": self.estimated_usd, "inputs_changed": self.changed, **self.meta,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overview:
    """Rows by status, and money.

    ``estimated_usd`` is for all rows whose voice's length is known; ``spent_usd`` is what the API said (else what
    was estimated) of all clips that completed, clips that were rendered again included; ``reserved_usd`` adds what
    is being rendered or may be paid for.
    """

    rows: dict[Status, int]
    estimated_usd: float
    spent_usd: float
    reserved_usd: float
    voice_s: float
    done_s: float

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self.rows.values())


class StateView:
    """Reads a state file; close it, or use it in a ``with``.

    Raises:
        UsageError: there is none yet.
        StateRefused: it can't be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(f"{path} isn't there: start the job with `avatar-batch run`, or give its --out")
        self._path = path
        self._db = connect_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def overview(self) -> Overview:
        """The numbers of the whole job, all of one moment."""
        self._db.execute("BEGIN")
        try:
            estimated, voice, done = self._db.execute(
                "SELECT total(estimated_usd), total(voice_s), total(CASE status WHEN 'done' THEN duration_s END) "
                "FROM clips WHERE NOT dropped"
            ).fetchone()
            spent, reserved = self._db.execute(
                "SELECT total(CASE fate WHEN 'completed' THEN coalesce(cost_usd, reserved_usd) END), "
                "total(coalesce(cost_usd, reserved_usd)) FROM attempts WHERE fate NOT IN ('failed', 'refused')"
            ).fetchone()
            rows = counts_by_status(self._db)
        except sqlite3.DatabaseError as error:
            raise StateRefused(damaged(self._path, error)) from None
        finally:
            self._db.execute("COMMIT")
        return Overview(rows, round(estimated, 6), round(spent, 6), round(reserved, 6), voice, done)

    def records(self, *, status: Status | None = None) -> Iterator[Record]:
        """The rows in manifest order, or those of one status."""
        where = "AND status = ?" if status else ""
        sql = (
            "SELECT id, status, attempts, client_request_id, generation_id, clip_output, sha256, bytes, duration_s, "
            "cost_usd, error_code, error_message, submitted_at, accepted_at, ended_at, finished_at, image, audio, "
            "prompt, clips.model, clips.voice_s, estimated_usd, "
            "coalesce(attempts.fingerprint <> clips.fingerprint, 0), meta "
            f"FROM clips LEFT JOIN attempts ON n = attempt "
            f"WHERE (NOT dropped OR status IN ('submitting', 'rendering', 'downloading')) {where} ORDER BY clips.seq"
        )
        out = self._path.parent
        try:
            with closing(self._db.execute(sql, (status,) if status else ())) as rows:
                for row in rows:
                    values = list(row)
                    values[1] = Status(row[1])
                    values[5] = str(out / row[5]) if row[5] is not None else None
                    values[10] = FailureCode(row[10]) if row[10] else None
                    values[22] = bool(row[22])
                    values[23] = json.loads(row[23])
                    yield Record(*values)
        except sqlite3.DatabaseError as error:
            raise StateRefused(damaged(self._path, error)) from None


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
