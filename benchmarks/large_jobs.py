"""Large jobs: commands on many rows, and many clips that render at once."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Used, timed
from pipeline.pacing import Memory
from pipeline.pacing.memory import Learned
from tests.emulator import Emulator, Plan
from tests.emulator.asking import png, wav

__all__ = ["Crowd", "Step", "measure_crowd", "measure_rows"]

JOBS = ((100_000, "csv"), (100_000, "yaml"), (1_000_000, "csv"))
AT_ONCE = 256
FIRST = '"action": "submitting"'
MODEL = "veed/fabric-1.0"
PLAN = Plan(render_s=3600.0, outputs={MODEL: [64, 48, 8]})

CLIPS = 2000
RENDER_S, SPREAD = 530.0, 0.25
"""The crowd's render times are log-normal, as those that the run remembers: a night that has found its pace."""
WARM_S, WATCHED_S = 15.0, 40.0


@dataclass(frozen=True, slots=True)
class Step:
    """A command on many rows; a start of ``run`` is measured up to its first submit."""

    rows: int
    form: str
    what: str
    used: Used


@dataclass(frozen=True, slots=True)
class Crowd:
    """Clips rendering at once: polls a second, the share of a core that all of it takes, the most memory."""

    clips: int
    polls_a_s: float
    core: float
    peak_mb: float


def measure_rows(folder: Path) -> Iterator[Step]:
    """Check, first start, later start and status of jobs of many rows."""
    for rows, form in JOBS:
        home = folder / f"{rows}-{form}"
        job, out, log = _write_job(home, rows, form), home / "out", home / "said.log"

        def command(verb: str, job: Path = job, out: Path = out) -> list[str]:
            return [sys.executable, "-m", "pipeline", verb, str(job), "--out", str(out), "--quiet"]

        def submits(log: Path = out / "run.log") -> int:
            return log.read_text().count(FIRST) if log.exists() else 0

        yield Step(rows, form, "`check`", timed(command("check"), log))
        with Emulator(home / "emulator", PLAN) as emulator:
            run = [*command("run"), *_settings(emulator, AT_ONCE)]
            for what in ("first start of `run`", "a later start of `run`"):
                before = submits()
                used = timed(run, log, enough=lambda before=before, submits=submits: submits() > before)  # type: ignore[misc]
                yield Step(rows, form, what, used)
        yield Step(rows, form, "`status`", timed(command("status"), log))


def measure_crowd(folder: Path) -> Crowd | None:
    """Clips in the middle of a night, polled as its plan says; None where the system has no ``/proc``."""
    if not Path("/proc/self/stat").exists():
        return None
    rng = random.Random(4)
    job, out = _write_job(folder, CLIPS, "yaml"), folder / "out"
    with Emulator(folder / "emulator", PLAN) as emulator:
        command = [sys.executable, "-m", "pipeline", "run", str(job), "--out", str(out), "--quiet"]
        command += _settings(emulator, CLIPS)
        timed(command, folder / "said.log", enough=lambda: len(emulator.generations()) == CLIPS)
        _grow_old(out / "state.db", rng)
        cache = folder / "cache"
        times = [rng.lognormvariate(0, SPREAD) * RENDER_S for _ in range(48)]
        Memory(emulator.base_url, cache).keep(
            MODEL, Learned(render_times=tuple((t - 2.5, t + 2.5, 2.0) for t in times))
        )
        watch = _Watch(emulator, out / "run.lock")
        used = timed(command, folder / "said.log", enough=watch.enough, more={"AVATAR_BATCH_CACHE_DIR": str(cache)})
    return Crowd(CLIPS, watch.polls_a_s, watch.core, used.peak_mb)


class _Watch:
    """Reads the run's clock of CPU and the emulator's count of polls, at the begin and at the end of a while."""

    def __init__(self, emulator: Emulator, lock: Path) -> None:
        self._emulator, self._lock = emulator, lock
        self._starts_at = time.monotonic() + WARM_S
        self._first: tuple[float, float, int] | None = None
        self.polls_a_s = self.core = 0.0

    def enough(self) -> bool:
        """Whether it is over."""
        now = time.monotonic()
        if now < self._starts_at or (self._first and now < self._first[0] + WATCHED_S):
            return False
        seen = (now, self._cpu_s(), len(self._emulator.journal("retrieve")))
        if self._first is None:
            self._first = seen
            return False
        span_s, cpu_s, polls = (after - before for after, before in zip(seen, self._first, strict=True))
        self.polls_a_s, self.core = polls / span_s, cpu_s / span_s
        return True

    def _cpu_s(self) -> float:
        pid = json.loads(self._lock.read_text())["pid"]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _grow_old(state: Path, rng: random.Random) -> None:
    """Give clips the ages that clips have at any moment of a long night: the long ones are met more often."""
    now = time.time()
    with closing(sqlite3.connect(state)) as db, db:
        for (n,) in db.execute("SELECT n FROM attempts").fetchall():
            render_s = RENDER_S * rng.lognormvariate(SPREAD**2, SPREAD)
            db.execute("UPDATE attempts SET submitted_at = ? WHERE n = ?", (now - rng.uniform(0, render_s), n))


def _settings(emulator: Emulator, at_once: int) -> list[str]:
    settings = {
        "api.provider": "aimlapi", "api.base_url": emulator.base_url, "submit.max_in_flight": at_once,
        "inspect.enabled": "false", "report.after_run": "false",
    }  # fmt: skip
    return ["--yes", *(word for name, value in settings.items() for word in ("--set", f"{name}={value}"))]


def _write_job(home: Path, rows: int, form: str) -> Path:
    """All rows share a picture and a voice; every row has words of its own."""
    home.mkdir(parents=True)
    (home / "face.png").write_bytes(png())
    (home / "voice.wav").write_bytes(wav(2.0))
    job = home / f"job.{form}"
    with job.open("w", encoding="utf-8") as file:
        if form == "csv":
            file.write("id,image,audio,model,meta_words\n")
            file.writelines(f"r{row:07d},face.png,voice.wav,{MODEL},number {row}\n" for row in range(rows))
        else:
            file.write(f"version: 1\ndefaults: {{image: face.png, audio: voice.wav, model: {MODEL}}}\nrows:\n")
            file.writelines(f"  - {{id: r{row:07d}, meta_words: number {row}}}\n" for row in range(rows))
    return job
