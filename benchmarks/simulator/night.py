"""A night's events, in the order of a virtual clock: what the stages do with the pacing, without sockets and disks."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from benchmarks.simulator.laws import Law
from benchmarks.simulator.provider import Limits, Provider
from pipeline.pacing import Backoff, PollPlan, PollQueue, SubmitPace, Window, poll_plan_for, window_for

__all__ = ["Client", "Report", "adaptive", "fixed", "simulate"]

POLLS_AT_ONCE = 32
Event = Literal["wake", "submit arrives", "submit answered", "poll arrives", "poll answered"]


def adaptive(*, interval_s: float = 1.0, expected_s: float = 530.0, notice_s: float = 0.0) -> PollPlan:
    """The plan of ``poll.strategy: adaptive``."""
    return poll_plan_for("adaptive", interval_s, expected_s, notice_s)


def fixed(interval_s: float = 10.0) -> PollPlan:
    """The documented way."""
    return poll_plan_for("fixed", interval_s, 0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """What a night came to. Lists are in the order in which clips were noticed, or submits answered.

    Attributes:
        polls, notice_s: of each clip: polls, and seconds from being ready until the poll that saw it.
        accepted_at, refused_at: times of submits.
        polls_refused: 429s.
        usage: by time: of the clip-seconds that the limit allowed, the share that was rendered, for each tenth.
        ended_at: when the last clip was noticed.
    """

    polls: list[int]
    notice_s: list[float]
    accepted_at: list[float]
    refused_at: list[float]
    polls_refused: int
    usage: list[tuple[float, float]]
    ended_at: float

    def mean_polls(self, after: int = 0) -> float:
        """Polls a clip, of those noticed after so many others."""
        return sum(self.polls[after:]) / len(self.polls[after:])

    def mean_notice_s(self, after: int = 0) -> float:
        """Seconds of notice a clip, of those noticed after so many others."""
        return sum(self.notice_s[after:]) / len(self.notice_s[after:])

    def product(self, after: int = 0) -> float:
        """Polls a clip times mean notice: what ``least_product`` bounds."""
        return self.mean_polls(after) * self.mean_notice_s(after)

    def refused_share(self, after_s: float, before_s: float = float("inf")) -> float:
        """Refused submits for each accepted one within a time."""
        refused = sum(after_s <= at < before_s for at in self.refused_at)
        return refused / max(1, sum(after_s <= at < before_s for at in self.accepted_at))

    def used_share(self, after_s: float, before_s: float) -> float:
        """Of the clip-seconds that the limit allowed within a time, the share that was used."""
        used, offered = zip(*[(u, o) for at, u, o in _steps(self.usage) if after_s <= at < before_s], strict=True)
        return float(sum(used) / sum(offered))


def _steps(usage: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Differences of the running sums; their index is the time in seconds."""
    return [
        (float(second), later[0] - earlier[0], later[1] - earlier[1])
        for second, (earlier, later) in enumerate(pairwise(usage))
    ]


@dataclass(slots=True)
class _Outstanding:
    sent_at: float
    voice_s: float
    seen_s: float = 0.0
    polls: int = 0


@dataclass(slots=True)
class Client:
    """Submits and polls as the stages do.

    Attributes:
        clips: how many there are in all.
        submit_s, poll_s: seconds that a request takes.
        give_up_s: after which a clip is dropped.
        voice_s: seconds of voice of a clip.
    """

    provider: Provider
    pace: SubmitPace
    plan: PollPlan
    rng: random.Random
    clips: int
    submit_s: float = 1.0
    poll_s: float = 0.2
    give_up_s: float = 7200.0
    voice_s: Callable[[random.Random], float] = lambda _rng: 0.0
    report: Report = field(default_factory=lambda: Report([], [], [], [], 0, [], 0.0))
    now: float = 0.0
    polls_refused: int = 0
    _events: list[tuple[float, int, Event, int]] = field(default_factory=list)
    _count: int = 0
    _pending: list[int] = field(default_factory=list)
    _airborne: int = 0
    _polls_airborne: int = 0
    _rendering: dict[int, _Outstanding] = field(default_factory=dict)
    _queue: PollQueue[int] = field(init=False)
    _version: int = 0
    _wake_at: float = -1.0
    _taken: dict[int, bool] = field(default_factory=dict)
    _ready: dict[int, bool | None] = field(default_factory=dict)
    _sent: dict[int, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._queue = PollQueue(self.rng)
        self._pending = list(range(self.clips, 0, -1))

    def run(self) -> Report:
        """The night."""
        self._later(0.0, "wake")
        while self._events and (self._pending or self._airborne or self._rendering):
            at, _, event, clip = heapq.heappop(self._events)
            self._account(at)
            self.now = at
            if event == "submit arrives":
                self._taken[clip] = self.provider.submit(clip, self._sent[clip][1], at)
                self._later(self.submit_s / 2, "submit answered", clip)
            elif event == "submit answered":
                self._submit_answered(clip)
            elif event == "poll arrives":
                self._ready[clip] = self.provider.poll(clip, at)
                self._later(self.poll_s / 2, "poll answered", clip)
            elif event == "poll answered":
                self._poll_answered(clip)
            self._act()
        done = self.report
        return Report(
            done.polls, done.notice_s, done.accepted_at, done.refused_at, self.polls_refused, done.usage, self.now
        )

    def _account(self, until: float) -> None:
        usage = self.report.usage
        while len(usage) <= until:
            self.provider.measure(float(len(usage)))
            usage.append((self.provider.used, self.provider.offered))

    def _later(self, delay_s: float, event: Event, clip: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay_s, self._count, event, clip))

    def _act(self) -> None:
        waits = [self._submit_all(), self._poll_all()]
        wake_s = min((wait for wait in waits if wait is not None), default=None)
        if wake_s is not None and (self._wake_at <= self.now or self.now + wake_s < self._wake_at):
            self._wake_at = self.now + max(1e-6, wake_s)
            self._later(max(1e-6, wake_s), "wake")

    # --- submits -------------------------------------------------------------------------------------------------

    def _submit_all(self) -> float | None:
        while self._pending:
            wait_s = self.pace.wait_s(self.now, len(self._rendering) + self._airborne)
            if wait_s != 0:
                return wait_s
            clip = self._pending.pop()
            self._airborne += 1
            self._sent[clip] = (self.now, self.voice_s(self.rng))
            self.pace.started(self.now)
            self._later(self.submit_s / 2, "submit arrives", clip)
        return None

    def _submit_answered(self, clip: int) -> None:
        self._airborne -= 1
        if not self._taken.pop(clip):
            self.report.refused_at.append(self.now)
            self.pace.refused(self.now, len(self._rendering) + self._airborne)
            self._pending.append(clip)
            return
        self.report.accepted_at.append(self.now)
        self.pace.accepted(self.now, len(self._rendering) + self._airborne, len(self._rendering))
        sent_at, voice_s = self._sent.pop(clip)
        self._rendering[clip] = _Outstanding(sent_at, voice_s)
        self.plan.renders(clip, 0.0, voice_s)
        self._queue.put(clip, sent_at, self.plan.gap_s(0.0, voice_s))

    # --- polls ---------------------------------------------------------------------------------------------------

    def _poll_all(self) -> float | None:
        while True:
            if self.plan.version != self._version:
                self._version = self.plan.version
                self._queue.replan(self._gap_s)
            due = self._queue.next_at()
            if due is None or self._polls_airborne >= POLLS_AT_ONCE:
                return None
            wait_s = max(due - self.now, self.pace.requests.wait_s(self.now, "poll"))
            clip = self._queue.pop(self.now, self._gain) if wait_s <= 0 else None
            if clip is None:
                return max(wait_s, 0.0)
            self.pace.requests.sent(self.now, "poll")
            self._polls_airborne += 1
            self._rendering[clip].polls += 1
            self._later(self.poll_s / 2, "poll arrives", clip)

    def _gap_s(self, clip: int) -> float:
        one = self._rendering[clip]
        return self.plan.gap_s(one.seen_s, one.voice_s)

    def _gain(self, clip: int) -> float:
        one = self._rendering[clip]
        return self.plan.gain(one.seen_s, self.now - one.sent_at, one.voice_s)

    def _poll_answered(self, clip: int) -> None:
        self._polls_airborne -= 1
        ready, one = self._ready.pop(clip), self._rendering[clip]
        age_s = self.now - one.sent_at
        if ready is None:
            self.polls_refused += 1
            self.pace.requests.refused(self.now)
            self._queue.put(clip, one.sent_at + one.seen_s, self._gap_s(clip))
            return
        self.pace.requests.answered(self.now)
        if ready or age_s > self.give_up_s:
            self._ended(clip, one, age_s, ready=ready)
            return
        one.seen_s = age_s
        self.plan.renders(clip, age_s, one.voice_s)
        self._queue.put(clip, self.now, self._gap_s(clip))

    def _ended(self, clip: int, one: _Outstanding, age_s: float, *, ready: bool) -> None:
        del self._rendering[clip]
        if ready:
            self.plan.ready(clip, age_s, one.voice_s)
            self.report.polls.append(one.polls)
            self.report.notice_s.append(self.now - self.poll_s / 2 - self.provider.ready_at[clip])
        else:
            self.plan.gone(clip)
            self.report.polls.append(one.polls)
            self.report.notice_s.append(0.0)
        self.pace.clip_ended(self.now)


def simulate(
    law: Law,
    *,
    clips: int = 1000,
    at_once: int | Window = 20,
    plan: PollPlan | None = None,
    limits: Limits | None = None,
    seed: int = 1,
    **options: float,
) -> Report:
    """A night.

    Args:
        law: of render times.
        clips: how many.
        at_once: a fixed number, or a window such as ``submit.max_in_flight: auto`` has.
        plan: of polls; the adaptive one with its defaults if none is given.
        limits: of the provider; none if none are given.
        seed: of all chance.
        options: of ``Client``.
    """
    rng = random.Random(seed)
    window = window_for(at_once) if isinstance(at_once, int) else at_once
    pace = SubmitPace(window, 0.0, Backoff(1.0, 120.0, rng))
    provider = Provider(law, limits or Limits(), random.Random(seed + 1))
    return Client(provider, pace, plan or adaptive(), rng, clips, **options).run()  # type: ignore[arg-type]
