"""Polls a clip and seconds of notice, over simulated nights."""

from __future__ import annotations

import random

import pytest

from benchmarks.simulator import (
    Law,
    Limits,
    Report,
    adaptive,
    bimodal,
    by_voice,
    drifting,
    fixed,
    least_product,
    log_normal,
    simulate,
    with_stuck,
)
from pipeline.pacing import AdaptivePlan, FixedPlan, poll_plan_for

KNOWN = 20
WIDE, NARROW = log_normal(530.0, 0.25), log_normal(530.0, 0.10)


@pytest.mark.parametrize(("spread", "most_polls"), [(0.25, 28.0), (0.10, 14.0)])
def test_it_comes_close_to_the_least_that_is_possible(spread: float, most_polls: float) -> None:
    night = simulate(log_normal(530.0, spread), clips=800, plan=adaptive(notice_s=5.0))
    assert night.product(KNOWN) <= 1.15 * least_product(530.0, spread)
    assert night.mean_polls(KNOWN) <= most_polls
    assert night.mean_notice_s(KNOWN) <= 5.5


@pytest.mark.parametrize("spread", [0.25, 0.10])
def test_a_hundred_at_once_are_no_worse(spread: float) -> None:
    night = simulate(log_normal(530.0, spread), clips=600, at_once=100, plan=adaptive(notice_s=5.0))
    assert night.product(100) <= 1.15 * least_product(530.0, spread)


def test_half_the_notice_costs_twice_the_polls() -> None:
    soon, late = (simulate(WIDE, clips=300, plan=adaptive(notice_s=notice_s)) for notice_s in (4.0, 8.0))
    assert soon.mean_notice_s(KNOWN) == pytest.approx(late.mean_notice_s(KNOWN) / 2, rel=0.25)
    assert soon.mean_polls(KNOWN) == pytest.approx(late.mean_polls(KNOWN) * 2, rel=0.25)


UNEXPECTED: dict[str, Law] = {
    "bimodal": bimodal(log_normal(200.0, 0.1), log_normal(900.0, 0.1), 0.3),
    "slower and slower": drifting(log_normal(530.0, 0.15), 2.0, 400),
    "quicker and quicker": drifting(log_normal(530.0, 0.15), 0.5, 400),
    "stuck": with_stuck(log_normal(530.0, 0.2), 0.03),
    "anything": lambda rng, _number, _voice_s: rng.uniform(100.0, 1000.0),
}


@pytest.mark.parametrize("law", UNEXPECTED.values(), ids=UNEXPECTED)
def test_it_is_better_than_fixed_polling_on_what_it_does_not_expect(law: Law) -> None:
    ours, theirs = (simulate(law, clips=400, plan=plan) for plan in (adaptive(notice_s=5.0), fixed(10.0)))
    assert ours.product() < 0.85 * theirs.product()
    assert ours.mean_polls() < theirs.mean_polls()


def test_where_nothing_can_be_foreseen_it_is_as_good_as_fixed_polling() -> None:
    law: Law = lambda rng, _number, _voice_s: rng.expovariate(1 / 530.0)  # noqa: E731
    ours, theirs = (simulate(law, clips=500, plan=plan) for plan in (adaptive(notice_s=5.0), fixed(10.0)))
    assert ours.product() < 1.15 * theirs.product()


@pytest.mark.parametrize("at_once", [4, 200])
@pytest.mark.parametrize("expected_s", [5.3, 0.0, 53_000.0])
def test_a_wrong_expectation_is_soon_forgotten(expected_s: float, at_once: int) -> None:
    night = simulate(WIDE, clips=400, at_once=at_once, plan=adaptive(expected_s=expected_s))
    assert night.product() < 0.85 * simulate(WIDE, clips=400, at_once=at_once, plan=fixed(10.0)).product()


def test_cold_a_lone_clip_is_noticed_within_a_share_of_its_render_time() -> None:
    for render_s in (0.2, 5.0, 60.0, 530.0, 6000.0):
        night = simulate(log_normal(render_s, 0.0), clips=1, at_once=1, submit_s=0.02, poll_s=0.02)
        assert night.notice_s[0] < max(1.3, 0.35 * render_s)
        assert night.polls[0] < 20 + render_s**0.5 * 2


def test_a_server_that_is_instant_is_asked_at_once() -> None:
    night = simulate(log_normal(0.2, 0.1), clips=100, at_once=8, submit_s=0.02, poll_s=0.02)
    assert night.mean_notice_s(10) < 0.35
    assert night.mean_polls(10) < 1.5


def test_the_length_of_the_voice_is_made_use_of() -> None:
    law = by_voice(log_normal(530.0, 0.1), 30.0)

    def voices(rng: random.Random) -> float:
        return rng.uniform(5.0, 60.0)

    def night(voice_s: object) -> Report:
        return simulate(law, clips=400, plan=adaptive(notice_s=5.0), voice_s=voice_s)  # type: ignore[arg-type]

    assert night(voices).product(KNOWN) < 1.3 * least_product(530.0, 0.1)


def test_a_small_budget_of_requests_goes_to_the_most_promising_clips() -> None:
    few = Limits(per_span=lambda _now: 20.0, span_s=10.0)
    ours, theirs = (
        simulate(NARROW, clips=300, at_once=100, limits=few, plan=plan) for plan in (adaptive(notice_s=1.0), fixed(5.0))
    )
    assert ours.mean_notice_s() < 0.7 * theirs.mean_notice_s()
    assert ours.mean_polls() < theirs.mean_polls()


def test_gaps_are_never_shorter_than_the_interval() -> None:
    plan = adaptive(interval_s=2.0)
    for number in range(50):
        plan.renders(number, 1.0, 5.0)
        plan.ready(number, 1.5, 5.0)
    assert all(plan.gap_s(age_s, 5.0) >= 2.0 for age_s in (0.1, 0.5, 1.4, 3.0, 100.0))


def test_the_strategies_have_names() -> None:
    assert isinstance(poll_plan_for("fixed", 3.0, 0.0), FixedPlan)
    assert isinstance(poll_plan_for("adaptive", 3.0, 0.0), AdaptivePlan)
    assert poll_plan_for("fixed", 3.0, 0.0).gap_s(100.0, 1.0) == 3.0
