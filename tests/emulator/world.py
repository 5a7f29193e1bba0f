"""The truth: generations, rule tallies, the plan and the request journal, in one SQLite file.

A generation is committed before its answer leaves, so killing the emulator loses none. What is only counted (polls,
journal lines) is written in batches: a kill may lose its last hundredth of a second (`Emulator.kill` sees to that).
"""

from __future__ import annotations

import heapq
import json
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .faults import Asked, Tally, decide
from .generation import Generation
from .plain import shallow
from .plan import Action, Plan

SCHEMA = """
CREATE TABLE IF NOT EXISTS generations(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client_request_id TEXT, facts TEXT NOT NULL,
    ready_at REAL, fails INTEGER NOT NULL,
    retrieves INTEGER NOT NULL DEFAULT 0, finished_retrieves INTEGER NOT NULL DEFAULT 0,
    downloads INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS journal(
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, route TEXT NOT NULL, line TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(slots=True, eq=False)
class Entry:
    """A request in the journal."""

    at: float  # time.monotonic(), which all processes of one machine share
    listener: str
    route: str
    method: str
    target: str
    authorization: bool
    client_request_id: str | None
    headers: dict[str, str] | None = None  # download hosts only
    generation_id: str | None = None
    status: int | None = None
    fate: str = "open"  # answered, reset, closed, cut, client_gone, open (still under way)
    fault: str | None = None
    bytes_sent: int = 0
    took_s: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Its JSON form."""
        return shallow(self)


class World:
    """Everything the emulator must remember."""

    def __init__(self, file: Path, plan: Plan | None = None) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        notes = dict(self._db.execute("SELECT name, value FROM notes"))
        self.secret = notes.get("secret") or secrets.token_hex(16)
        self.refused: Counter[str] = Counter(json.loads(notes.get("refused", "{}")))
        self.peak_rendering = int(notes.get("peak_rendering", "0"))
        self.generations: list[Generation] = [self._revive(row) for row in self._rows()]
        self._by_id = {one.id: one for one in self.generations}
        self._by_bare = {one.bare_id: one for one in self.generations}
        self._ending: list[float] = []
        self._stuck = 0
        self._count_rendering()
        self._dirty: set[int] = set()
        self._written: list[Entry] = []
        self._open: set[Entry] = set()
        self.unsaved = False
        if plan is None and "plan" in notes:
            self.plan = Plan.from_json(notes["plan"])
            self.tallies = [Tally(**tally) for tally in json.loads(notes["tallies"])]
        else:
            self.set_plan(plan or Plan())

    def _rows(self) -> Iterable[tuple[Any, ...]]:
        return self._db.execute(
            "SELECT facts, ready_at, fails, retrieves, finished_retrieves, downloads FROM generations ORDER BY number"
        )

    @staticmethod
    def _revive(row: tuple[Any, ...]) -> Generation:
        facts = json.loads(row[0])
        facts["output"] = tuple(facts["output"])
        facts.update(ready_at=row[1], fails=bool(row[2]), retrieves=row[3], finished_retrieves=row[4], downloads=row[5])
        return Generation(**facts)

    # The plan

    def set_plan(self, plan: Plan) -> None:
        """Behave by this plan from now on; its rules count from one."""
        self.plan = plan
        self.tallies = [Tally() for _ in plan.rules]
        self._db.execute("INSERT OR REPLACE INTO notes VALUES('plan', ?)", (plan.to_json(),))
        self.flush()

    def decide(self, asked: Asked) -> Action | None:
        """The fault that meets this request."""
        return decide(self.plan, self.tallies, asked) if self.plan.rules else None

    # Generations

    def make(self, generation: Generation) -> None:
        """Keep a new generation, on disk before anyone hears of it."""
        self._db.execute("BEGIN")
        self._db.execute(
            "INSERT INTO generations(number, id, client_request_id, facts, ready_at, fails) VALUES(?, ?, ?, ?, ?, ?)",
            (
                generation.number,
                generation.id,
                generation.client_request_id,
                json.dumps(shallow(generation)),
                generation.ready_at,
                generation.fails,
            ),
        )
        if self.plan.rules:
            # A fault with a limit must not come again because the emulator was killed right after it.
            self._write_notes()
        self._db.execute("COMMIT")
        self.generations.append(generation)
        self._by_id[generation.id] = generation
        self._by_bare[generation.bare_id] = generation
        if generation.ready_at is None:
            self._stuck += 1
        else:
            heapq.heappush(self._ending, generation.ready_at)
        self.peak_rendering = max(self.peak_rendering, self.rendering(time.time()))

    def find(self, generation_id: str, *, any_form: bool = False) -> Generation | None:
        """The generation of that id; in any form: with or without a model suffix."""
        found = self._by_id.get(generation_id)
        if found is None and any_form:
            found = self._by_bare.get(generation_id.partition(":")[0])
        return found

    def rendering(self, now: float) -> int:
        """How many generations have not ended."""
        while self._ending and self._ending[0] <= now:
            heapq.heappop(self._ending)
        return len(self._ending) + self._stuck

    def _count_rendering(self) -> None:
        now = time.time()
        ends = [one.ready_at for one in self.generations if one.ready_at is not None and one.ready_at > now]
        heapq.heapify(ends)
        self._ending = ends
        self._stuck = sum(one.ready_at is None for one in self.generations)

    def touch(self, generation: Generation) -> None:
        """Note that its counters changed."""
        self._dirty.add(generation.number)
        self.unsaved = True

    def finish(self, numbers: list[int], *, failed: bool = False) -> int:
        """End generations now (empty: all that have not ended), stuck ones too; how many."""
        now = time.time()
        ended = [
            one
            for one in self.generations
            if (not numbers or one.number in numbers) and one.state(now) in ("rendering", "stuck")
        ]
        for one in ended:
            one.ready_at, one.fails = now, failed
        self._db.executemany(
            "UPDATE generations SET ready_at = ?, fails = ? WHERE number = ?",
            [(one.ready_at, one.fails, one.number) for one in ended],
        )
        self._count_rendering()
        return len(ended)

    # The journal

    def begin(self, entry: Entry) -> None:
        """A request arrived."""
        self._open.add(entry)

    def end(self, entry: Entry) -> None:
        """A request is over."""
        self._open.discard(entry)
        entry.took_s = time.monotonic() - entry.at
        if self.plan.journal:
            self._written.append(entry)
        self.unsaved = True

    def journal(self, route: str | None = None) -> list[dict[str, Any]]:
        """All requests by time of arrival, those still under way included."""
        self.flush()
        query = "SELECT line FROM journal" + (" WHERE route = ?" if route else "")
        lines = [json.loads(line) for (line,) in self._db.execute(query, (route,) if route else ())]
        lines += [entry.plain() for entry in self._open if route in (None, entry.route)]
        return sorted(lines, key=lambda line: float(line["at"]))

    # Writing

    def flush(self) -> None:
        """Write what was only counted so far."""
        self._db.execute("BEGIN")
        if self._dirty:
            dirty = [self.generations[number - 1] for number in self._dirty]
            self._db.executemany(
                "UPDATE generations SET retrieves = ?, finished_retrieves = ?, downloads = ? WHERE number = ?",
                [(one.retrieves, one.finished_retrieves, one.downloads, one.number) for one in dirty],
            )
        if self._written:
            self._db.executemany(
                "INSERT INTO journal(at, route, line) VALUES(?, ?, ?)",
                [(entry.at, entry.route, json.dumps(entry.plain())) for entry in self._written],
            )
        self._write_notes()
        self._db.execute("COMMIT")
        self._dirty.clear()
        self._written.clear()
        self.unsaved = False

    def _write_notes(self) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO notes VALUES(?, ?)",
            [
                ("secret", self.secret),
                ("tallies", json.dumps([asdict(tally) for tally in self.tallies])),
                ("refused", json.dumps(self.refused)),
                ("peak_rendering", str(self.peak_rendering)),
            ],
        )

    def close(self) -> None:
        """Write everything and leave one file behind."""
        self.flush()
        self._db.close()
