"""From the last night to this one, and from this one to the next."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.pacing import (
    AdaptivePlan,
    AdaptiveWindow,
    Backoff,
    FixedWindow,
    Learned,
    Learning,
    Memory,
    PollPlan,
    SubmitPace,
    Window,
    poll_plan_for,
)

LEARNED = Learned(
    clips_at_once=24, submits_per_s=2.0, render_times=tuple((500.0 + n, 510.0 + n, 5.0) for n in range(30))
)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    one = Memory("https://api.example", tmp_path)
    one.keep("pro", LEARNED)
    return one


def learning(memory: Memory, window: Window, plan_for: Callable[[str], PollPlan]) -> Learning:
    return Learning(memory, SubmitPace(window, 0.0, Backoff(1.0, 60.0, random.Random(1))), plan_for)


def adaptive(_model: str) -> PollPlan:
    return poll_plan_for("adaptive", 1.0, 5.0)


def fixed(_model: str) -> PollPlan:
    return poll_plan_for("fixed", 10.0, 0.0)


def test_what_is_remembered_of_a_model_goes_into_its_plan_and_the_pace(memory: Memory) -> None:
    one = learning(memory, AdaptiveWindow(), adaptive)

    plan = one.plan("pro")

    assert isinstance(plan, AdaptivePlan)
    assert 400 < plan.times.curve.typical_s < 620
    assert isinstance(one.pace.window, AdaptiveWindow)
    assert (one.pace.window.limit, one.pace.submits.learned_per_s) == (24, 2.0)
    assert one.plan("pro") is plan
    assert one.version == plan.version
    assert one.typical_s("pro") == pytest.approx(519.5)
    assert one.typical_s("another") == 0.0


def test_a_limit_that_is_remembered_is_not_overrun_at_the_start(memory: Memory) -> None:
    memory.keep("pro", Learned(clips_at_once=2))
    one = learning(memory, AdaptiveWindow(), adaptive)

    one.plan("pro")

    assert one.pace.window.size == 2


def test_a_model_that_is_not_remembered_starts_anew(memory: Memory) -> None:
    one = learning(memory, AdaptiveWindow(), adaptive)

    one.plan("another")

    assert isinstance(one.pace.window, AdaptiveWindow)
    assert one.pace.window.limit is None


def test_what_is_learned_is_kept_for_each_model_that_was_met(memory: Memory) -> None:
    one = learning(memory, AdaptiveWindow(), adaptive)
    for model in ("pro", "another"):
        one.plan(model)
    one.plan("another").renders("clip", 0.0, 5.0)
    one.plan("another").ready("clip", 60.0, 5.0)
    assert isinstance(one.pace.window, AdaptiveWindow)
    one.pace.window.limit = 30

    one.keep()

    assert memory.recall("pro").clips_at_once == 30
    assert memory.recall("pro").render_times == LEARNED.render_times
    assert memory.recall("another").render_times == ((0.0, 60.0, 5.0),)
    assert memory.recall("not met") == Learned()


def test_a_night_that_learns_nothing_hands_on_what_it_was_given(memory: Memory) -> None:
    one = learning(memory, FixedWindow(8), fixed)
    one.plan("pro")

    one.keep()

    assert memory.recall("pro") == LEARNED
