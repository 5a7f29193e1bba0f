"""Side by side: each client in a process of its own against an emulator in another, and what both sides saw."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.clients.task import Task
from benchmarks.process import Used, pipeline_run, timed
from tests.emulator import Emulator, Plan
from tests.emulator.asking import png, wav

__all__ = ["CLIENTS", "Race", "Result", "run_race"]

CLIENTS = {
    "sequential": "the documented loop",
    "sdk": "the provider's SDK, semaphore",
    "gather": "bare aiohttp gather",
    "stateless": "avatar-batch's requests alone",
    "ours": "avatar-batch",
}


@dataclass(frozen=True, slots=True)
class Race:
    """What all clients have to do.

    Attributes:
        rows: clips; the sequential loop gets ``sequential_rows``, since it takes as many times as long.
        at_once: for those that can't find the limit themselves.
        settings: of ours.
        alone: whether our requests run alone as well, where CPU is what counts.
    """

    name: str
    title: str
    plan: Plan
    rows: int
    sequential_rows: int
    at_once: int
    interval_s: float
    settings: dict[str, object] = field(default_factory=dict)
    model: str = "veed/fabric-1.0"
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What one client came to."""

    client: str
    rows: int
    done: int
    used: Used
    polls: float
    notice_s: float
    refused: int
    generations: int
    duplicates: int


def run_race(race: Race, folder: Path) -> list[Result]:
    """All clients, one after the other, each with an emulator that knows nothing yet."""
    return [_run(race, client, folder / f"{race.name}-{client}") for client in CLIENTS if _runs(race, client)]


def _runs(race: Race, client: str) -> bool:
    if client == "stateless":
        return race.alone
    return client != "sdk" or find_spec("aimlapi") is not None


def _run(race: Race, client: str, folder: Path) -> Result:
    (folder / "out").mkdir(parents=True)
    rows = race.sequential_rows if client == "sequential" else race.rows
    (folder / "face.png").write_bytes(png())
    (folder / "voice.wav").write_bytes(wav(2.0))
    with Emulator(folder / "emulator", race.plan) as emulator:
        task = Task(
            emulator.base_url, race.model, rows, race.name, race.at_once, race.interval_s, 8,
            str(folder / "face.png"), str(folder / "voice.wav"), str(folder / "out"),
        )  # fmt: skip
        command = _ours(race, task, folder) if client == "ours" else _theirs(client, task, folder)
        used = timed(command, folder / "said.log")
        polls, notice_s = _polls(emulator)
        made: list[dict[str, Any]] = emulator.generations()
        refused = emulator.ledger()["totals"]["refused"].get("429", 0)
    done = len([path for path in (folder / "out").glob("*.mp4") if path.stat().st_size])
    return Result(client, rows, done, used, polls, notice_s, refused, len(made), max(0, len(made) - rows))


def _theirs(client: str, task: Task, folder: Path) -> list[str]:
    task.write(folder / "task.json")
    return [sys.executable, "-m", f"benchmarks.clients.{client}", str(folder / "task.json")]


def _ours(race: Race, task: Task, folder: Path) -> list[str]:
    rows = [{"id": f"r{row}", "image": "face.png", "audio": "voice.wav"} for row in range(task.rows)]
    manifest = {"version": 1, "defaults": {"model": race.model}, "rows": rows}
    (folder / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return pipeline_run(folder / "job.yaml", task.base_url, race.settings)


def _polls(emulator: Emulator) -> tuple[float, float]:
    """Polls a clip until one saw it ready, and seconds from ready to then."""
    offset = time.time() - time.monotonic()
    asked = defaultdict(list)
    for line in emulator.journal("retrieve"):
        asked[str(line["generation_id"]).partition(":")[0]].append((line["at"] + offset, line["status"]))
    with closing(sqlite3.connect(emulator.db)) as db:
        ready = {str(key).partition(":")[0]: at for key, at in db.execute("SELECT id, ready_at FROM generations")}
    counts: Counter[str] = Counter()
    delays = []
    for key, times in asked.items():
        for at, status in sorted(times):
            counts[key] += 1
            if status == 200 and ready.get(key) is not None and at >= ready[key]:
                delays.append(at - ready[key])
                break
    return sum(counts.values()) / max(1, len(delays)), sum(delays) / max(1, len(delays))
