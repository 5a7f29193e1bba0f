"""What happens in a run, told to whoever listens: the run's log, the terminal, a library user's hook."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

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

    A full disk must not end the run for the sake of its log, so lines that can't be written are dropped. Lines of one
    turn of the event loop are written together at its end.
    """

    def __init__(self, path: Path, opener: Callable[[str, int], int] | None = None) -> None:
        self._file: FileIO | None = None
        self._lines: list[bytes] = []
        with suppress(OSError):
            self._file = FileIO(path, "a", opener=opener)

    def __call__(self, event: Event) -> None:
        """Write an event's line."""
        if self._file is None:
            return
        at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "action": event.action} | ({"row": event.row} if event.row else {}) | dict(event.details)
        self._lines.append(_encoded(line))
        if len(self._lines) > 1:
            return  # whoever put the first one there has seen to it
        try:
            asyncio.get_running_loop().call_soon(self._write)
        except RuntimeError:
            self._write()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._write()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self) -> None:
        lines, self._lines = b"".join(self._lines), []
        if self._file is not None and lines:
            with suppress(OSError):
                self._file.write(lines)


def _encoded(line: Mapping[str, Any]) -> bytes:
    try:
        # With spaces, as people grep for it.
        return msgspec.json.format(msgspec.json.encode(line, enc_hook=str), indent=0) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, from a file's name perhaps
        return json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
