"""How long to wait, and when to give up."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pacing import Backoff, Outage


class Top(random.Random):
    """Chance that always falls highest."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_ceiling_doubles_up_to_the_longest() -> None:
    backoff = Backoff(1.0, 10.0, Top())

    assert [backoff.wait_s(failures) for failures in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert [backoff.wait_s(2, least_s) for least_s in (None, 0.0, 1.5, 30.0)] == [2, 2, 2, 30]


@given(
    base=st.floats(0.001, 100), longest=st.floats(0.001, 1000), failures=st.integers(1, 10**9), seed=st.integers(0, 100)
)
def test_a_wait_is_never_negative_and_never_beyond_its_ceiling(
    base: float, longest: float, failures: int, seed: int
) -> None:
    wait_s = Backoff(base, longest, random.Random(seed)).wait_s(failures)

    assert 0 <= wait_s <= min(longest, base * 2.0 ** min(failures - 1, 64))


def test_waits_are_spread_over_the_whole_of_it() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(1))

    waits = [backoff.wait_s(10) for _ in range(1000)]

    assert min(waits) < 0.5
    assert max(waits) > 7.5
    assert sum(waits) / 1000 == pytest.approx(4.0, abs=0.3)


def test_it_takes_many_failures_and_a_long_time() -> None:
    outage = Outage(attempts=3, patience_s=60)

    assert [outage.failed(now) for now in (0, 1, 2, 59)] == [False, False, False, False]
    assert outage.failed(60)


def test_time_alone_is_not_enough() -> None:
    outage = Outage(attempts=3, patience_s=60)

    assert [outage.failed(now) for now in (0, 1000)] == [False, False]
    assert outage.failed(1001)


def test_one_answer_starts_it_all_over() -> None:
    outage = Outage(attempts=2, patience_s=10)
    outage.failed(0)
    outage.answered()

    assert not outage.failed(100)
    assert not outage.failed(109)
    assert outage.failed(110)
