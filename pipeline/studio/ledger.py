"""The ledger of pretend money, in credits. Functions of a connection, run inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

__all__ = [
    "CREDITS_PER_USD",
    "Entry",
    "balance",
    "can_pay",
    "charge",
    "credits_of_usd",
    "open_account",
    "page",
    "usd",
]

CREDITS_PER_USD = 2_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; ``credits`` is below zero for a charge, ``created_at`` in seconds of the Unix epoch."""

    seq: int
    type: str
    reference_id: str | None
    credits: int
    created_at: float


def usd(amount: int) -> float:
    """Credits as USD."""
    return round(amount / CREDITS_PER_USD, 6)


def credits_of_usd(amount: float) -> int:
    """USD as whole credits."""
    return round(amount * CREDITS_PER_USD)


def open_account(db: sqlite3.Connection, amount: int, now: float) -> None:
    """Book the credits to start with, once in a ledger's life."""
    if db.execute("SELECT 1 FROM entry LIMIT 1").fetchone() is None:
        _book(db, "top_up", None, amount, now)


def balance(db: sqlite3.Connection) -> int:
    """Credits left."""
    total: int = db.execute("SELECT ifnull(sum(credits), 0) FROM entry").fetchone()[0]
    return total


def can_pay(db: sqlite3.Connection, amount: int, refill: int, now: float) -> bool:
    """Whether the account covers so many credits; where it doesn't, it is topped up by ``refill`` credits, if any."""
    if balance(db) >= amount:
        return True
    if refill:
        _book(db, "top_up", None, max(amount, refill), now)
    return bool(refill)


def charge(db: sqlite3.Connection, reference_id: str, amount: int, now: float) -> None:
    """Charge credits for a generation; charging for the same one again is an error of the database's."""
    _book(db, "charge", reference_id, -amount, now)


def page(db: sqlite3.Connection, before: int | None, limit: int) -> tuple[list[Entry], bool]:
    """Up to ``limit`` entries below the sequence number ``before`` (None: all), newest first; whether more follow."""
    rows = db.execute(
        "SELECT seq, type, reference_id, credits, created_at FROM entry"
        " WHERE ? IS NULL OR seq < ? ORDER BY seq DESC LIMIT ?",
        (before, before, limit + 1),
    ).fetchall()
    return [Entry(*row) for row in rows[:limit]], len(rows) > limit


def _book(db: sqlite3.Connection, kind: str, reference_id: str | None, amount: int, now: float) -> None:
    db.execute(
        "INSERT INTO entry (type, reference_id, credits, created_at) VALUES (?, ?, ?, ?)",
        (kind, reference_id, amount, now),
    )
