"""What the run's log tells beyond the state file: when runs began, what was refused, why one stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["RunLogDigest"]

_TAKEN = ("start", "end", "crash", "throttled", "poll_throttled", "stop_submitting")
_MARKS = tuple(f'"action": "{action}"'.encode() for action in _TAKEN)


@dataclass(slots=True)
class RunLogDigest:
    """Reads ``run.log`` and goes on where it stopped; lines that aren't whole or make no sense are passed over.

    Attributes:
        starts: when each run began, in Unix seconds.
        refusals: when the API said that there were too many requests.
        stop: the words with which the latest run stopped early; empty if it did not.
        ended: whether the latest run came to its end.
        last: when the latest of these things happened.
    """

    path: Path
    starts: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    stop: str = ""
    ended: bool = False
    last: float = 0.0
    _offset: int = 0

    def read(self) -> None:
        """Take in what was written since the last time."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    if any(mark in line[:120] for mark in _MARKS):
                        self._take(line)
        except OSError:
            return

    def _take(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            at = datetime.fromisoformat(event["at"]).timestamp()
            action = event["action"]
        except (ValueError, KeyError, TypeError):
            return
        self.last = max(self.last, at)
        if action == "start":
            self.starts.append(at)
            self.stop, self.ended = "", False
        elif action in {"throttled", "poll_throttled"}:
            self.refusals.append(at)
        elif action == "stop_submitting":
            self.stop = str(event.get("message", ""))
        elif action == "crash":
            self.stop = f"a fault of this program: {event.get('message', '')}"
        elif action == "end":
            self.ended = True
