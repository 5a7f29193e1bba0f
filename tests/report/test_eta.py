"""The time that is left: right within a fifth of the whole from a quarter of the way on, however a night goes."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from pipeline.eta import Eta

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
    sent = taken = 0
    for step in range(50, 200):
        now = whole_s * step / 200
        while events[taken][0] <= now:
            at, kind, row = events[taken]
            getattr(eta, kind)(row, at)
            sent += kind == "accepted"
            taken += 1
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


def test_nothing_is_said_before_anything_is_known() -> None:
    assert Eta().left_s(0, 10, 4) is None
    assert Eta(530).left_s(0, 10, 4) == pytest.approx(3 * 530)


def test_when_nothing_is_left_nothing_is_left() -> None:
    assert Eta(530).left_s(0, 0, 4) == 0
