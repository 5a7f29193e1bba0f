"""How many clips may render at once: a number, or one that is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["AdaptiveWindow", "FixedWindow", "Window", "window_for"]

RECALLED_CLIPS = 16
"""So many clips until more than an earlier run's limit is tried: it may have ended in a bad hour, or the account has grown."""

HOLDS = 2
"""A limit holds that was filled anew so often, and nothing refused between."""


class Window(Protocol):
    """How many clips may render at once, now."""

    @property
    def size(self) -> int:
        """The number."""

    def accepted(self, in_flight: int, rendering: int | None) -> None:
        """A submit was taken while so many others were under way, and so many of these were known to render.

        ``rendering`` is None where there is no telling.
        """

    def refused(self, in_flight: int, *, again: bool) -> bool:
        """A submit was refused as one too many while so many others were under way.

        Args:
            in_flight: the others.
            again: nothing was taken since the refusal before.

        Returns:
            Whether that was to be expected: one more than fits was tried on purpose.
        """


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """The number that the user gave."""

    size: int

    def accepted(self, in_flight: int, rendering: int | None) -> None:
        """Nothing to learn."""

    def refused(self, in_flight: int, *, again: bool) -> bool:
        """Nothing to learn."""
        return False


@dataclass(slots=True)
class AdaptiveWindow:
    """Additive increase, multiplicative decrease, and a memory of where it was refused.

    The provider tells no limit, so it is found. The window grows with every clip that is taken (at first by two, so
    that the submits in the air double, up to ``most_airborne``) until one is refused. A refusal names the limit, since
    it was met with a known number of clips rendering: up to there the window grows back quickly, beyond it one more is
    tried only when ``clips_a_refusal`` clips were taken for each submit that was refused, which keeps these below 2 in
    100. Clips that have ended unnoticed let more be taken than fits, and then a step down is refused as well: steps double,
    back to where the search began but no further, since most of a long climb was true. Where nothing is taken for the third time
    in a row, the limit has come down by more than that, and the window shrinks by a fifth each time.

    A single refusal below what has held may be chance: it counts when another follows before as many are taken again. Then
    the limit has come down, be it for a minute or for good, and nothing tells which: one more is tried soon, and after each
    such try that is refused only twice as many clips later, until that is ``clips_a_refusal`` or all that was lost is regained.

    Attributes:
        current: clips that may render at once, now.
        limit: so many rendered when one more was refused; None while nothing was refused.
    """

    current: int = 4
    limit: int | None = None
    ceiling: int = 10_000
    clips_a_refusal: int = 70
    most_airborne: int = 16
    _grown: int = 0  # steps since nothing had been refused yet
    _credit: float = 0.0  # towards trying one more than the limit; below 0 after refusals
    _in_a_row: int = 0  # refusals since a clip was taken
    _rises: int = 0  # clips taken beyond the limit since the last refusal
    _foothold: int = 0  # the limit that has held
    _falls: int = 0  # steps down since the limit last rose or held
    _patience: int = 0  # clips until one more is tried
    _fallen_from: int = 0  # the foothold that is to be regained; 0: none
    _filled: int = 0  # clips that just filled the limit, nothing refused between
    _doubted: int | None = None  # so many rendered at a refusal that may have been chance

    def __post_init__(self) -> None:
        self._patience = self.clips_a_refusal

    @property
    def size(self) -> int:
        """The number, now."""
        return self.current

    def accepted(self, in_flight: int, rendering: int | None) -> None:
        """Grow, if the window was what held the next clip back."""
        self._in_a_row = 0
        if self._doubted is not None and in_flight >= self._doubted:
            self._doubted = None  # as many fit after all
        self._credit = min(1.0, self._credit + 1 / self._patience)
        if self.limit is not None and rendering is not None and rendering >= self.limit:
            # More than ever fitted: on from here, one at a time while it may have been an end that nobody has noticed.
            self.limit = rendering + 1
            self._rises += 1
            self._falls = self._filled = 0
            if self.limit >= self._fallen_from:
                self._fallen_from, self._patience = 0, self.clips_a_refusal
            self.current = min(self.ceiling, self.limit + min(self.most_airborne, 1 + self._rises // 8))
            return
        if in_flight + 1 < self.current:
            return
        if in_flight + 1 == self.limit:
            self._filled += 1
            if self._filled >= (HOLDS * self.limit if self._foothold else self.limit):
                self._foothold = self.limit
        if self.limit is None or self.current < self.limit:
            self.current += 2 if self.limit or self._grown < self.most_airborne - 4 else 1
            self._grown += 1
            self.current = min(self.current, self.limit or self.ceiling, self.ceiling)
            return
        if self._credit >= 1.0 and self.current <= self.limit:
            self._foothold = self.limit
            self._falls = 0
            self.current = min(self.ceiling, self.limit + 1)

    def refused(self, in_flight: int, *, again: bool) -> bool:
        """What rendered just now is what fits; less, where that was refused as well."""
        expected = self.limit is not None and in_flight >= self.limit
        self._rises = self._filled = 0
        # A handful that is refused together must not silence the search for hours; where many clips end a minute it won't.
        self._credit = 0.0 if self.limit is None else max(-max(1.0, self.limit / 100), self._credit - 1.0)
        if again:
            self._in_a_row += 1
        if self.limit is None:
            self.limit = max(1, in_flight)
        elif expected:
            self._patience = min(self.clips_a_refusal, 2 * self._patience)
            self.limit = max(1, min(in_flight, self.limit))
        elif in_flight < self._foothold or (not self._foothold and self._doubted is None):  # it may be chance
            if self._doubted is not None:
                self._fall(in_flight)
            self._doubted = in_flight
        else:
            # Not even one less fits: some of what was taken beyond the foothold stood in for clips whose end nobody had noticed.
            self.limit = max(1, self._foothold or in_flight, in_flight - 2**self._falls)
            self._falls += 1
        self.current = max(1, min(self.current, int(self.limit * 0.8 ** max(0, self._in_a_row - 1))))
        return expected

    def _fall(self, in_flight: int) -> None:
        """Less fits than has held."""
        self._fallen_from = self._fallen_from or self._foothold
        self.limit = max(1, min(in_flight, self.limit or in_flight))
        self._patience, self._credit = min(self._patience, max(1, self.limit // 4)), 0.0

    def recall(self, limit: int | None) -> None:
        """So many fitted in an earlier run; None: that is not known."""
        self.limit = limit
        if limit is not None:
            self.current = min(self.current, limit)
            self._patience = min(RECALLED_CLIPS, self.clips_a_refusal)

    def forget(self, rendering: int) -> None:
        """The limit is not known after all: so many render, and a refusal was for another reason."""
        self.limit, self.current = None, max(self.current, rendering)
        self._foothold = self._fallen_from = self._filled = 0
        self._doubted = None
        self._patience = self.clips_a_refusal


def window_for(setting: int | Literal["auto"]) -> Window:
    """The window that ``submit.max_in_flight`` asks for."""
    return AdaptiveWindow() if setting == "auto" else FixedWindow(setting)
