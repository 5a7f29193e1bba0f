"""What a studio can be told when it starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.models import Model, builtin_catalogue

__all__ = ["Quality", "StudioOptions", "StudioRefused", "slots_for"]

Quality = Literal["preview", "draft"]

HOUR_S = 3600.0


class StudioRefused(Exception):
    """The studio can't start. Its text is one line for people."""


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def slots_for(workers: int) -> int:
    """How many clips are rendered at once: as many as wished for, one a core if that is 0."""
    return workers or _cores()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioOptions:
    """How to run a studio.

    Attributes:
        directory: its queue, media and clips; made (0700) if missing. One live studio a directory.
        host, port: where the API listens; port 0 is any free one.
        cdn_port: where the clips are served, on the same host; 0 is any free one.
        key: the bearer key that every API request must carry; None takes any, or none.
        workers: render processes; 0 is one a core.
        quality: ``preview``, or ``draft`` for less CPU and a coarser picture.
        strict: a picture in which no face is found is a generation error.
        exit_with_stdin: stop when standard input ends, so that the studio never outlives the process that holds it.
        link_ttl_s: seconds that a clip's link is valid; asking again gives a fresh one.
        keep_s: seconds that a finished clip is kept.
        balance_usd: pretend money to start with. None starts with 1,000 USD and tops up whenever that runs out, so
            that a rehearsal never stops for it; a number is never topped up, so that 403 can be rehearsed.
        verbose: log what happens, not only what goes wrong.
        models: the catalogue of models.
        executor: makes the executor of one render slot (each slot calls it once, and again after its executor broke);
            None makes local processes. A cluster's executor fits in here.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    cdn_port: int = 0
    key: str | None = None
    workers: int = 0
    quality: Quality = "preview"
    strict: bool = False
    exit_with_stdin: bool = False
    link_ttl_s: float = HOUR_S
    keep_s: float = 24 * HOUR_S
    balance_usd: float | None = None
    verbose: bool = False
    models: Mapping[str, Model] = field(default_factory=builtin_catalogue)
    executor: Callable[[], Executor] | None = None

    @property
    def slots(self) -> int:
        """How many clips are rendered at once."""
        return slots_for(self.workers)
