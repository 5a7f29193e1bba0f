"""Reading clips out of the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from pipeline.clip import Clip, Status

__all__ = ["among", "counts_by_status", "provider_of", "read_clips", "reserved_usd"]

# What was sent stays what it was, whatever the manifest says since: the usage log and the poll are asked for the model
# that was submitted, and its clip is held against that model and voice.
_AS_SENT = "clips.status <> 'pending' AND attempts.n IS NOT NULL"
_COLUMNS = f"""
    clips.seq, clips.moved, clips.id, clips.status, clips.image, clips.audio, clips.prompt,
    CASE WHEN {_AS_SENT} THEN attempts.model ELSE clips.model END,
    clips.provider, clips.options, clips.output, clips.image_stamp, clips.audio_stamp, clips.fingerprint,
    CASE WHEN {_AS_SENT} THEN attempts.voice_s ELSE clips.voice_s END,
    clips.estimated_usd, clips.attempts, coalesce(attempts.n, 0),
    coalesce(attempts.client_request_id, ''), coalesce(attempts.generation_id, ''), coalesce(clips.video_url, ''),
    coalesce(attempts.submitted_at, 0), coalesce(attempts.ended_at, 0), coalesce(clips.part, ''),
    coalesce(clips.error_code, '')
"""


def among(ids: Sequence[str]) -> str:
    """What a condition goes on with so that a row is one of these, where there are any; the ids are its parameters."""
    return f" AND clips.id IN ({', '.join('?' * len(ids))})" if ids else ""


def read_clips(db: sqlite3.Connection, where: str, parameters: Iterable[object] = ()) -> list[Clip]:
    """Clips with their current attempt, by a condition on both.

    Model and voice are those that were submitted; a pending row's are those of its inputs.
    """
    sql = f"SELECT {_COLUMNS} FROM clips LEFT JOIN attempts ON attempts.n = clips.attempt WHERE {where}"
    rows = db.execute(sql, tuple(parameters))
    clips = []
    for row in rows:
        values = list(row)
        values[3] = Status(values[3])
        clips.append(Clip(*values))
    return clips


def counts_by_status(db: sqlite3.Connection) -> dict[Status, int]:
    """How many rows of the manifest stand where; rows that left the manifest count while they are in flight."""
    counts = dict.fromkeys(Status, 0)
    sql = (
        "SELECT status, count(*) FROM clips "
        "WHERE NOT dropped OR status IN ('submitting', 'rendering', 'downloading') GROUP BY status"
    )
    for status, count in db.execute(sql):
        counts[Status(status)] = count
    return counts


def reserved_usd(db: sqlite3.Connection) -> float:
    """What the job has spent or may have spent: what the API said a submit costs, else what was reserved for it."""
    (total,) = db.execute(
        "SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0) FROM attempts WHERE fate NOT IN ('failed', 'refused')"
    ).fetchone()
    return float(total)


def provider_of(db: sqlite3.Connection) -> str:
    """Who renders the job: ``api.provider`` of its first run; empty before that."""
    row = db.execute("SELECT value FROM job WHERE name = 'provider'").fetchone()
    return str(row[0]) if row else ""
