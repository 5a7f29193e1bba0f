"""What a job may still spend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.budget import Budget
from pipeline.errors import BudgetReached

usd = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 4))


def test_the_last_cent_may_be_spent_and_no_more() -> None:
    budget = Budget(max_usd=1.0, committed_usd=0.0)

    for _ in range(10):
        budget.reserve(0.1)

    with pytest.raises(
        BudgetReached,
        match=r"the budget of 1\.00 USD is reached: 1\.00 are spent or committed, and the next row may cost 0\.10",
    ):
        budget.reserve(0.1)
    assert budget.committed_usd == pytest.approx(1.0)


def test_what_was_not_spent_can_be_spent() -> None:
    budget = Budget(max_usd=1.0, committed_usd=0.0)
    budget.reserve(1.0)
    budget.release(1.0)

    budget.reserve(0.9)

    assert budget.committed_usd == pytest.approx(0.9)


def test_without_a_limit_nothing_is_refused() -> None:
    budget = Budget(max_usd=None, committed_usd=5.0)

    budget.reserve(1e9)

    assert budget.committed_usd == pytest.approx(1e9 + 5)


@given(limit=usd, spent=usd, estimates=st.lists(usd, max_size=30))
def test_what_is_committed_never_passes_the_limit(limit: float, spent: float, estimates: list[float]) -> None:
    budget = Budget(max_usd=limit, committed_usd=spent)
    held = spent

    for estimate in estimates:
        try:
            budget.reserve(estimate)
        except BudgetReached:
            assert held + estimate > limit
        else:
            held += estimate

    assert budget.committed_usd == pytest.approx(held)
    assert budget.committed_usd <= max(limit, spent) + 1e-6
