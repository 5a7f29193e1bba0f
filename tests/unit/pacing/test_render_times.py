"""What is learned of render times, and what is not."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pacing.render_times import Observation, RenderTimes


def taught(times_s: list[float], voices_s: list[float] | None = None) -> RenderTimes:
    times = RenderTimes(0.0)
    for number, time_s in enumerate(times_s):
        voice_s = voices_s[number] if voices_s else 0.0
        times.renders(number, 0.0, voice_s)
        times.renders(number, time_s * 0.99, voice_s)
        times.ready(number, time_s * 1.01, voice_s)
    return times


def test_a_clip_that_nobody_watched_teaches_nothing() -> None:
    times = RenderTimes(530.0)
    times.ready("left by an earlier run", 40_000.0, 5.0)
    assert not times.observations


def test_a_clip_that_fails_only_tells_how_long_it_did_not_end() -> None:
    times = RenderTimes(530.0)
    times.renders("a", 300.0, 5.0)
    times.gone("a")
    assert times.observations == (Observation(300.0, math.inf, 5.0, 1),)


def test_the_voice_counts_only_where_it_matters() -> None:
    rng = random.Random(3)
    voices = [rng.uniform(5.0, 60.0) for _ in range(60)]
    by_voice = taught([10.0 * voice * math.exp(rng.gauss(0, 0.1)) for voice in voices], voices)
    whatever = taught([500.0 * math.exp(rng.gauss(0, 0.1)) for _ in voices], voices)
    assert by_voice.scale(50.0) / by_voice.scale(10.0) == pytest.approx(5.0, rel=0.15)
    assert whatever.scale(50.0) / whatever.scale(10.0) == pytest.approx(1.0, abs=0.15)
    assert by_voice.scale(0.0) == 1.0


def test_what_an_earlier_night_saw_is_a_start() -> None:
    known = taught([500.0 + number for number in range(40)])
    times = RenderTimes(5.0)
    times.learn(known.observations)
    assert times.curve.typical_s == pytest.approx(520.0, rel=0.05)


def test_old_clips_are_forgotten() -> None:
    times = taught([100.0] * 400 + [800.0] * 250)
    assert times.curve.typical_s == pytest.approx(800.0, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("wrg"), st.floats(0, 1e5)), max_size=60))
def test_any_news_in_any_order_is_borne(news: list[tuple[int, str, float]]) -> None:
    times = RenderTimes(530.0)
    for clip, kind, age_s in news:
        if kind == "w":
            times.renders(clip, age_s, 5.0)
        elif kind == "r":
            times.ready(clip, age_s, 5.0)
        else:
            times.gone(clip)
    assert times.curve.age_at(times.curve.cumulated(10.0) + 1.0) > 10.0
