"""Limits are found, used and not battered, over simulated nights."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from benchmarks.simulator import Limits, Report, adaptive, log_normal, simulate
from pipeline.pacing import AdaptiveWindow, Backoff, FixedWindow, SubmitPace

MINUTE = 60.0


def night_with(limit: int, **options: object) -> tuple[Report, float, float]:
    """A night against a limit; when it was warm and when the last clip was taken."""
    clips = max(400, 6 * limit)
    limits = Limits(at_once=lambda _now: limit)
    night = simulate(
        log_normal(530.0, 0.25),
        clips=clips,
        at_once=AdaptiveWindow(),
        limits=limits,
        **options,  # type: ignore[arg-type]
    )
    return night, night.accepted_at[max(40, 2 * limit)], night.accepted_at[-1]


@pytest.mark.parametrize("limit", [1, 5, 20, 100, 300])
def test_a_hidden_limit_is_found_used_and_not_battered(limit: int) -> None:
    night, warm, last = night_with(limit)
    assert night.used_share(warm, last) >= 0.95
    assert night.refused_share(warm, last) <= 0.02
    assert len(night.refused_at) <= 40 + 0.02 * len(night.accepted_at)


def test_how_many_clips_may_render_is_said_once_it_is_known() -> None:
    pace = SubmitPace(AdaptiveWindow(), 0.0, Backoff(1.0, 60.0, random.Random(1)))
    assert pace.places is None, "nothing was refused yet"
    pace.refused(10.0, 12)
    assert pace.places is None, "it may have been too soon, not too much"
    pace.clip_ended(11.0)
    for now in (12.0, 16.0, 31.0, 91.0):
        pace.started(now)
        pace.refused(now, 12)
    assert pace.places == 12
    assert SubmitPace(FixedWindow(5), 0.0, Backoff(1.0, 60.0, random.Random(1))).places == 5


def test_there_is_no_oscillation() -> None:
    night, warm, last = night_with(50)
    minutes = [night.used_share(at, at + 5 * MINUTE) for at in range(int(warm), int(last) - 300, 300)]
    assert min(minutes) > 0.9


def test_quick_clips_are_no_other_matter() -> None:
    limits = Limits(at_once=lambda _now: 8)
    night = simulate(
        log_normal(2.0, 0.25), clips=800, at_once=AdaptiveWindow(), limits=limits, submit_s=0.02, poll_s=0.02,
        plan=adaptive(interval_s=0.1, notice_s=0.05),
    )  # fmt: skip
    warm = night.accepted_at[150]
    assert night.used_share(warm, night.accepted_at[-1]) >= 0.93
    assert night.refused_share(warm) <= 0.02


@pytest.mark.parametrize(("before", "after", "clips"), [(20, 40, 800), (40, 20, 800), (30, 100, 1600)])
def test_a_limit_that_changes_is_followed_within_a_minute(before: int, after: int, clips: int) -> None:
    """Where there are clips enough to tell: one in 70 may be spent on asking for more."""
    limits = Limits(at_once=lambda now: before if now < 150 else after)
    shares = []
    for seed in range(1, 7):
        night = simulate(
            log_normal(10.0, 0.2), clips=clips, at_once=AdaptiveWindow(), limits=limits, submit_s=0.1, poll_s=0.05,
            plan=adaptive(interval_s=0.5), seed=seed,
        )  # fmt: skip
        shares.append(night.used_share(150 + MINUTE, min(night.accepted_at[-1], 150 + 2 * MINUTE)))
        assert sum(150 <= at < 150 + MINUTE for at in night.refused_at) <= 25
    assert mean(shares) > 0.94
    worst, *others = sorted(shares)
    assert worst > 0.9
    assert min(others) > 0.93


def test_submits_that_are_refused_together_at_the_top_do_not_shrink_the_window() -> None:
    window = AdaptiveWindow(current=20, limit=20)
    pace = SubmitPace(window, 0.0, Backoff(1.0, 60.0, random.Random(1)))
    while window.size == 20:
        pace.accepted(0.0, 19, 19)
    for rendering in range(20, 40):
        pace.accepted(1.0, rendering, rendering)
    for now, in_flight in ((2.0, 42), (2.1, 41), (2.2, 40)):  # all three were in the air when the first was refused
        pace.refused(now, in_flight)
    assert window.size == window.limit == 40


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(("usual", "low", "clips"), [(20, 0, 150), (20, 2, 150), (60, 1, 300)])
def test_an_hour_of_a_lower_limit_costs_not_much_more_than_that_hour(
    usual: int, low: int, clips: int, seed: int
) -> None:
    limits = Limits(at_once=lambda now: low if 1500 < now < 1500 + 60 * MINUTE else usual)
    night = simulate(log_normal(530.0, 0.25), clips=clips, at_once=AdaptiveWindow(), limits=limits, seed=seed)
    assert night.ended_at < 1500 + 60 * MINUTE + 1.3 * 530 * clips / usual + 45 * MINUTE
    assert len(night.refused_at) <= 100


def test_submits_that_are_refused_at_random_do_not_close_the_window() -> None:
    limits = Limits(at_once=lambda _now: 20, at_random=0.03)
    ended = sorted(
        simulate(log_normal(530.0, 0.25), clips=300, at_once=AdaptiveWindow(), limits=limits, seed=seed).ended_at
        for seed in range(1, 9)
    )
    full_s = 530 * 300 / 20
    assert ended[4] < 1.3 * full_s
    assert ended[-1] < 2.2 * full_s


def test_a_limit_that_comes_down_makes_no_storm() -> None:
    limits = Limits(at_once=lambda now: 60 if now < 3000 else 15)
    night = simulate(log_normal(530.0, 0.2), clips=500, at_once=AdaptiveWindow(), limits=limits)
    assert sum(3000 <= at < 4200 for at in night.refused_at) <= 25


@pytest.mark.parametrize(("per_span", "span_s"), [(60, 60.0), (10, 10.0)])
def test_a_limit_of_submits_a_minute_is_not_taken_for_one_of_clips(per_span: int, span_s: float) -> None:
    limits = Limits(per_span=lambda _now: per_span, span_s=span_s, submits_only=True)
    night = simulate(log_normal(530.0, 0.25), clips=500, at_once=AdaptiveWindow(), limits=limits)
    assert night.accepted_at[-1] < 1.25 * 500 * span_s / per_span + 2 * MINUTE
    assert sum(at > 5 * MINUTE for at in night.refused_at) <= 8
    assert night.polls_refused == 0


def test_one_limit_for_all_requests_holds_back_submits_and_polls() -> None:
    limits = Limits(per_span=lambda _now: 300, span_s=60.0)
    night = simulate(log_normal(530.0, 0.25), clips=400, at_once=AdaptiveWindow(), limits=limits)
    requests = len(night.accepted_at) + sum(night.polls)
    refused = len(night.refused_at) + night.polls_refused
    assert refused < 0.06 * requests
    assert sum(at > 5 * MINUTE for at in night.refused_at) <= 4
    assert requests / night.ended_at * 60 > 0.6 * 300


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize(("per_minute", "ended_s"), [(300, 1450.0), (60, 1900.0)])
def test_a_limit_of_all_requests_is_not_taken_for_one_of_clips(per_minute: int, ended_s: float, seed: int) -> None:
    limits = Limits(per_span=lambda _now: per_minute, span_s=60.0)
    night = simulate(log_normal(530.0, 0.25), clips=400, at_once=AdaptiveWindow(), limits=limits, seed=seed)
    assert night.ended_at < ended_s


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_limit_of_a_few_requests_a_second_makes_no_storm(seed: int) -> None:
    limits = Limits(per_span=lambda _now: 2, span_s=1.0)
    night = simulate(log_normal(530.0, 0.25), clips=100, at_once=AdaptiveWindow(), limits=limits, seed=seed)
    assert len(night.refused_at) + night.polls_refused < 0.06 * (len(night.accepted_at) + sum(night.polls))


def test_what_is_refused_after_a_pause_of_all_requests_is_one_request_more() -> None:
    pace = SubmitPace(AdaptiveWindow(), 0.0, Backoff(1.0, 60.0, random.Random(1)))
    for at in range(10):
        pace.accepted(at / 10, at, at)
    pace.requests.refused(1.0, retry_after_s=30.0)  # a poll
    pace.started(31.0)
    pace.refused(31.2, 10)
    assert pace.window.size > 10
    assert pace.requests.wait_s(31.2, "poll") > 0


def test_an_earlier_nights_limit_saves_the_search() -> None:
    limits = Limits(at_once=lambda _now: 100)
    night = simulate(log_normal(530.0, 0.25), clips=250, at_once=AdaptiveWindow(limit=100), limits=limits)
    assert len(night.refused_at) <= 6
    assert night.used_share(60, night.accepted_at[-1]) > 0.95


def test_a_limit_that_is_far_below_last_nights_makes_no_storm() -> None:
    limits = Limits(at_once=lambda _now: 50)
    night = simulate(log_normal(530.0, 0.25), clips=300, at_once=AdaptiveWindow(limit=300), limits=limits)
    assert len(night.refused_at) < 70


def a_pace(window: int = 4, per_minute: float = 0.0) -> SubmitPace:
    return SubmitPace(FixedWindow(window), per_minute, Backoff(1.0, 60.0, random.Random(1)))


def test_a_full_window_waits_for_a_clip() -> None:
    pace = a_pace(2)
    assert pace.wait_s(0.0, 1) == 0.0
    assert pace.wait_s(0.0, 2) is None


def test_the_users_rate_is_kept() -> None:
    pace = a_pace(100, per_minute=60.0)
    pace.started(10.0)
    assert pace.wait_s(10.0, 1) == pytest.approx(1.0, abs=0.11)


def test_retry_after_is_honoured() -> None:
    pace = a_pace()
    pace.refused(5.0, 1, retry_after_s=30.0)
    assert pace.wait_s(6.0, 0) == pytest.approx(29.0)


def test_a_time_to_wait_that_is_over_is_no_leave_to_submit_at_once() -> None:
    pace, now, refused = a_pace(), 0.0, 0
    while now < 600.0:
        wait_s = pace.wait_s(now, 0)
        assert wait_s is not None
        now += wait_s + 0.05
        pace.started(now)
        pace.refused(now, 0, retry_after_s=0.0)
        refused += 1
    assert refused < 40


def test_refusals_in_the_air_together_count_once() -> None:
    alone, together = a_pace(), a_pace()
    alone.refused(0.0, 3, retry_after_s=1.0)
    for _ in range(10):
        together.refused(0.0, 3, retry_after_s=1.0)
    assert alone._refusals == together._refusals == 1


def test_failures_in_a_row_wait_longer_and_longer() -> None:
    pace, now, waits = a_pace(), 0.0, []
    for _ in range(12):
        pace.failed(now)
        wait_s = pace.wait_s(now, 0)
        assert wait_s is not None
        waits.append(wait_s)
        now += wait_s + 0.001
    assert max(waits[6:]) > max(waits[:3])
    assert max(waits) <= 60.0


def test_while_the_api_fails_one_submit_asks_for_all_that_wait() -> None:
    pace = a_pace(100)
    pace.failed(0.0)
    now = 0.001 + (pace.wait_s(0.0, 50) or 0.0)
    assert pace.wait_s(now, 50) == 0.0
    pace.started(now)
    assert (pace.wait_s(now, 51) or 0.0) > 1.0

    pace.accepted(now + 1.0, 50, 50)

    assert pace.wait_s(now + 1.0, 51) == 0.0


def test_a_refused_row_is_an_answer_as_well() -> None:
    pace = a_pace(100)
    pace.failed(0.0)
    pace.started(2.0)
    pace.answered()
    assert pace.wait_s(2.0, 1) == 0.0


def test_clips_that_end_give_an_api_that_fails_no_less_rest() -> None:
    pace, now, failures = a_pace(300), 0.0, 0
    while now < 600.0:
        pace.clip_ended(now)
        if pace.wait_s(now, 100) == 0.0:
            pace.started(now)
            pace.failed(now)
            failures += 1
        now += 1.0
    assert failures < 40


def test_while_polls_are_held_up_a_submit_that_is_taken_raises_no_limit() -> None:
    window = AdaptiveWindow(current=12, limit=12)
    pace = SubmitPace(window, 0.0, Backoff(1.0, 60.0, random.Random(1)))
    pace.requests.sent(0.0, "poll")
    pace.requests.refused(0.0)

    for rendering in range(12, 20):  # clips that have ended, and nobody could ask
        pace.accepted(1.0, rendering, rendering)

    assert (window.limit, window.size) == (12, 12)
    pace.accepted(120.0, 12, 12)
    assert window.limit == 13
