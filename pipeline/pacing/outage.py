"""Telling a hiccup from an outage that no patience outlasts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Outage"]


@dataclass(slots=True)
class Outage:
    """Counts requests that got no answer with nothing answered between them.

    Attributes:
        attempts, patience_s: it is over when so many failed in a row and so long has passed since the first.
    """

    attempts: int
    patience_s: float
    failures: int = 0
    since: float = 0.0

    def failed(self, now: float) -> bool:
        """Count one more; whether it is time to give up."""
        if not self.failures:
            self.since = now
        self.failures += 1
        return self.failures >= self.attempts and now - self.since >= self.patience_s

    def answered(self) -> None:
        """The API lives."""
        self.failures = 0
