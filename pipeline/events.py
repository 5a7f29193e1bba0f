"""What happens in a run, told to whoever listens: the run's log, the terminal, a library user's hook."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pipeline.clip import Clip

__all__ = ["Event", "EventHook", "Events", "RunLog"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        at: Unix seconds.
        action: one word for it, such as ``accepted``, ``throttled`` or ``done``.
        row: the row's id, empty where none is concerned.
        details: what else is known, JSON values only.
    """

    at: float
    action: str
    row: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


EventHook = Callable[[Event], None]


@dataclass(slots=True)
class Events:
    """Hands events to its hooks, in order."""

    hooks: list[EventHook] = field(default_factory=list)
    clock: Callable[[], float] = time.time

    def emit(self, action: str, clip: Clip | None = None, **details: Any) -> None:
        """Tell that something happened, to a clip or in general; details of None are left out."""
        if clip is not None:
            details = {
                "client_request_id": clip.client_request_id or None,
                "generation_id": clip.generation_id or None,
                **details,
            }
        known = {name: value for name, value in details.items() if value is not None}
        event = Event(self.clock(), action, clip.id if clip else "", known)
        for hook in self.hooks:
            hook(event)


class RunLog:
    """``run.log``: a JSON object a line, appended to from run to run.

    A full disk must not end the run for the sake of its log, so lines that can't be written are dropped.
    """

    def __init__(self, path: Path, opener: Callable[[str, int], int] | None = None) -> None:
        self._file: IO[str] | None = None
        with suppress(OSError):
            self._file = open(path, "a", encoding="utf-8", errors="replace", buffering=1, opener=opener)  # noqa: SIM115 - it stays open as long as the run

    def __call__(self, event: Event) -> None:
        """Write an event's line."""
        if self._file is None:
            return
        at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "action": event.action} | ({"row": event.row} if event.row else {}) | dict(event.details)
        with suppress(OSError, ValueError):
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
