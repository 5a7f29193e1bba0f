"""A clip's age is by the wall clock after a restart, so it may be less than it was."""

from __future__ import annotations

from pipeline.pacing import AdaptivePlan


def test_a_clock_that_was_set_back_is_no_fault() -> None:
    plan = AdaptivePlan(1.0)
    for number in range(10):
        plan.renders(number, 100.0, 5.0)
        plan.ready(number, 50.0, 5.0)

    assert plan.gap_s(0.0, 5.0) >= 1.0
