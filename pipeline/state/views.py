"""The state file as people and scripts see it: read only, also beside a live run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipeline.clip import FailureCode, Status
from pipeline.errors import UsageError
from pipeline.inspection.facts import Inspection
from pipeline.state import inspections, notes
from pipeline.state.inspections import read_inspection
from pipeline.state.notes import read_notes
from pipeline.state.refusal import refusal
from pipeline.state.rows import counts_by_status, provider_of
from pipeline.state.schema import connect_reader

__all__ = ["Overview", "Record", "Span", "StateView"]

MOST_NOTED = 5

# What a submit is announced to cost isn't owed before its clip is complete, and never if it fails.
_SPENT = (
    "(SELECT round(sum(coalesce(paid.cost_usd, paid.reserved_usd)), 6) FROM attempts AS paid "
    "WHERE paid.seq = clips.seq AND paid.fate = 'completed')"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row and its clip, as it is exported and reported.

    Times are Unix seconds, None where it has not happened; ``cost_usd`` is what the row has cost, counted as
    ``Overview.spent_usd`` counts it, None where no clip of it completed; ``output`` is the clip's file where there is
    one, as a path from the working folder; ``inspection`` is what was seen of that file, None where it has not been
    looked at; ``notes`` is what its renderer said of it.
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
    inspection: Inspection | None = None
    provider: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
            "voice_s": self.voice_s, "estimated_usd": self.estimated_usd, "inputs_changed": self.changed,
            **self._as_seen(), **self.meta,
        }  # fmt: skip

    def _as_seen(self) -> dict[str, Any]:
        seen = self.inspection or Inspection()
        return {
            "marks": " ".join(seen.marks), "voice_similarity": seen.facts.similarity,
            "voice_offset_ms": seen.facts.offset_ms, "notes": "; ".join(self.notes),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overview:
    """Rows by status, and money.

    ``estimated_usd`` is for all rows whose voice's length is known; ``spent_usd`` is what the API said (else what
    was estimated) of all clips that completed, clips that were rendered again and rows that left the manifest included;
    ``reserved_usd`` adds what is being rendered or may be paid for.
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


@dataclass(frozen=True, slots=True)
class Span:
    """One submit in time: Unix seconds, None where it has not happened; what the clip that came of it costs."""

    submitted_at: float
    accepted_at: float | None
    ended_at: float | None
    spent_usd: float


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
        with self._sound():
            self._db.execute("BEGIN")
            estimated, voice, done = self._db.execute(
                "SELECT total(estimated_usd), total(voice_s), total(CASE status WHEN 'done' THEN duration_s END) "
                "FROM clips WHERE NOT dropped"
            ).fetchone()
            spent, reserved = self._db.execute(
                "SELECT total(CASE fate WHEN 'completed' THEN coalesce(cost_usd, reserved_usd) END), "
                "total(coalesce(cost_usd, reserved_usd)) FROM attempts WHERE fate NOT IN ('failed', 'refused')"
            ).fetchone()
            rows = counts_by_status(self._db)
            self._db.execute("COMMIT")
        return Overview(rows, round(estimated, 6), round(spent, 6), round(reserved, 6), voice, done)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """A database error means that the file is damaged, or its disk, and the view of it is over."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise refusal(self._path, error) from None

    def is_pending(self, row_id: str) -> bool:
        """Whether a run would submit the row: it is pending, or the state does not know it yet."""
        row = self._db.execute("SELECT status FROM clips WHERE id = ?", (row_id,)).fetchone()
        return row is None or row[0] == Status.PENDING

    def records(self, *, status: Status | None = None) -> Iterator[Record]:
        """The rows in manifest order, or those of one status."""
        where = "AND status = ?" if status else ""
        sql = (
            "SELECT id, status, attempts, client_request_id, generation_id, clip_output, sha256, bytes, duration_s, "
            f"{_SPENT}, error_code, error_message, submitted_at, accepted_at, ended_at, finished_at, image, audio, "
            "prompt, clips.model, clips.voice_s, estimated_usd, "
            f"coalesce(attempts.fingerprint <> clips.fingerprint, 0), meta, {self._seen()}, provider, options, {self._said()} "
            f"FROM clips LEFT JOIN attempts ON n = attempt "
            f"WHERE (NOT dropped OR status IN ('submitting', 'rendering', 'downloading')) {where} ORDER BY clips.seq"
        )
        out = self._path.parent
        with self._sound(), closing(self._db.execute(sql, (status,) if status else ())) as rows:
            for row in rows:
                values = list(row)
                values[1] = Status(row[1])
                values[5] = str(out / row[5]) if row[5] is not None else None
                values[10] = FailureCode(row[10]) if row[10] else None
                values[22] = bool(row[22])
                values[23] = json.loads(row[23])
                values[24] = read_inspection(row[24])
                values[26] = json.loads(row[26])
                values[27] = read_notes(row[27])
                yield Record(*values)

    def bad_records(self) -> Iterator[Record]:
        """The rows that people have to decide on: failed ones, then unconfirmed ones."""
        for status in (Status.FAILED, Status.UNCONFIRMED):
            yield from self.records(status=status)

    def spans(self) -> Iterator[Span]:
        """When the provider worked for this job, and what came of it; in the order of the submits."""
        sql = (
            "SELECT submitted_at, accepted_at, CASE WHEN ended_at IS NOT NULL THEN ended_at "
            "WHEN clips.attempt = n AND status IN ('submitting', 'rendering') THEN NULL "
            "ELSE coalesce(finished_at, accepted_at, submitted_at) END, "
            "CASE fate WHEN 'completed' THEN coalesce(cost_usd, reserved_usd) ELSE 0 END "
            "FROM attempts JOIN clips USING (seq) ORDER BY n"
        )
        with self._sound(), closing(self._db.execute(sql)) as rows:
            for row in rows:
                yield Span(*row)

    def under_way_usd(self) -> dict[str, float]:
        """What clips under way are to cost: what the API said when it took them, else what was held back for them."""
        sql = (
            "SELECT clips.id, coalesce(cost_usd, reserved_usd) FROM clips JOIN attempts ON n = attempt "
            "WHERE status IN ('submitting', 'rendering') AND fate <> 'completed'"
        )
        with self._sound():
            return dict(self._db.execute(sql).fetchall())

    def provider(self) -> str:
        """Who renders this job: ``api.provider`` of its first run."""
        return provider_of(self._db)

    def marked(self) -> int:
        """How many finished clips look wrong."""
        if not self._has(inspections.HAS_TABLE):
            return 0
        (count,) = self._db.execute(
            "SELECT count(*) FROM clips JOIN inspections USING (seq, sha256) "
            "WHERE status = 'done' AND NOT dropped AND json_array_length(seen, '$.marks') > 0"
        ).fetchone()
        return int(count)

    def noted(self) -> list[tuple[str, int]]:
        """What renderers said of finished clips, and of how many; the most frequent first, and not all if it is much."""
        if not self._has(notes.HAS_TABLE):
            return []
        rows = self._db.execute(
            "SELECT value, count(*) FROM clips JOIN notes USING (attempt), json_each(said) "
            "WHERE status = 'done' AND NOT dropped GROUP BY value ORDER BY count(*) DESC, value LIMIT ?",
            (MOST_NOTED,),
        )
        return [(str(note), int(clips)) for note, clips in rows]

    def version(self) -> int:
        """A number that changes when somebody else has written."""
        (number,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(number)

    def _seen(self) -> str:
        """What was seen of the clip that stands in OUT; a file that an earlier version wrote has no such table."""
        if not self._has(inspections.HAS_TABLE):
            return "NULL"
        return "(SELECT seen FROM inspections WHERE inspections.seq = clips.seq AND inspections.sha256 = clips.sha256)"

    def _said(self) -> str:
        """What was said of the clip that stands in OUT, which is the current attempt's only where that is done."""
        if not self._has(notes.HAS_TABLE):
            return "NULL"
        return "CASE status WHEN 'done' THEN (SELECT said FROM notes WHERE notes.attempt = n) END"

    def _has(self, table: str) -> bool:
        return self._db.execute(table).fetchone() is not None


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
