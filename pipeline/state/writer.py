"""One thread that writes: moves that arrive together share one durable commit.

A commit costs a flush of the disk. While one is under way the next moves gather, and all of them ride in the next:
the busier the run, the fewer flushes a move, and nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from pipeline.errors import DiskFull, StateBroken

__all__ = ["Writer"]

_T = TypeVar("_T")
_Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]
MAX_GROUP = 512


class Writer:
    """Runs functions on the connection, in order, in a thread of its own; each is atomic, its result durable.

    Args:
        db: the connection; from now on it belongs to this thread.
        name: the file, for messages.
    """

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self._db = db
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="state-writer", daemon=True)
        self._thread.start()

    async def do(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run ``job`` and wait until what it wrote is on disk.

        Raises:
            DiskFull: there is no room; nothing of it was written.
            StateBroken: the file turned out to be damaged.
            RuntimeError: the writer is closed.
        """
        if self._closed:
            raise RuntimeError(f"{self._name} is closed: nothing can be written any more")
        future: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future  # a cancelled waiter takes nothing back: its future alone is given up

    def post(self, job: Callable[[sqlite3.Connection], object]) -> None:
        """Run ``job`` some time soon; nobody waits for it, and nothing rests on it."""
        future: asyncio.Future[object] = self._loop.create_future()
        future.add_done_callback(lambda done: done.exception())  # whoever waits for a move hears of a bad disk
        self._jobs.put((job, future))

    async def close(self) -> None:
        """Finish what was asked for, fold the log into the file and close it."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            group = [first]
            last = False
            while not self._jobs.empty() and len(group) < MAX_GROUP:
                following = self._jobs.get()
                if following is None:
                    last = True
                    break
                group.append(following)
            outcomes = self._commit(group)
            self._loop.call_soon_threadsafe(_settle, outcomes)
            if last:
                break
        with suppress(sqlite3.Error):  # a full disk: the log stays beside the file and is read at the next start
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _commit(self, group: list[_Job]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job, future in group:
                outcomes.append((future, job(self._db), None))
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError, MemoryError) as error:
            self._roll_back()
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                return self._commit_apart(group, error)
            # The disk or the file: nothing of the group can be trusted.
            remedy = _remedy(error, self._name)
            return [(future, None, remedy) for _, future in group]
        except Exception as error:
            self._roll_back()
            return self._commit_apart(group, error)
        return outcomes

    def _commit_apart(self, group: list[_Job], error: Exception) -> list[_Outcome]:
        """One of them failed by itself: each in a transaction of its own, so that it alone does."""
        if len(group) == 1:
            return [(group[0][1], None, error)]
        return [outcome for job in group for outcome in self._commit([job])]

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _remedy(error: BaseException, name: str) -> BaseException:
    code = getattr(error, "sqlite_errorcode", None)
    text = str(error)
    if code == sqlite3.SQLITE_FULL or "full" in text:
        return DiskFull(f"{name} can't be written: the disk is full. Free space, then run again")
    if code is not None and code & 0xFF in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
        return DiskFull(f"{name} can't be written ({text}): check the disk, then run again")
    return StateBroken(f"{name} can't be written ({text}): run again, which looks at it and says what to do")
