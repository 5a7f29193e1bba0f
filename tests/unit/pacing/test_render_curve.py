"""The hazard of render times, and what follows from it."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.simulator import least_product
from pipeline.pacing.render_curve import BINS, Curve, Seen, bin_of, fit_curve


def curve_of(times_s: list[float], still_s: list[float] | None = None, expected_s: float = 0.0) -> Curve:
    seen = Seen.nothing()
    for time_s in times_s:
        seen.events[bin_of(time_s)] += 1
    for age_s in still_s or []:
        seen.left[bin_of(age_s)] += 1
    return fit_curve(seen, expected_s)


def quantiles(median_s: float, spread: float, count: int) -> list[float]:
    return [median_s * math.exp(spread * NormalDist().inv_cdf((k + 0.5) / count)) for k in range(count)]


@pytest.mark.parametrize("spread", [0.1, 0.25, 0.5])
def test_the_effort_of_a_plain_law_is_found(spread: float) -> None:
    curve = curve_of(quantiles(530.0, spread, 200))
    assert curve.effort**2 / 2 == pytest.approx(least_product(530.0, spread), rel=0.25)
    assert curve.typical_s == pytest.approx(530.0, rel=0.05)


def test_the_bounds_are_those_of_the_formula() -> None:
    assert least_product(530.0, 0.25) == pytest.approx(120.3, abs=0.5)
    assert least_product(530.0, 0.10) == pytest.approx(51.9, abs=0.5)


def test_clips_that_still_render_say_that_render_times_are_longer() -> None:
    quick = quantiles(300.0, 0.1, 20)
    assert curve_of(quick, [400.0] * 20).typical_s > 1.15 * curve_of(quick).typical_s


def test_clips_seen_rendering_make_polls_at_younger_ages_pointless() -> None:
    alone, scouted = curve_of([], [], 530.0), curve_of([], [300.0] * 100, 530.0)
    assert scouted.cumulated(290.0) < 0.4 * alone.cumulated(290.0)


def test_a_clip_that_is_far_too_late_is_asked_ever_more_rarely() -> None:
    curve = curve_of(quantiles(530.0, 0.1, 50))
    gaps = [curve.age_at(curve.cumulated(age) + 1.0) - age for age in (1500.0, 3000.0, 6000.0)]
    assert gaps[0] > 10
    assert gaps[0] < gaps[1] < gaps[2]


times = st.lists(st.floats(0.001, 50_000), max_size=30)


@given(times, times, st.floats(0, 1e5))
@example([1.0, 8999.0, 0.0078125], [2553.0, 5738.0, 18488.0, 29877.0, 32691.0], 0.0)
def test_any_observations_make_a_curve(ends: list[float], still: list[float], expected_s: float) -> None:
    curve = curve_of(ends, still, expected_s)
    assert math.isfinite(curve.effort)
    assert curve.effort > 0
    assert curve.typical_s > 0 or not ends
    assert len(curve.density) == BINS
    assert all(share >= 0 for share in curve.density)
    assert sum(curve.density) <= 1 + 1e-9


@given(times, times, st.floats(0.001, 50_000), st.floats(0.001, 50))
def test_ages_and_the_hazard_between_them_agree(
    ends: list[float], still: list[float], age_s: float, step: float
) -> None:
    curve = curve_of(ends, still)
    then_s = curve.age_at(curve.cumulated(age_s) + step)
    assert then_s > age_s
    if then_s < 80_000:
        assert curve.cumulated(then_s) - curve.cumulated(age_s) == pytest.approx(step, rel=1e-6, abs=1e-6)
