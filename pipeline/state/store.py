"""The state file as the stages see it: inboxes of rows by status, and moves that are on disk when they return."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pipeline.clip import IN_FLIGHT, Clip, Failure, Status
from pipeline.inspection.facts import Inspection
from pipeline.state import moves
from pipeline.state.inspections import UNSEEN, note_inspection
from pipeline.state.put_back import Stood, put_back
from pipeline.state.rows import among, counts_by_status, read_clips, reserved_usd
from pipeline.state.schema import connect, connect_reader
from pipeline.state.writer import Writer

__all__ = ["Arrivals", "Inbox", "PendingEstimate", "StateFile"]

_T = TypeVar("_T")


class Arrivals(asyncio.Event):
    """Set when a row may have come. A nudge wakes whoever waits as well, but is no news.

    Attributes:
        news: a row may have come since this was last made False.
    """

    def __init__(self) -> None:
        super().__init__()
        self.news = True

    def set(self) -> None:
        """A row may have come."""
        self.news = True
        super().set()

    def nudge(self) -> None:
        """Wake whoever waits, to look at something else."""
        super().set()


class Inbox:
    """The rows that come into a status, in the order in which they came, a page at a time."""

    def __init__(self, read: Callable[[int, int], Sequence[Clip]], arrivals: Arrivals, page: int = 64) -> None:
        self._read = read
        self._arrivals = arrivals
        self._page_size = page
        self._page: deque[Clip] = deque()
        self._after = -1
        self._drained = False

    async def get(self) -> Clip:
        """The next row; waits until there is one."""
        while True:
            if clip := self.get_nowait():
                return clip
            await self._arrivals.wait()

    def get_nowait(self) -> Clip | None:
        """The next row, or None if none is there now; then ``wait`` waits for one."""
        if not self._page:
            self._arrivals.clear()
            if self._drained and not self._arrivals.news:
                return None  # nothing came since the last look: a question to the database less
            self._arrivals.news = False
            self._page.extend(self._read(self._after, self._page_size))
            self._drained = len(self._page) < self._page_size
            if not self._page:
                return None
            self._after = self._page[-1].moved
        return self._page.popleft()

    def nudge(self) -> None:
        """Wake whoever waits, to look at something else."""
        self._arrivals.nudge()

    async def wait(self) -> None:
        """Wait until a row may have come, or a nudge."""
        await self._arrivals.wait()


@dataclass(frozen=True, slots=True)
class PendingEstimate:
    """Rows that are pending: how many, what those of known length should cost, how many are of unknown length."""

    rows: int
    usd: float
    unknown_length: int


class StateFile:
    """An open state file. One process at a time has it (the lock on OUT sees to that).

    Attributes:
        tag: what tells this job's client request ids from all others.
        counts: rows by status, as of the last move.
        changed: set at every move; whoever watches clears it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._db = connect(path)
        self._reader = connect_reader(path)
        self._writer = Writer(self._db, str(path))
        self._clock = clock
        self._arrivals = {status: Arrivals() for status in Status}
        self.counts = counts_by_status(self._reader)
        self.changed = asyncio.Event()
        self._set_aside = {seq for (seq,) in self._reader.execute("SELECT seq FROM clips WHERE dropped")}
        (self.tag,) = self._reader.execute("SELECT value FROM job WHERE name = 'tag'").fetchone()

    async def close(self) -> None:
        """Finish writing, leave one file."""
        self._reader.close()
        await self._writer.close()

    def inbox(self, status: Status, *, only: Sequence[str] = ()) -> Inbox:
        """The rows that come into ``status``; of the submitting ones, those whose fate is unknown.

        Of the done ones those whose clip has not been looked at.
        """
        where = f"clips.status = '{status}' AND clips.moved > ?"
        if status is Status.SUBMITTING:
            where += " AND attempts.fate = 'lost'"
        if status is Status.PENDING:
            where += " AND NOT clips.dropped"
        if status is Status.DONE:
            where += f" AND {UNSEEN}"
        where += among(only)

        def read(after: int, limit: int) -> Sequence[Clip]:
            return read_clips(self._reader, f"{where} ORDER BY clips.moved LIMIT ?", (after, *only, limit))

        return Inbox(read, self._arrivals[status])

    def clip(self, seq: int) -> Clip:
        """The row as it stands now."""
        return read_clips(self._reader, "clips.seq = ?", (seq,))[0]

    def reserved_usd(self) -> float:
        """What the job has spent or may have spent."""
        return reserved_usd(self._reader)

    def pending_estimate(self, *, only: Sequence[str] = ()) -> PendingEstimate:
        """What is about to be submitted, among the rows named if any are."""
        sql = (
            "SELECT count(*), total(estimated_usd), count(*) - count(estimated_usd) FROM clips "
            "WHERE status = 'pending' AND NOT dropped" + among(only)
        )
        return PendingEstimate(*self._reader.execute(sql, tuple(only)).fetchone())

    @property
    def in_flight(self) -> int:
        """Rows whose clip is being made or fetched, or may be."""
        return sum(self.counts[status] for status in IN_FLIGHT)

    # --- moves -----------------------------------------------------------------------------------------------

    async def begin_submit(self, clip: Clip, client_request_id: str, reserved_usd: float) -> Clip:
        """pending → submitting; when it returns, the intent is on disk."""
        now = self._clock()
        attempt = await self._writer.do(lambda db: moves.begin_submit(db, clip, client_request_id, reserved_usd, now))
        self._count(clip.status, Status.SUBMITTING)
        return replace(
            clip, status=Status.SUBMITTING, attempt=attempt, attempts=clip.attempts + 1, generation_id="",
            client_request_id=client_request_id, video_url="", submitted_at=now, completed_at=0, part="",
        )  # fmt: skip

    async def take_back(self, clip: Clip, *, forget: bool) -> float:
        """submitting → pending: surely not made; returns how many USD that frees."""
        return await self._move(
            clip, Status.PENDING, lambda db: moves.take_back(db, clip, forget=forget, now=self._clock())
        )

    async def lose(self, clip: Clip) -> None:
        """submitting, its fate unknown from now on."""
        await self._move(clip, Status.SUBMITTING, lambda db: moves.lose(db, clip))

    async def accept(self, clip: Clip, generation_id: str, cost_usd: float | None) -> float:
        """submitting → rendering; returns by how many USD it costs more than was held back."""
        return await self._move(
            clip, Status.RENDERING, lambda db: moves.accept(db, clip, generation_id, cost_usd, self._clock())
        )

    async def unconfirm(self, clip: Clip, failure: Failure) -> None:
        """submitting or rendering → unconfirmed."""
        await self._move(clip, Status.UNCONFIRMED, lambda db: moves.unconfirm(db, clip, failure))

    async def resubmit(self, clip: Clip) -> None:
        """submitting → pending by the user's wish, though the earlier submit may be paid for."""
        await self._move(clip, Status.PENDING, lambda db: moves.resubmit(db, clip))

    async def complete(self, clip: Clip, url: str, cost_usd: float | None, notes: Sequence[str] = ()) -> float:
        """rendering → downloading; returns by how many USD it costs more than was held back."""
        return await self._move(
            clip, Status.DOWNLOADING, lambda db: moves.complete(db, clip, url, cost_usd, self._clock(), notes)
        )

    async def relink(self, clip: Clip) -> None:
        """downloading → rendering, for a fresh link."""
        await self._move(clip, Status.RENDERING, lambda db: moves.relink(db, clip))

    def rename(self, clip: Clip, generation_id: str) -> None:
        """The form of the generation's id that retrieve knows; without it, the next run finds it again."""
        self._writer.post(lambda db: moves.rename(db, clip, generation_id))

    def note_part(self, clip: Clip, part: str) -> None:
        """What must be known to go on with a part file; without it, the download starts anew."""
        self._writer.post(lambda db: moves.note_part(db, clip, part))

    async def finish(self, clip: Clip, *, sha256: str, size_bytes: int, duration_s: float) -> None:
        """downloading → done."""
        await self._move(
            clip, Status.DONE,
            lambda db: moves.finish(
                db, clip, output=clip.output, sha256=sha256, size_bytes=size_bytes, duration_s=duration_s,
                now=self._clock(),
            ),
        )  # fmt: skip

    async def fail(self, clip: Clip, failure: Failure, *, fate: str | None = None) -> float:
        """Any working status → failed; returns how many USD that frees."""
        return await self._move(clip, Status.FAILED, lambda db: moves.fail(db, clip, failure, self._clock(), fate=fate))

    async def put_back(self, rows: Sequence[Stood]) -> None:
        """pending → what it was before a wish that is taken back. No stage may have begun."""
        await self._writer.do(lambda db: put_back(db, rows))
        for row in rows:
            self._count(Status.PENDING, row.status)

    async def note_inspection(self, seq: int, seen: Inspection) -> None:
        """done: what was seen of its clip."""
        await self._writer.do(lambda db: note_inspection(db, seq, seen))

    async def _move(self, clip: Clip, new: Status, job: Callable[[sqlite3.Connection], _T]) -> _T:
        result = await self._writer.do(job)
        self._count(clip.status, new, set_aside=clip.seq in self._set_aside)
        self._arrivals[new].set()
        return result

    def _count(self, old: Status, new: Status, *, set_aside: bool = False) -> None:
        self.counts[old] -= 1
        # A row that left the manifest counts while it is in flight and no longer.
        self.counts[new] += not set_aside or new in IN_FLIGHT
        self.changed.set()
