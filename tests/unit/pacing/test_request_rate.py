"""A rate is learned from refusals, kept to, and tried again."""

from __future__ import annotations

import math
import random
from collections import deque

import pytest

from pipeline.pacing import Backoff, RequestRate


def a_rate(per_minute: float = 0.0, seed: int = 1) -> RequestRate:
    return RequestRate(Backoff(1.0, 120.0, random.Random(seed)), per_minute)


def drive(rate: RequestRate, limit: int, span_s: float, begin_s: float, end_s: float) -> tuple[int, int]:
    """Send whenever it may be done, against a sliding limit; returns requests answered and refused."""
    now, taken, answered, refused = begin_s, deque[float](), 0, 0
    while now < end_s:
        wait_s = rate.wait_s(now, "poll")
        if wait_s > 0:
            now += wait_s
            continue
        rate.sent(now, "poll")
        while taken and taken[0] <= now - span_s:
            taken.popleft()
        if len(taken) < limit:
            taken.append(now)
            rate.answered(now)
            answered += 1
        else:
            rate.refused(now)
            refused += 1
        now += 0.001
    return answered, refused


@pytest.mark.parametrize(("limit", "span_s"), [(100, 60.0), (20, 10.0), (10, 1.0)])
def test_most_of_an_unknown_rate_is_used_and_little_refused(limit: int, span_s: float) -> None:
    rate = a_rate()
    drive(rate, limit, span_s, 0.0, 300.0)
    answered, refused = drive(rate, limit, span_s, 300.0, 1500.0)
    assert answered > 0.8 * limit * 1200 / span_s
    assert refused < 0.03 * answered


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_rate_of_a_few_a_second_is_found_as_well(limit: int) -> None:
    rate = a_rate()
    drive(rate, limit, 1.0, 0.0, 120.0)
    answered, refused = drive(rate, limit, 1.0, 120.0, 1200.0)
    assert answered > 0.8 * limit * 1080
    assert refused < 0.03 * answered


def test_a_rate_that_was_lifted_is_found_out() -> None:
    rate = a_rate()
    drive(rate, 10, 1.0, 0.0, 300.0)
    assert rate.per_s < 12
    drive(rate, 40, 1.0, 300.0, 600.0)
    assert rate.per_s > 20


@pytest.mark.parametrize(("limit", "span_s"), [(100, 60.0), (20, 10.0), (10, 1.0)])
@pytest.mark.parametrize("begin_s", [0.0, 1e6])
def test_a_rate_that_an_earlier_run_found_is_kept_to_and_tried_again(limit: int, span_s: float, begin_s: float) -> None:
    rate = a_rate()
    rate.learned_per_s = 0.8 * limit / span_s
    answered, refused = drive(rate, limit, span_s, begin_s, begin_s + 1200.0)
    assert answered > 0.8 * limit * 1200 / span_s
    assert refused < 0.03 * answered
    assert drive(rate, 10 * limit, span_s, begin_s + 1200.0, begin_s + 2100.0)[0] > 1.5 * limit * 900 / span_s


def test_a_few_refusals_without_an_answer_measure_nothing() -> None:
    rate = a_rate()
    now = 0.0
    for _ in range(15):
        now += rate.wait_s(now, "poll") + 0.01
        rate.refused(now)
    assert rate.learned_per_s == math.inf


@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("span_s", [10.0, 60.0])
def test_a_pause_is_over_when_the_limit_must_let_one_through(span_s: float, seed: int) -> None:
    rate = a_rate(seed=seed)
    answered, refused = drive(rate, 100, span_s, 0.0, span_s + 1.0)
    assert answered > 100
    assert refused <= 12


def test_pauses_grow_where_nothing_was_ever_answered() -> None:
    assert drive(a_rate(), 0, 60.0, 0.0, 1800.0)[1] < 60


def test_the_users_rate_is_never_exceeded() -> None:
    answered, _ = drive(a_rate(per_minute=120.0), 10**6, 60.0, 0.0, 60.0)
    assert answered <= 122


def test_retry_after_is_honoured() -> None:
    rate = a_rate()
    rate.refused(10.0, retry_after_s=20.0)
    assert rate.wait_s(12.0, "submit") == pytest.approx(18.0)


def test_a_time_to_wait_that_is_over_is_no_leave_to_ask_at_once() -> None:
    rate, now, refused = a_rate(), 0.0, 0
    while now < 600.0:
        now += rate.wait_s(now, "poll") + 0.05
        rate.sent(now, "poll")
        rate.refused(now, retry_after_s=0.0)
        refused += 1
    assert refused < 30


def test_submits_and_polls_that_both_wait_take_turns() -> None:
    rate, now, order = a_rate(per_minute=600.0), 0.0, ""
    while len(order) < 40:
        polled = rate.wait_s(now, "poll") == 0.0
        if polled:
            rate.sent(now, "poll")
            order += "p"
        if rate.wait_s(now, "submit") == 0.0:
            rate.sent(now, "submit")
            order += "s"
        now += 0.01
    assert 15 <= order.count("s") <= 25


def reopened() -> tuple[RequestRate, float]:
    """A rate after a refusal and its pause, the first request gone out; and when that was."""
    rate = a_rate()
    rate.sent(0.0, "poll")
    rate.refused(0.0)
    now = rate.wait_s(0.0, "poll")
    assert now > 0
    rate.sent(now, "poll")
    return rate, now


def test_after_a_pause_one_request_asks_for_all_that_wait() -> None:
    rate, now = reopened()
    assert rate.wait_s(now, "poll") > 1
    assert rate.wait_s(now, "submit") > 1

    rate.answered(now + 0.3)

    assert rate.wait_s(now + 0.3, "poll") == 0


def test_when_that_one_is_refused_the_next_pause_decides() -> None:
    rate, now = reopened()

    rate.refused(now + 0.3, retry_after_s=0.5)

    assert rate.wait_s(now + 0.3, "poll") == pytest.approx(0.5)


def test_when_that_one_is_never_answered_the_others_go_on() -> None:
    rate, now = reopened()
    assert rate.wait_s(now + 5.0, "poll") == 0
