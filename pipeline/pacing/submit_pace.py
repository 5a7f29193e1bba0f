"""When the next submit may go: the window, the rate, and what refusals taught."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.pacing.backoff import Backoff
from pipeline.pacing.window import Window

__all__ = ["SubmitPace"]


@dataclass(slots=True)
class SubmitPace:
    """Says how long to wait before the next submit.

    Attributes:
        window: clips rendering at once.
        per_minute: submits a minute, evenly spaced; 0 for no limit.
        backoff: the waits after refusals and failures in a row.
    """

    window: Window
    per_minute: float
    backoff: Backoff
    _next_at: float = 0.0
    _closed_until: float = 0.0
    _refusals: int = 0

    def wait_s(self, now: float, in_flight: int) -> float | None:
        """Seconds until the next submit may go; None: not before a clip ends."""
        if in_flight >= self.window.size:
            return None
        return max(0.0, self._next_at - now, self._closed_until - now)

    def started(self, now: float) -> None:
        """A submit goes out."""
        if self.per_minute:
            self._next_at = max(self._next_at, now) + 60.0 / self.per_minute

    def accepted(self, in_flight: int) -> None:
        """It was taken."""
        self._refusals = 0
        self.window.accepted(in_flight)

    def refused(self, now: float, in_flight: int, retry_after_s: float | None = None) -> None:
        """429: one too many, or too soon."""
        self.window.refused(in_flight)
        self._close(now, retry_after_s)

    def failed(self, now: float) -> None:
        """The API could not be reached."""
        self._close(now, None)

    def clip_ended(self, now: float) -> None:
        """A clip rendered to its end, so there is room again where room was what lacked."""
        if self._refusals:
            self._closed_until = min(self._closed_until, now + self.backoff.base_s)

    def _close(self, now: float, retry_after_s: float | None) -> None:
        # Requests that were in the air together are refused together: that counts once.
        if now >= self._closed_until:
            self._refusals += 1
        wait_s = self.backoff.wait_s(self._refusals) if retry_after_s is None else retry_after_s
        self._closed_until = max(self._closed_until, now + wait_s)
