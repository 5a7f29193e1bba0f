"""The time that is left: steady from the first word on, and right within a fifth of the whole from a quarter of the way on."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.simulator import Limits, adaptive, log_normal
from benchmarks.simulator.night import Client
from benchmarks.simulator.provider import Provider
from pipeline.eta import Eta
from pipeline.pacing import Backoff, Learned, SubmitPace, window_for

Render = Callable[[random.Random], float]


def night(rows: int, window: int, render: Render, workers: int = 0) -> list[tuple[float, str, str]]:
    """What happens when: a window of clips, rendered at once or by a few workers one after another."""
    rng = random.Random(5)
    events: list[tuple[float, str, str]] = []
    free = [0.0] * workers
    rendering: list[tuple[float, int]] = []

    def start(number: int, at: float) -> None:
        events.append((at, "accepted", str(number)))
        took = render(rng)
        end = at + took
        if workers:
            end = max(heapq.heappop(free), at) + took
            heapq.heappush(free, end)
        heapq.heappush(rendering, (end, number))

    for number in range(min(rows, window)):
        start(number, number * 0.01)
    sent = min(rows, window)
    while rendering:
        at, number = heapq.heappop(rendering)
        events.append((at, "ended", str(number)))
        if sent < rows:
            start(sent, at)
            sent += 1
    return sorted(events)


def fed(eta: Eta, events: Sequence[tuple[float, str, str]], times: Iterable[float]) -> Iterator[tuple[float, int]]:
    """Tell of what has happened by each of the times: ``(now, clips sent so far)``."""
    sent = taken = 0
    for now in times:
        while events[taken][0] <= now:
            at, kind, row = events[taken]
            getattr(eta, kind)(row, at)
            sent += kind == "accepted"
            taken += 1
        yield now, sent


@pytest.mark.parametrize(
    ("rows", "window", "render", "workers", "expected_s"),
    [
        pytest.param(40, 10, lambda r: r.uniform(500, 560), 0, 530.0, id="four bursts"),
        pytest.param(240, 12, lambda r: r.lognormvariate(6.2, 0.2), 0, 530.0, id="a full window"),
        pytest.param(240, 100, lambda r: r.lognormvariate(6.2, 0.2), 0, 530.0, id="a wide window"),
        pytest.param(4000, 50, lambda r: r.lognormvariate(6.2, 0.3), 0, 530.0, id="four thousand"),
        pytest.param(100, 500, lambda r: r.uniform(3, 6), 2, 0.0, id="all queue for two workers"),
        pytest.param(100, 16, lambda r: r.uniform(3, 6), 2, 0.0, id="a window before two workers"),
        pytest.param(
            240, 12, lambda r: r.uniform(500, 560) if r.random() > 0.1 else 20.0, 0, 530.0, id="a tenth fails soon"
        ),
        pytest.param(240, 12, lambda r: r.uniform(900, 1100), 0, 530.0, id="a provider twice as slow as known"),
        pytest.param(240, 12, lambda r: r.uniform(200, 260), 0, 530.0, id="a provider twice as quick as known"),
    ],
)
def test_the_end_is_foreseen(rows: int, window: int, render: Render, workers: int, expected_s: float) -> None:
    events = night(rows, window, render, workers)
    whole_s = events[-1][0]
    eta = Eta(expected_s)
    for step, (now, sent) in enumerate(fed(eta, events, [whole_s * step / 200 for step in range(50, 200)]), 50):
        left_s = eta.left_s(now, rows - sent, window)
        assert left_s is not None
        assert abs(now + left_s - whole_s) < 0.2 * whole_s, f"at {step / 2:.0f} %"


def test_the_end_is_foreseen_while_the_window_is_found() -> None:
    """It begins at four places and takes one more whenever a clip ends, up to twelve."""
    rng = random.Random(5)
    events: list[tuple[float, str, str, int]] = []
    rendering: list[tuple[float, int]] = []
    sent, window, at = 0, 4, 0.0
    while sent < 240 or rendering:
        while sent < 240 and len(rendering) < window:
            events.append((at, "accepted", str(sent), window))
            heapq.heappush(rendering, (at + rng.lognormvariate(6.2, 0.2), sent))
            sent += 1
        at, number = heapq.heappop(rendering)
        window = min(12, window + 1)
        events.append((at, "ended", str(number), window))
    whole_s = events[-1][0]
    eta = Eta(530.0)
    accepted = 0
    for index, (now, kind, row, window) in enumerate(events):
        getattr(eta, kind)(row, now)
        accepted += kind == "accepted"
        is_settled = index + 1 == len(events) or events[index + 1][0] > now
        if is_settled and now >= 0.25 * whole_s:
            left_s = eta.left_s(now, 240 - accepted, window)
            assert left_s is not None
            assert abs(now + left_s - whole_s) < 0.2 * whole_s, f"at {now / whole_s:.0%}"


class Watched(Client):
    """A simulated night whose end is foreseen every few seconds, as it would be on the line: ``(now, end)``."""

    eta: Eta
    foreseen: list[tuple[float, float]]

    def watch(self, eta: Eta) -> float:
        self.eta, self.foreseen = eta, []
        return self.run().ended_at

    def _submit_answered(self, clip: int) -> None:
        before = len(self.report.accepted_at)
        super()._submit_answered(clip)
        if len(self.report.accepted_at) > before:
            self.eta.accepted(str(clip), self.now)

    def _ended(self, clip: int, one: Any, age_s: float, *, ready: bool) -> None:
        super()._ended(clip, one, age_s, ready=ready)
        self.eta.ended(str(clip), self.now)

    def _account(self, until: float) -> None:
        for second in range(len(self.report.usage), int(until) + 1):
            left_s = None if second % 5 else self.eta.left_s(second, len(self._pending), self.pace.places)
            if left_s is not None:
                self.foreseen.append((second, second + left_s))
        super()._account(until)


@pytest.mark.parametrize(
    ("clips", "limits", "remembered", "per_minute", "submit_s"),
    [
        pytest.param(240, Limits(at_once=lambda _: 12), None, 0, 1.0, id="a limit to find"),
        pytest.param(240, Limits(at_once=lambda _: 12), 12, 0, 1.0, id="a limit that is remembered"),
        pytest.param(500, Limits(at_once=lambda _: 100), None, 0, 1.0, id="a wide limit to find"),
        pytest.param(240, Limits(), None, 0, 1.0, id="no limit"),
        pytest.param(240, Limits(), None, 0, 20.0, id="a slow line"),
        pytest.param(240, Limits(), None, 10, 1.0, id="ten submits a minute, as the user wants it"),
        pytest.param(240, Limits(per_span=lambda _: 20, submits_only=True), None, 0, 1.0, id="twenty, as the API does"),
        pytest.param(240, Limits(per_span=lambda _: 60), None, 0, 1.0, id="sixty requests a minute"),
        pytest.param(12, Limits(), None, 0, 1.0, id="a dozen"),
    ],
)
def test_the_foreseen_end_does_not_jump(
    clips: int, limits: Limits, remembered: int | None, per_minute: int, submit_s: float
) -> None:
    rng = random.Random(3)
    pace = SubmitPace(window_for("auto"), per_minute, Backoff(1.0, 120.0, rng))
    pace.recall(Learned(clips_at_once=remembered))
    night = Watched(Provider(log_normal(520.0, 0.15), limits, random.Random(4)), pace, adaptive(), rng, clips, submit_s)

    whole_s = night.watch(Eta(530.0))

    assert night.foreseen[0][0] <= 150, "it is told soon"
    for (_, before), (now, after) in pairwise(night.foreseen):
        assert abs(after - before) < 0.2 * whole_s, f"at {now:.0f} s"
    assert all(abs(end - whole_s) < 0.45 * whole_s for _, end in night.foreseen)


@pytest.mark.parametrize(("rows", "workers"), [(4, 2), (4, 16), (40, 2), (40, 8), (300, 16)])
def test_a_local_studio_is_foreseen_once_its_first_clips_have_ended(rows: int, workers: int) -> None:
    """All of them are accepted at once, and a few are worked on."""
    events = night(rows, rows, lambda rng: rng.uniform(15, 25), workers)
    whole_s = events[-1][0]
    eta = Eta(workers=workers)
    said = []
    for now, sent in fed(eta, events, range(1, int(whole_s) + 1)):
        left_s = eta.left_s(now, rows - sent, None)
        if left_s is not None:
            said.append(now + left_s)
    assert len(said) > 0.5 * whole_s or rows < workers
    assert all(abs(end - whole_s) < 0.3 * whole_s for end in said)


def test_what_an_earlier_run_sent_says_nothing_of_this_ones_pace() -> None:
    eta = Eta(530.0, since=1000.0)
    eta.accepted("earlier", 500.0)
    for number in range(30):
        eta.accepted(str(number), 1000.0 + 6 * number)

    left_s = eta.left_s(1180.0, 100, None)

    assert left_s == pytest.approx(100 * 6 + 530, rel=0.02)


def test_nothing_is_said_before_anything_is_known() -> None:
    assert Eta().left_s(0, 10, 4) is None
    assert Eta(530).left_s(0, 10, 4) == pytest.approx(3 * 530)


def test_when_nothing_is_left_nothing_is_left() -> None:
    assert Eta(530).left_s(0, 0, 4) == 0
