"""When the next submit may go: the window, the rates, and what refusals taught.

A 429 says that there was too much of something, and not of what. What follows tells: when polls are refused as well,
there were too many requests in all; when one more is taken though no clip has ended, there were too many submits in
too short a time; when nothing is taken until a clip ends, too many render at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.pacing.backoff import Backoff
from pipeline.pacing.memory import Learned
from pipeline.pacing.render_times import Observation
from pipeline.pacing.request_rate import RequestRate
from pipeline.pacing.window import AdaptiveWindow, Window

__all__ = ["SubmitPace"]

TRIES_S = (1.0, 4.0, 15.0, 60.0)
"""Pauses before a submit that only asks what a refusal meant; the last outlasts a limit a minute."""
UNSEEN_S = 30.0
"""So long after a poll was refused, ends of clips may still be noticed late."""
HINDSIGHT_S = 15.0
"""When a submit was taken though no clip seemed to have ended, one may have, unseen: so long is waited for that news."""
TRIAL_S = 30.0
"""While the API fails, the longest that others wait for the answer to one submit."""


@dataclass(slots=True)
class _Doubt:
    """A refusal of unknown meaning, met while ``level`` clips rendered."""

    level: int
    since: float
    try_at: float
    tries: int = 0
    taken_at: float | None = None


@dataclass(slots=True)
class SubmitPace:
    """Says how long to wait before the next submit.

    Attributes:
        window: clips rendering at once.
        per_minute: submits a minute that the user allows, evenly spaced; 0 for no limit.
        backoff: the waits after refusals and failures in a row.
        requests_per_minute: submits and polls a minute that the user allows; 0 for no limit.
        requests: the rate of submits and polls together; the poller keeps to it as well.
        submits: the rate of submits alone.
    """

    window: Window
    per_minute: float
    backoff: Backoff
    requests_per_minute: float = 0.0
    requests: RequestRate = field(init=False)
    submits: RequestRate = field(init=False)
    _closed_until: float = 0.0
    _refusals: int = 0
    _doubt: _Doubt | None = None
    _sure: bool = False
    _recalled_limit: int | None = None
    _failures: int = 0
    _rests_until: float = 0.0
    _trial_until: float = 0.0

    def __post_init__(self) -> None:
        self.requests = RequestRate(self.backoff, self.requests_per_minute)
        self.submits = RequestRate(self.backoff, self.per_minute)

    def recall(self, learned: Learned) -> None:
        """Start from what an earlier run has learned, as far as this one knows no better yet."""
        self._recalled_limit = self._recalled_limit or learned.clips_at_once
        if isinstance(self.window, AdaptiveWindow) and self.window.limit is None and not self._refusals:
            self.window.recall(learned.clips_at_once)
        for rate, known in ((self.requests, learned.requests_per_s), (self.submits, learned.submits_per_s)):
            if rate.learned_per_s == math.inf and known:
                rate.learned_per_s = known

    def learned(self, observations: Sequence[Observation]) -> Learned:
        """What the next run may start from; the render times are the plan's."""
        return Learned.of(
            self.window.limit if isinstance(self.window, AdaptiveWindow) else self._recalled_limit,
            self.requests.learned_per_s,
            self.submits.learned_per_s,
            observations,
        )

    @property
    def places(self) -> int | None:
        """How many clips may render at once, as far as is known; None while that is being found."""
        if isinstance(self.window, AdaptiveWindow):
            return None if self._doubt else self.window.limit
        return self.window.size

    def wait_s(self, now: float, in_flight: int) -> float | None:
        """Seconds until the next submit may go; None: not before a clip ends."""
        self._look_back(now, in_flight)
        wait_s = max(
            0.0, max(self._closed_until, self._rests_until, self._trial_until) - now,
            self.submits.wait_s(now, "submit"), self.requests.wait_s(now, "submit"),
        )  # fmt: skip
        if in_flight < self.window.size:
            return wait_s
        return max(wait_s, self._doubt.try_at - now) if self._doubt else None

    def started(self, now: float) -> None:
        """A submit goes out."""
        self.submits.sent(now, "submit")
        self.requests.sent(now, "submit")
        if self._failures:
            self._trial_until = now + TRIAL_S
        doubt = self._doubt
        if doubt and now >= doubt.try_at and doubt.taken_at is None:
            doubt.tries += 1
            # The last word: refused once more, it is the number of clips.
            doubt.try_at = now + TRIES_S[min(doubt.tries, len(TRIES_S) - 1)]

    def accepted(self, now: float, in_flight: int, rendering: int) -> None:
        """It was taken, while so many others were under way and so many of these were known to render."""
        self._refusals = 0
        self.answered()
        self.submits.answered(now)
        self.requests.answered(now)
        doubt = self._doubt
        if doubt and rendering >= doubt.level and doubt.taken_at is None:
            doubt.taken_at = now
            doubt.try_at = now + HINDSIGHT_S
        # While polls are held up clips end unseen: that one more was taken tells nothing of the limit.
        self.window.accepted(in_flight, None if self.requests.refused_since(now - UNSEEN_S) else rendering)

    def refused(self, now: float, in_flight: int, retry_after_s: float | None = None) -> None:
        """429: one too many, or too soon."""
        self.answered()
        if self.requests.refused_lately(now) or self.requests.refusing:
            self.requests.refused(now, retry_after_s)
            return
        if self.submits.refused_lately(now) or self.submits.strained(now):
            self.submits.refused(now, retry_after_s)
            return
        # Requests that were in the air together are refused together: that counts once.
        fresh = now >= self._closed_until
        expected = self.window.refused(in_flight, again=fresh and self._refusals > 0)
        foreseen = expected and self._doubt is None
        self._sure = self._sure or foreseen
        if fresh and not foreseen:
            self._refusals += 1
        self._wonder(now, in_flight)
        if expected and not retry_after_s:
            return  # the window is full: the next goes when a clip ends
        self._close(now, retry_after_s)

    def _look_back(self, now: float, in_flight: int) -> None:
        doubt = self._doubt
        if doubt and doubt.taken_at is not None and now >= doubt.try_at:
            self._was_haste(doubt, doubt.taken_at, now, in_flight)

    def _was_haste(self, doubt: _Doubt, taken_at: float, now: float, in_flight: int) -> None:
        """No clip had made room for what was taken: there were too many submits in too short a time."""
        if self._goes_on(doubt, now):
            return
        self._doubt = None
        if isinstance(self.window, AdaptiveWindow):
            self.window.forget(in_flight + 1)
        self.submits.overrun(doubt.since, taken_at)

    def _goes_on(self, doubt: _Doubt, now: float) -> bool:
        """Whether polls were held up meanwhile, so that clips may have ended unseen: no telling before another try."""
        if not self.requests.refused_since(doubt.since):
            return False
        self._doubt = _Doubt(doubt.level, now, now + UNSEEN_S)
        return True

    def _wonder(self, now: float, in_flight: int) -> None:
        if self._sure or not isinstance(self.window, AdaptiveWindow):
            return
        doubt = self._doubt
        if doubt is None:
            self._doubt = _Doubt(in_flight, now, now + TRIES_S[0])
            return
        if doubt.taken_at is not None and in_flight > doubt.level + max(2, doubt.level // 4):
            # Far more than the alleged limit render by now.
            self._was_haste(doubt, doubt.taken_at, now, in_flight)
            return
        doubt.level = min(doubt.level, in_flight)
        doubt.taken_at = None
        if doubt.tries >= len(TRIES_S):
            self._doubt, self._sure = None, True

    def answered(self) -> None:
        """The API answered a submit, whatever it said: it lives."""
        self._failures = 0
        self._rests_until = self._trial_until = 0.0

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """The API could not be reached, said that it can't serve now, or lost its answer.

        It rests, and then one submit asks for all that wait. That a clip ends meanwhile changes nothing: it is not room
        that lacks.
        """
        if now >= self._rests_until:
            self._failures += 1
            self._trial_until = 0.0
        self._rests_until = max(self._rests_until, now + (retry_after_s or self.backoff.wait_s(self._failures)))

    def clip_ended(self, now: float) -> None:
        """A clip rendered to its end, so there is room again where room was what lacked."""
        doubt = self._doubt
        if doubt and doubt.taken_at is not None and not self._goes_on(doubt, now):
            # It may have made the room that the submit found: so it was room that lacked.
            self._doubt, self._sure = None, True
        if self._refusals:
            self._closed_until = min(self._closed_until, now + self.backoff.base_s)

    def _close(self, now: float, retry_after_s: float | None) -> None:
        # A time to wait that is none, or is over, says nothing: kept to, it would be a request at once, and again.
        wait_s = retry_after_s or self.backoff.wait_s(max(1, self._refusals))
        self._closed_until = max(self._closed_until, now + wait_s)
