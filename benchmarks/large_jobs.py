"""Large jobs: commands on many rows, and many clips that render at once."""

from __future__ import annotations

import json
import math
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import PLAIN, Used, pipeline_command, pipeline_run, timed
from benchmarks.simulator import log_normal
from pipeline.pacing import Learned, Memory
from pipeline.pacing.memory import CACHE_VARIABLE
from tests.emulator import Emulator, Plan
from tests.emulator.asking import png, wav

__all__ = ["Crowd", "Step", "measure_crowd", "measure_rows"]

JOBS = ((100_000, "csv"), (100_000, "yaml"), (1_000_000, "csv"))
AT_ONCE = 256
SUBMIT = '"action": "submitting"'
VOICE_S = 2.0
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
        job = _write_job(folder / f"{rows}-{form}", rows, form)
        for what, used in _measure_commands(job):
            yield Step(rows, form, what, used)


def _measure_commands(job: Path) -> Iterator[tuple[str, Used]]:
    said, log = job.with_name("said.log"), job.parent / "out" / "run.log"

    def submits() -> int:
        return log.read_text().count(SUBMIT) if log.exists() else 0

    def start(base_url: str, at_once: int) -> Used:
        before = submits()
        run = pipeline_run(job, base_url, {**PLAIN, "submit.max_in_flight": at_once})
        return timed(run, said, enough=lambda: submits() > before)

    yield "`check`", timed(pipeline_command("check", job), said)
    with Emulator(job.with_name("emulator"), PLAN) as emulator:
        yield "first start of `run`", start(emulator.base_url, AT_ONCE)
        # The first may have filled its window before it was stopped, and no clip ends: this one has room in any case.
        yield "a later start of `run`", start(emulator.base_url, 2 * AT_ONCE)
    yield "`status`", timed(pipeline_command("status", job), said)


def measure_crowd(folder: Path) -> Crowd | None:
    """Clips in the middle of a night, polled as its plan says; None where the system has no ``/proc``."""
    if not Path("/proc/self/stat").exists():
        return None
    rng = random.Random(4)
    job, said, cache = _write_job(folder, CLIPS, "yaml"), folder / "said.log", folder / "cache"
    with Emulator(folder / "emulator", PLAN) as emulator:
        run = pipeline_run(job, emulator.base_url, {**PLAIN, "submit.max_in_flight": CLIPS})
        timed(run, said, enough=lambda: len(emulator.generations()) == CLIPS)
        _grow_old(folder / "out" / "state.db", rng)
        times_s = [log_normal(RENDER_S, SPREAD)(rng, 0, VOICE_S) for _ in range(48)]
        known = Learned(render_times=tuple((time_s - 2.5, time_s + 2.5, VOICE_S) for time_s in times_s))
        Memory(emulator.base_url, cache).keep(MODEL, known)
        watch = _Watch(emulator, folder / "out" / "run.lock")
        used = timed(run, said, enough=watch.enough, more={CACHE_VARIABLE: str(cache)})
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
    now, met = time.time(), log_normal(RENDER_S * math.exp(SPREAD**2), SPREAD)
    with closing(sqlite3.connect(state)) as db, db:
        for (n,) in db.execute("SELECT n FROM attempts").fetchall():
            age_s = rng.uniform(0, met(rng, 0, VOICE_S))
            db.execute("UPDATE attempts SET submitted_at = ? WHERE n = ?", (now - age_s, n))


def _write_job(home: Path, rows: int, form: str) -> Path:
    """All rows share a picture and a voice; every row has words of its own."""
    home.mkdir(parents=True)
    (home / "face.png").write_bytes(png())
    (home / "voice.wav").write_bytes(wav(VOICE_S))
    job = home / f"job.{form}"
    with job.open("w", encoding="utf-8") as file:
        if form == "csv":
            file.write("id,image,audio,model,meta_words\n")
            file.writelines(f"r{row:07d},face.png,voice.wav,{MODEL},number {row}\n" for row in range(rows))
        else:
            file.write(f"version: 1\ndefaults: {{image: face.png, audio: voice.wav, model: {MODEL}}}\nrows:\n")
            file.writelines(f"  - {{id: r{row:07d}, meta_words: number {row}}}\n" for row in range(rows))
    return job
