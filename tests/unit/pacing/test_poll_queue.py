"""Whose turn it is."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.pacing import PollQueue


def a_queue() -> PollQueue[str]:
    return PollQueue(random.Random(1))


def no_matter(_clip: object) -> float:
    return 0.0


def test_clips_come_when_they_are_due() -> None:
    queue = a_queue()
    queue.put("late", 0.0, 100.0)
    queue.put("soon", 0.0, 10.0)
    assert queue.pop(5.0, no_matter) is None
    assert 9.0 <= (queue.next_at() or 0.0) <= 11.0
    assert queue.pop(12.0, no_matter) == "soon"
    assert queue.pop(12.0, no_matter) is None
    assert queue.pop(120.0, no_matter) == "late"
    assert queue.next_at() is None


def test_of_those_due_the_one_with_the_most_to_gain_comes_first() -> None:
    queue = a_queue()
    queue.put("unlikely", 0.0, 80.0)
    queue.put("likely", 90.0, 5.0)
    queue.put("only a link", 100.0, 1.0, planned=False)
    queue.put("not due", 100.0, 500.0)
    gain = {"unlikely": 0.1, "likely": 0.7, "not due": 9.0}.__getitem__
    assert [queue.pop(110.0, gain) for _ in range(4)] == ["only a link", "likely", "unlikely", None]


def test_where_nothing_limits_polls_the_longest_due_comes_first_and_nothing_is_weighed() -> None:
    queue = a_queue()
    for name, gap_s in (("last", 80.0), ("first", 10.0), ("not due", 500.0), ("second", 40.0)):
        queue.put(name, 0.0, gap_s)

    assert [queue.pop(110.0, None) for _ in range(4)] == ["first", "second", "last", None]
    assert queue.next_at() is not None


def test_clips_that_competed_are_asked_once_the_limit_is_gone() -> None:
    queue = a_queue()
    for name in ("a", "b", "c"):
        queue.put(name, 0.0, 10.0)
    gain = {"a": 1.0, "b": 3.0, "c": 2.0}.__getitem__

    assert queue.pop(20.0, gain) == "b"
    assert {queue.pop(20.0, None), queue.pop(20.0, None)} == {"a", "c"}
    assert queue.pop(20.0, None) is None


def test_a_new_plan_moves_clips_both_ways() -> None:
    queue = a_queue()
    queue.put("a", 0.0, 100.0)
    queue.put("b", 0.0, 10.0)
    queue.put("troubled", 0.0, 50.0, planned=False)
    queue.replan({"a": 5.0, "b": 200.0, "troubled": 1.0}.__getitem__)
    assert queue.pop(6.0, no_matter) == "a"
    assert queue.pop(40.0, no_matter) is None
    assert queue.pop(60.0, no_matter) == "troubled"
    assert queue.pop(230.0, no_matter) == "b"


def test_clips_that_started_together_are_not_asked_together() -> None:
    queue: PollQueue[int] = PollQueue(random.Random(1))
    for number in range(100):
        queue.put(number, 0.0, 100.0)
    early = sum(queue.pop(95.0, no_matter) is not None for _ in range(100))
    assert 10 < early < 40


def test_clips_that_are_due_nearly_together_are_asked_in_one_go() -> None:
    queue: PollQueue[int] = PollQueue(random.Random(1))
    for number in range(1000):
        queue.put(number, number / 100, 20.0)

    wakes, asked = 0, 0
    while (due := queue.next_at()) is not None:
        wakes += 1
        while queue.pop(due, None) is not None:
            asked += 1
    assert asked == 1000
    assert wakes < 150  # 14 s, in tenths of a second


def test_what_has_a_time_of_its_own_is_not_brought_forward() -> None:
    queue: PollQueue[int] = PollQueue(random.Random(1))
    for number in range(100):
        queue.put(number, number / 100, 20.0, planned=False)
        queue.put(1000 + number, number / 100, 1.0)

    times = set()
    while (due := queue.next_at()) is not None:
        assert queue.pop(due, None) is not None
        assert queue.next_at() != due, "each at its own time"
        times.add(due)
    assert len(times) == 200


@given(
    st.lists(st.tuples(st.integers(0, 8), st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=40),
    st.lists(st.floats(0, 200), max_size=10),
    st.booleans(),
)
def test_each_clip_comes_once_for_each_time_it_stands_in_the_queue(
    puts: list[tuple[int, float, float]], looks: list[float], replanned: bool
) -> None:
    queue: PollQueue[int] = PollQueue(random.Random(1))
    waiting: set[int] = set()
    for (clip, since, gap_s), look in zip(puts, [*looks, *[0.0] * len(puts)], strict=False):
        queue.put(clip, since, gap_s)
        waiting.add(clip)
        if (popped := queue.pop(look, no_matter)) is not None:
            assert popped in waiting
            waiting.discard(popped)
        if replanned:
            queue.replan(float)
    assert len(queue) == len(waiting)
    while (popped := queue.pop(1e6, no_matter)) is not None:
        waiting.remove(popped)
    assert not waiting
