"""The one SQLite file behind the queue and the ledger, and the one thread that touches it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pipeline.studio.options import StudioRefused

__all__ = ["Store"]

P = ParamSpec("P")
T = TypeVar("T")

SCHEMA_VERSION = 1

# A generation's stage is its API status, but for 'fetching' (its media are still elsewhere): the API calls it queued.
SCHEMA = """
CREATE TABLE generation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('fetching', 'queued', 'generating', 'completed', 'error')),
    prompt TEXT NOT NULL,
    options TEXT NOT NULL,
    image_link TEXT,
    audio_link TEXT,
    width INTEGER,
    height INTEGER,
    fps INTEGER,
    credits INTEGER,
    client_request_id TEXT,
    request_id TEXT NOT NULL,
    crashes INTEGER NOT NULL DEFAULT 0,
    error_name TEXT,
    error_message TEXT,
    notes TEXT NOT NULL DEFAULT '[]',
    clip_bytes INTEGER,
    clip_sha256 TEXT,
    created_at REAL NOT NULL,
    ended_at REAL
);
CREATE INDEX generation_unfinished ON generation (stage, seq) WHERE ended_at IS NULL;
CREATE INDEX generation_ended ON generation (created_at, seq) WHERE ended_at IS NOT NULL;
CREATE INDEX generation_kept ON generation (ended_at) WHERE clip_bytes IS NOT NULL;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL CHECK (type IN ('top_up', 'charge')),
    reference_id TEXT,
    credits INTEGER NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (type, reference_id)
);
"""


class Store:
    """Runs functions of a connection on the thread that owns it, each as one durable transaction."""

    def __init__(self, path: Path) -> None:
        """Open (or make) the file.

        Raises:
            StudioRefused: it isn't a studio's database, or of another version.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="studio-store")
        self._connection = self._thread.submit(_open, path).result()

    async def write(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work`` as one transaction; when this returns it is on disk."""
        return await self._submit(
            partial(_transaction, self._connection, partial(work, self._connection, *args, **kwargs))
        )

    async def read(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work``, which only reads."""
        return await self._submit(partial(work, self._connection, *args, **kwargs))

    def close(self) -> None:
        """Finish what was begun and fold the write-ahead log into the file."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    async def _submit(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: an answered submit survives a power cut, not only a kill.
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            # executescript() commits on its own terms, so the transaction is spelled out in the script.
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StudioRefused(
                f"{path} is of version {version}, this studio reads version {SCHEMA_VERSION}: choose another directory"
            )
    except sqlite3.Error as error:
        raise StudioRefused(f"{path} can't be used as the studio's queue ({error}): choose another directory") from None
    return connection
