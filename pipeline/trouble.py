"""What stands between a run and the API: no answer, or too many requests. Told once and calmly. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.events import Event
from pipeline.progress_line import duration

__all__ = ["Trouble"]

_UNANSWERED = {
    "unreachable": "the API can't be reached",
    "no_quote": "the API can't be reached",
    "server_trouble": "the API is in trouble",
    "poll_trouble": "the API gives no answer",
    "log_trouble": "the usage log gives no answer",
}
_HELD_BACK = frozenset({"throttled", "poll_throttled"})
_ANSWERED = frozenset({"accepted", "adopted", "completed", "not_made"})

HICCUPS = 1
"""So many failures in a row are nothing to tell: one lost poll among thousands."""
OUTAGE_AGAIN_S = 120.0
THROTTLED_AGAIN_S = 1800.0
"""What was told is not told again so soon; the line shows it all the while."""


@dataclass(slots=True)
class Trouble:
    """Follows the events of a run; times are theirs.

    Attributes:
        patience_s: how long an outage is sat out, where that is known.
    """

    patience_s: float | None = None
    _failures: int = 0
    _since: float = 0.0
    _told_outage_at: float | None = None
    _told_this_one: bool = False
    _held_since: float | None = None
    _told_held_at: float | None = None

    @property
    def is_outage(self) -> bool:
        """Whether the API gives no answer now."""
        return self._failures > HICCUPS

    def take(self, event: Event) -> str:
        """Words to tell now; empty for none."""
        if event.action in _UNANSWERED:
            return self._unanswered(event)
        if event.action in _HELD_BACK:
            return self.answered(event.at) or self._held_back(event)
        if event.action in _ANSWERED:
            self._held_since = None
            return self.answered(event.at)
        return ""

    def answered(self, now: float) -> str:
        """The API gave an answer, whatever it was; words for the end of an outage that was told."""
        lasted_s, told = now - self._since, self._told_this_one
        self._failures, self._told_this_one = 0, False
        return f"the API answers again, after {duration(lasted_s)}" if told else ""

    def words(self, now: float) -> str:
        """For the line: what is the matter, and for how long."""
        if self.is_outage:
            return f"API down for {duration(now - self._since)}"
        if self._held_since is not None:
            return f"throttled for {duration(now - self._held_since)}"
        return ""

    def _unanswered(self, event: Event) -> str:
        if not self._failures:
            self._since = event.at
        # Who can't even be asked for the balance is hardly there at all.
        self._failures += 1 + HICCUPS * (event.action == "no_quote")
        lately = self._told_outage_at is not None and event.at - self._told_outage_at < OUTAGE_AGAIN_S
        if not self.is_outage or self._told_this_one or lately:
            return ""
        self._told_this_one, self._told_outage_at = True, event.at
        message = event.details.get("message", "")
        limit = "" if self.patience_s is None else f" for up to {duration(self.patience_s)}"
        todo = "; check the network meanwhile" if event.action in {"unreachable", "no_quote"} else ""
        return f"{_UNANSWERED[event.action]} ({message}): trying again{limit}, nothing is lost{todo}"

    def _held_back(self, event: Event) -> str:
        if self._held_since is None:
            self._held_since = event.at
        if self._told_held_at is not None and event.at - self._told_held_at < THROTTLED_AGAIN_S:
            return ""
        self._told_held_at = event.at
        wait_s = event.details.get("retry_after_s")
        asked = f", it asks to wait {duration(wait_s)}" if wait_s else ""
        return (
            f"the API takes no more for now ({event.details.get('message', '')}{asked}): going on more slowly, so that its "
            "limit is found; nothing is lost"
        )
