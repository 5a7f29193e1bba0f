"""How many clips may render at once: a number, or one that is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["AdaptiveWindow", "FixedWindow", "Window", "window_for"]


class Window(Protocol):
    """How many clips may render at once, now."""

    @property
    def size(self) -> int:
        """The number."""

    def accepted(self, in_flight: int) -> None:
        """A submit was taken while so many others rendered."""

    def refused(self, in_flight: int) -> None:
        """A submit was refused as one too many while so many others rendered."""


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """The number that the user gave."""

    size: int

    def accepted(self, in_flight: int) -> None:
        """Nothing to learn."""

    def refused(self, in_flight: int) -> None:
        """Nothing to learn."""


@dataclass(slots=True)
class AdaptiveWindow:
    """Additive increase, and a decrease to what is known to fit.

    The provider tells no limit, so it is found: the window doubles until the first refusal. A refusal names the
    limit, since it was met with a known number of clips rendering; from there on one more is tried only after
    ``probe_after`` accepted submits, which keeps refusals below 2 in 100.
    """

    limit: float = 4.0
    ceiling: int = 512
    probe_after: int = 50
    _found: bool = False
    _since_probe: int = 0

    @property
    def size(self) -> int:
        """The number, now."""
        return int(self.limit)

    def accepted(self, in_flight: int) -> None:
        """Grow, if the window was what held the next clip back."""
        if in_flight + 1 < self.size:
            return
        if not self._found:
            self.limit = min(self.ceiling, self.limit + 1.0)
            return
        self._since_probe += 1
        if self._since_probe >= max(self.probe_after, self.size):
            self._since_probe = 0
            self.limit = min(self.ceiling, self.limit + 1.0)

    def refused(self, in_flight: int) -> None:
        """What rendered just now is what fits."""
        self._found = True
        self._since_probe = 0
        self.limit = float(max(1, min(in_flight, self.size)))


def window_for(setting: int | Literal["auto"]) -> Window:
    """The window that ``submit.max_in_flight`` asks for."""
    return AdaptiveWindow() if setting == "auto" else FixedWindow(setting)
