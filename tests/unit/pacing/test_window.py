"""The window by itself; what it comes to is in test_submit_pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pacing import AdaptiveWindow, FixedWindow, window_for


def filled(window: AdaptiveWindow, limit: int, submits: int) -> int:
    """Submit one at a time against a limit, a clip ending after each refusal; returns the refusals."""
    rendering = refused = 0
    for _ in range(submits):
        if rendering >= window.size:
            rendering -= 1
        if rendering < limit:
            window.accepted(rendering, rendering)
            rendering += 1
        else:
            window.refused(rendering, again=False)
            refused += 1
            rendering -= 1
    return refused


def test_it_finds_the_limit() -> None:
    window = AdaptiveWindow()
    filled(window, 40, 200)
    assert window.limit == 40
    assert 40 <= window.size <= 41


def test_it_probes_gently() -> None:
    window = AdaptiveWindow()
    filled(window, 40, 200)
    assert filled(window, 40, 1000) <= 20


def test_it_follows_a_limit_up_and_down() -> None:
    window = AdaptiveWindow()
    filled(window, 40, 200)
    filled(window, 60, 300)
    assert window.limit == 60
    filled(window, 10, 200)
    assert window.limit is not None
    assert window.limit <= 11


def test_an_earlier_nights_limit_is_grown_to_and_not_beyond() -> None:
    window = AdaptiveWindow(limit=30)
    assert window.size < 30
    assert filled(window, 30, 60) == 0
    assert window.size == 30


def test_what_stood_in_for_ended_clips_is_given_back_in_steps_that_double() -> None:
    window = AdaptiveWindow(current=30, limit=30)
    while window.size == 30:
        window.accepted(29, 29)
    for rendering in range(30, 38):  # eight had ended, and nobody had noticed
        window.accepted(rendering, rendering)
    limits = []
    for in_flight in (38, 37, 35, 32):
        window.refused(in_flight, again=False)
        limits.append(window.limit)
    assert limits == [38, 36, 33, 30]


def test_a_limit_that_rose_by_much_is_not_given_up_for_one_clip_too_many() -> None:
    window = AdaptiveWindow(current=20, limit=20)
    while window.size == 20:
        window.accepted(19, 19)
    for rendering in range(20, 41):  # 40 fit, and one had ended that nobody had noticed
        window.accepted(rendering, rendering)
    window.refused(41, again=False)
    window.refused(40, again=False)
    assert window.limit == 39


def test_a_limit_that_rose_by_a_little_is_kept() -> None:
    window = AdaptiveWindow(current=30, limit=30)
    while window.size == 30:
        window.accepted(29, 29)
    for rendering in (30, 31):
        window.accepted(rendering, rendering)
    window.refused(32, again=False)
    for _ in range(60):
        window.accepted(31, 31)
    assert window.limit == 32


def held(limit: int) -> AdaptiveWindow:
    """A window whose limit was filled many times."""
    window = AdaptiveWindow(current=limit, limit=limit)
    for _ in range(3 * limit):
        window.accepted(limit - 1, limit - 1)
    window.refused(limit, again=False)  # one more was tried
    return window


def test_a_refusal_below_what_holds_may_be_chance() -> None:
    window = held(20)
    for _ in range(30):
        window.refused(19, again=False)
        window.accepted(19, 19)
    assert window.limit == 20


def test_two_refusals_below_what_holds_are_none_whatever_ends_between() -> None:
    window = held(20)
    window.refused(12, again=False)
    window.accepted(11, 11)
    window.refused(12, again=False)
    assert window.limit == 12


def test_what_was_lost_is_asked_for_soon_and_then_ever_more_rarely() -> None:
    window, tries = held(40), []
    for in_flight in (19, 18, 17, 16):
        window.refused(in_flight, again=False)
    assert window.limit == 16
    for taken in range(130):
        window.accepted(min(15, window.size - 1), 15)
        if window.size > 16:
            tries.append(taken + 1)
            window.refused(16, again=False)
    assert len(tries) >= 4
    assert tries[0] <= 8
    assert all(later - earlier >= 1.5 * (earlier - before)
               for before, earlier, later in zip([0, *tries], tries, tries[1:], strict=False))  # fmt: skip


def test_what_was_lost_and_is_regained_holds_again() -> None:
    window = held(20)
    for in_flight in (5, 4, 3, 2, 1):
        window.refused(in_flight, again=False)
    assert window.limit == 1
    for rendering in range(21):
        window.accepted(rendering, rendering)
    assert window.limit == 21


def test_an_earlier_runs_limit_is_asked_about_sooner() -> None:
    window = AdaptiveWindow()
    window.recall(2)
    taken = 0
    while window.size <= 2:
        window.accepted(1, 1)
        taken += 1
    assert 10 <= taken <= 20


def test_refusal_after_refusal_shrinks_it() -> None:
    window = AdaptiveWindow(current=100, limit=100)
    for _ in range(5):
        window.refused(99, again=True)
    assert window.size < 60


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.booleans()), max_size=200))
def test_it_never_closes_and_never_passes_its_ceiling(news: list[tuple[bool, int, bool]]) -> None:
    window = AdaptiveWindow(ceiling=200)
    for taken, in_flight, again in news:
        if taken:
            window.accepted(in_flight, in_flight)
        else:
            window.refused(in_flight, again=again)
        assert window.size >= 1
        assert window.limit is None or window.limit >= 1


def test_a_given_number_stays() -> None:
    window = window_for(7)
    assert isinstance(window, FixedWindow)
    window.accepted(7, 7)
    assert not window.refused(3, again=True)
    assert window.size == 7
    assert isinstance(window_for("auto"), AdaptiveWindow)


@pytest.mark.parametrize(("limit", "clips"), [(20, (100, 145)), (1000, (400, 425))])
def test_a_handful_that_is_refused_silences_the_search_for_as_long_as_clips_are_many(
    limit: int, clips: tuple[int, int]
) -> None:
    window = AdaptiveWindow(current=limit, limit=limit)
    for _ in range(5):
        window.refused(limit, again=False)

    taken = 0
    while window.size <= limit:
        window.accepted(limit - 1, limit - 1)
        taken += 1

    assert clips[0] <= taken <= clips[1]
