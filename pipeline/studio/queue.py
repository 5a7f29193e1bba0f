"""The durable queue: what becomes of each generation. Functions of a connection, each run as one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.studio import ledger

__all__ = [
    "Frame",
    "Generation",
    "Order",
    "add",
    "clips_older_than",
    "complete",
    "fail",
    "find",
    "forget_clip",
    "media_arrived",
    "put_back",
    "recover",
    "take",
    "unfinished",
    "usage_page",
]

Stage = Literal["fetching", "queued", "generating", "completed", "error"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A clip's frame: pixels and frames a second."""

    width: int
    height: int
    fps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A submit that was taken: everything that its clip depends on, but for the media, which lie on disk by its id.

    ``image_link`` and ``audio_link`` are set where that medium is still to be fetched; ``frame`` and ``credits`` are
    None until the media that decide them are here.
    """

    id: str
    model: str
    prompt: str
    options: Mapping[str, Any]
    image_link: str | None
    audio_link: str | None
    frame: Frame | None
    credits: int | None
    client_request_id: str | None
    request_id: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation(Order):
    """A generation as it stands now. Times are seconds of the Unix epoch."""

    stage: Stage
    crashes: int
    error_name: str | None
    error_message: str | None
    notes: tuple[str, ...]
    clip_bytes: int | None
    clip_sha256: str | None
    ended_at: float | None

    @property
    def public_id(self) -> str:
        """The id as clients know it."""
        return f"{self.id}:{self.model}"


def _generation(row: sqlite3.Row) -> Generation:
    values = dict(row)
    del values["seq"]
    width, height, fps = values.pop("width"), values.pop("height"), values.pop("fps")
    return Generation(
        **values
        | {
            "options": json.loads(values["options"]),
            "notes": tuple(json.loads(values["notes"])),
            "frame": Frame(width, height, fps) if width else None,
        }
    )


def add(db: sqlite3.Connection, order: Order, refill_credits: int) -> bool:
    """Take an order in, if the account can pay for it and for all that is under way; False if it can't.

    ``refill_credits`` is what an account that can't is topped up by, 0 for never.
    """
    under_way: int = db.execute("SELECT ifnull(sum(credits), 0) FROM generation WHERE ended_at IS NULL").fetchone()[0]
    if not ledger.can_pay(db, under_way + (order.credits or 1), refill_credits, order.created_at):
        return False
    frame = order.frame
    columns = {
        "id": order.id,
        "model": order.model,
        "stage": "fetching" if order.image_link or order.audio_link else "queued",
        "prompt": order.prompt,
        "options": json.dumps(dict(order.options)),
        "image_link": order.image_link,
        "audio_link": order.audio_link,
        "width": frame and frame.width,
        "height": frame and frame.height,
        "fps": frame and frame.fps,
        "credits": order.credits,
        "client_request_id": order.client_request_id,
        "request_id": order.request_id,
        "created_at": order.created_at,
    }
    db.execute(
        "INSERT INTO generation (id, model, stage, prompt, options, image_link, audio_link, width, height, fps,"
        " credits, client_request_id, request_id, created_at) VALUES (:id, :model, :stage, :prompt, :options,"
        " :image_link, :audio_link, :width, :height, :fps, :credits, :client_request_id, :request_id, :created_at)",
        columns,
    )
    return True


def recover(db: sqlite3.Connection) -> tuple[int, int]:
    """Put back what a stopped studio was rendering; how many are to be fetched and to be rendered.

    Being stopped is no fault of the clip's, so it doesn't count as a crash.
    """
    db.execute("UPDATE generation SET stage = 'queued' WHERE stage = 'generating' AND ended_at IS NULL")
    count = "SELECT count(*) FROM generation WHERE stage = ? AND ended_at IS NULL"
    return db.execute(count, ("fetching",)).fetchone()[0], db.execute(count, ("queued",)).fetchone()[0]


def unfinished(db: sqlite3.Connection, stage: Stage | None = None) -> list[str]:
    """Ids of the generations that haven't ended (and are at ``stage``), oldest first."""
    rows = db.execute(
        "SELECT id FROM generation WHERE ended_at IS NULL AND stage = ifnull(?, stage) ORDER BY seq", (stage,)
    )
    return [row["id"] for row in rows]


def media_arrived(db: sqlite3.Connection, generation_id: str, frame: Frame, cost: int) -> None:
    """Both media of a generation are on disk now: it may be rendered, for so many credits."""
    db.execute(
        "UPDATE generation SET stage = 'queued', width = ?, height = ?, fps = ?, credits = ? WHERE id = ?",
        (frame.width, frame.height, frame.fps, cost, generation_id),
    )


def take(db: sqlite3.Connection) -> Generation | None:
    """Begin the oldest queued generation."""
    row = db.execute(
        "SELECT * FROM generation WHERE stage = 'queued' AND ended_at IS NULL ORDER BY seq LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    db.execute("UPDATE generation SET stage = 'generating' WHERE seq = ?", (row["seq"],))
    return _generation(row)


def put_back(db: sqlite3.Connection, generation_id: str) -> None:
    """Queue a generation again whose render process died."""
    db.execute("UPDATE generation SET stage = 'queued', crashes = crashes + 1 WHERE id = ?", (generation_id,))


def complete(
    db: sqlite3.Connection, generation: Generation, now: float, clip_bytes: int, sha256: str, notes: tuple[str, ...]
) -> None:
    """The clip is on disk: say so, and charge for it, both or neither."""
    db.execute(
        "UPDATE generation SET stage = 'completed', ended_at = ?, clip_bytes = ?, clip_sha256 = ?, notes = ?,"
        " image_link = NULL, audio_link = NULL WHERE id = ?",
        (now, clip_bytes, sha256, json.dumps(notes), generation.id),
    )
    ledger.charge(db, generation.public_id, generation.credits or 0, now)


def fail(db: sqlite3.Connection, generation_id: str, now: float, name: str, message: str) -> None:
    """The generation has failed for good; nothing is charged."""
    db.execute(
        "UPDATE generation SET stage = 'error', ended_at = ?, error_name = ?, error_message = ?,"
        " image_link = NULL, audio_link = NULL WHERE id = ?",
        (now, name, message, generation_id),
    )


def find(db: sqlite3.Connection, generation_id: str) -> Generation | None:
    """The generation of this id, without its model."""
    row = db.execute("SELECT * FROM generation WHERE id = ?", (generation_id,)).fetchone()
    return _generation(row) if row else None


def clips_older_than(db: sqlite3.Connection, moment: float) -> list[str]:
    """Ids of the generations that ended before ``moment`` and whose clips are still kept."""
    rows = db.execute("SELECT id FROM generation WHERE clip_bytes IS NOT NULL AND ended_at < ?", (moment,))
    return [row["id"] for row in rows]


def forget_clip(db: sqlite3.Connection, generation_id: str) -> None:
    """The clip's file is no longer kept."""
    db.execute("UPDATE generation SET clip_bytes = NULL WHERE id = ?", (generation_id,))


def usage_page(
    db: sqlite3.Connection, start: float, end: float, model: str | None, limit: int, offset: int
) -> tuple[list[Generation], int]:
    """One page of the generations that were submitted in [start, end) and have ended, newest first; and how many."""
    where = (
        "FROM generation WHERE ended_at IS NOT NULL AND created_at >= ? AND created_at < ? AND model = ifnull(?, model)"
    )
    rows = db.execute(
        f"SELECT * {where} ORDER BY created_at DESC, seq DESC LIMIT ? OFFSET ?", (start, end, model, limit, offset)
    ).fetchall()
    total = db.execute(f"SELECT count(*) {where}", (start, end, model)).fetchone()[0]
    return [_generation(row) for row in rows], total
