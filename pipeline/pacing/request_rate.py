"""How many requests a minute the API takes: none refused, no limit; refused, a rate that is found and kept to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pipeline.pacing.backoff import Backoff

__all__ = ["RequestRate"]

Who = Literal["submit", "poll"]

SPANS_S = (1.0, 10.0, 60.0)
"""Limits are kept over spans that nobody tells. One that still refuses after a pause has a span longer than that."""
SHARE = 0.95
"""Of a rate that was refused."""
RARELY, HARDLY = 0.93, 0.6
"""What a refusal leaves of a rate that had held: at most, and at least."""
SEARCH_A_SPAN, SETTLED_A_SPAN = 0.5, 0.02
"""Growth over a span that passed without a refusal: of a rate that was only roughly measured, and of one that held.

The latter doubles with each span more, so that a limit that was lifted is found out."""
LEAST_SPAN_S = 10.0
MEANINGFUL = 5
"""Answered requests before a refusal, for it to measure a rate; after fewer it only means to wait."""
CREDIT_S = 0.1
"""A sender that was late may catch up on so much: an event loop does not keep time to the millisecond."""
TRIAL_S = 2.0
"""The longest that others wait for the answer to the first request after a pause."""
LATELY_S = 5.0
TRACKED = 20_000


@dataclass(slots=True)
class RequestRate:
    """A rate limit that is learned: decrease by what was measured when refused, slow and then faster increase.

    Attributes:
        backoff: the pauses after refusals in a row.
        per_minute: a limit that the user gave; 0 for none.
        learned_per_s: what was found; inf for nothing yet.
    """

    backoff: Backoff
    per_minute: float = 0.0
    learned_per_s: float = math.inf
    _next_at: float = 0.0
    _closed_until: float = 0.0
    _refused_at: float = -math.inf
    _recalled_at: float = -math.inf
    _first_refused_at: float = -math.inf
    _refusals: int = 0
    _span_s: float = SPANS_S[-1]
    _grown_at: float = 0.0
    _searching: bool = False
    _answered: deque[float] = field(default_factory=lambda: deque(maxlen=TRACKED))
    _last: Who = "poll"
    _submit_wants_at: float = -math.inf

    @property
    def per_s(self) -> float:
        """Requests a second that may go out; inf for any number."""
        return min(self.learned_per_s, self.per_minute / 60 or math.inf)

    def wait_s(self, now: float, who: Who) -> float:
        """Seconds until another request may go out. Submits and polls that both wait take turns."""
        opens_at = max(self._next_at, self._closed_until)
        if who == "submit":
            if opens_at > now:
                self._submit_wants_at = now
        elif self._last == "poll" and opens_at + 1 / self.per_s > now and now - self._submit_wants_at < 2 / self.per_s:
            opens_at += 1 / self.per_s
        return max(0.0, opens_at - now)

    def sent(self, now: float, who: Who) -> None:
        """A request goes out."""
        self._next_at = max(self._next_at, now - CREDIT_S) + 1 / self.per_s
        if self._refusals:
            # The first after a pause asks for all that wait: until it is answered none of them goes along.
            self._next_at = max(self._next_at, now + TRIAL_S)
        self._last = who
        if who == "submit":
            self._submit_wants_at = -math.inf

    def answered(self, now: float) -> None:
        """It was not refused. Where the rate is what holds requests back, more is tried little by little."""
        self._answered.append(now)
        if now < self._closed_until:
            return  # sent before the refusal
        if self._refusals:
            self._refusals = 0
            self._next_at = min(self._next_at, now + 1 / self.per_s)
            return
        if self._next_at > now and self.learned_per_s < math.inf:
            self._grow(now)

    def refused(self, now: float, retry_after_s: float | None = None) -> None:
        """429: too many in too short a time. Requests that were in the air together count once."""
        self._refused_at = now
        if now >= self._closed_until:
            if self._refusals:
                self._next_at = min(self._next_at, now)  # the trial is over: now the pause decides
            self._refusals += 1
            self._learn(now)
        if not retry_after_s:  # none is named, or none that is ahead
            opens_at = min(now + self.backoff.wait_s(self._refusals), self._opens_at(now))
        else:
            opens_at = now + retry_after_s
        self._closed_until = max(self._closed_until, opens_at)

    def _opens_at(self, now: float) -> float:
        """When a limit lets one through at the latest: once its span has passed since the first request that it counted.

        Its span is not known, so there are some such times; the next of them, or inf.
        """
        opens_at = [next(self._within(span_s, self._first_refused_at), math.inf) + span_s for span_s in SPANS_S]
        return min((at for at in opens_at if at > now), default=math.inf)

    def _grow(self, now: float) -> None:
        # By the time since the last request, if that was held back too; never by that of a pause.
        passed = min(now - self._grown_at, 2 / self.learned_per_s) / max(LEAST_SPAN_S, self._span_s)
        self._grown_at = now
        if self._refused_at == self._recalled_at == -math.inf:
            self._recalled_at = now  # an earlier run found it: as good as refused just now
        spans = (now - max(self._refused_at, self._recalled_at)) / max(LEAST_SPAN_S, self._span_s)
        if self._searching:
            self.learned_per_s *= (1 + SEARCH_A_SPAN) ** passed
        elif spans > 1:
            self.learned_per_s *= (1 + SETTLED_A_SPAN * 2.0 ** min(5, int(spans) - 1)) ** passed

    def refused_lately(self, now: float) -> bool:
        """Whether the rate was too high a moment ago."""
        return now - self._refused_at < LATELY_S

    @property
    def refusing(self) -> bool:
        """Whether nothing was answered since the last refusal, however long ago that was: pauses grow."""
        return self._refusals > 0

    def refused_since(self, at: float) -> bool:
        """Whether the rate was too high since then."""
        return self._refused_at >= at

    def strained(self, now: float) -> bool:
        """Whether a known limit is in use to the full, so that a refusal is likely to be its."""
        if self.learned_per_s == math.inf:
            return False
        return any(self._count(span_s, now) >= 0.8 * self.learned_per_s * span_s for span_s in SPANS_S[1:])

    def overrun(self, at: float, now: float) -> None:
        """What was refused at that time was too many requests, as the one that was taken now shows.

        The limit's span can't be longer than from the first of these requests until now.
        """
        span_s = min(SPANS_S[-1], now - next(self._within(SPANS_S[-1], at), at))
        count = self._count(span_s, at)
        if count >= MEANINGFUL:
            self.learned_per_s = min(self.learned_per_s, SHARE * count / max(1.0, span_s))
            self._searching, self._span_s, self._refused_at = True, max(1.0, span_s), now

    def _within(self, span_s: float, until: float) -> Iterator[float]:
        """When requests were answered that a limit of this span counts at a time, the first of them first."""
        return (at for at in self._answered if until - span_s < at <= until)

    def _count(self, span_s: float, until: float) -> int:
        return sum(1 for _ in self._within(span_s, until))

    def _learn(self, now: float) -> None:
        """Lower the rate to what was answered over the limit's span, as far as that is known."""
        known = self.learned_per_s < math.inf
        if self._refusals == 1:
            self._first_refused_at = now
        paused_s = now - self._first_refused_at
        if known and paused_s <= self._span_s:
            if self._refusals == 1:
                # The span may be longer than was thought, but the limit is no lower than what was answered over any.
                spans = [span for span in SPANS_S if span >= self._span_s] or [SPANS_S[-1]]
                measured = SHARE * max(self._count(span, self._first_refused_at) / span for span in spans)
                self.learned_per_s = min(RARELY * self.learned_per_s, max(HARDLY * self.learned_per_s, measured))
                self._searching = False
            return
        # Where a span is so short that its limit lets too few through to tell, a longer one does.
        for span_s in [span for span in SPANS_S if span > paused_s] or [SPANS_S[-1]]:
            count = self._count(span_s, self._first_refused_at)
            if count >= MEANINGFUL:
                self.learned_per_s = min(self.learned_per_s, SHARE * count / span_s)
                self._searching, self._span_s = True, span_s
                return
