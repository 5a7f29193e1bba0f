"""The races: quick clips, a night in small, and a night with faults."""

from __future__ import annotations

from benchmarks.process import PLAIN
from benchmarks.race import Race
from tests.emulator import Action, Plan, Rule

__all__ = ["RACES"]

SMALL = {"veed/fabric-1.0": [64, 48, 8]}

RACES = (
    Race(
        "throughput", "Instant clips: what the machinery costs", Plan(instant=True, outputs=SMALL), rows=1000,
        sequential_rows=60, at_once=64, interval_s=0.05, alone=True,
        settings={**PLAIN, "submit.max_in_flight": 64, "poll.interval_s": 0.05, "download.concurrency": 32},
    ),
    Race(
        "large", "Instant clips of 4 MB, as large as some seconds of 1080p",
        Plan(instant=True, outputs={"veed/fabric-1.0": [1920, 1080, 48]}, pad_bytes=4_000_000), rows=600,
        sequential_rows=20, at_once=64, interval_s=0.05, alone=True,
        settings={**PLAIN, "submit.max_in_flight": 64, "poll.interval_s": 0.05},
    ),
    Race(
        "night", "A night in small: clips of 8 to 13 s, a hidden limit of 12 at once, 600 requests a minute",
        Plan(render_s=[8.0, 13.0], outputs=SMALL, max_concurrent=12, requests_per_minute=600, rate_window_s=10.0),
        rows=60, sequential_rows=4, at_once=24, interval_s=0.2,
        settings={**PLAIN, "poll.interval_s": 0.05, "retry.base_s": 0.2},
    ),
    Race(
        "faults", "Lost answers: every seventh submit is carried out and its answer lost, every ninth gets a 503",
        Plan(
            render_s=[0.5, 1.0], outputs=SMALL,
            rules=[
                Rule("submit", Action("do_then_drop"), every=7), Rule("submit", Action("status", status=503), every=9),
                Rule("retrieve", Action("status", status=500), every=11),
            ],
        ),
        rows=60, sequential_rows=20, at_once=16, interval_s=0.2,
        settings={**PLAIN, "poll.interval_s": 0.1, "reconcile.interval_s": 0.5, "retry.base_s": 0.2},
    ),
)  # fmt: skip
