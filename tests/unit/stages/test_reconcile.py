"""What the usage log says of a lost submit decides on it, whatever else it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.api import LogEntry, LogPage
from pipeline.budget import Budget
from pipeline.clip import Clip, FailureCode, Status
from pipeline.errors import ServerTrouble
from pipeline.stages.reconcile import ReconcileStage
from pipeline.state import StateFile
from pipeline.state.schema import create
from tests.unit.making import rows_named
from tests.unit.state.conftest import bring, clip_of, take

RESERVED_USD = 0.6


class Night:
    """One row whose submit was lost, a log that says what it is told to, and a clock that passes when it is looked at."""

    def __init__(self, state: StateFile) -> None:
        self.state = state
        self.lines: Sequence[LogEntry] = ()
        self.log_is_down = False
        self.told: list[str] = []
        self.now_s = 0.0
        self.context: Any = SimpleNamespace(
            state=state, api=SimpleNamespace(usage_log=self.usage_log), now=self.now, left_over=0,
            settings=SimpleNamespace(
                reconcile=SimpleNamespace(interval_s=0.0, wait_s=300.0), retry=SimpleNamespace(attempts=3)
            ),
            budget=Budget(1.0, RESERVED_USD), outage=SimpleNamespace(answered=lambda: None), unanswered=lambda _: None,
            room=asyncio.Event(),
            resubmit_unconfirmed=frozenset(), tell=lambda action, *_, **__: self.told.append(action),
        )  # fmt: skip

    def now(self) -> float:
        self.now_s += 30.0
        return self.now_s

    async def usage_log(self, window: object, *, model: str, offset: int) -> LogPage:
        await asyncio.sleep(0)
        if self.log_is_down:
            raise ServerTrouble("the API answered 503")
        return LogPage(tuple(self.lines), has_more=False)

    async def reconciled(self) -> Clip:
        """The row, once it is no longer looked for."""
        self.state.changed.clear()
        stage = asyncio.create_task(ReconcileStage(self.context).run())
        await asyncio.wait_for(self.state.changed.wait(), 30)
        stage.cancel()
        await asyncio.gather(stage, return_exceptions=True)
        return clip_of(self.state, "one")


def line(clip: Clip, generation_id: str, *, failed: bool = False, cost_usd: float | None = None) -> LogEntry:
    return LogEntry(clip.client_request_id, generation_id, failed=failed, cost_usd=cost_usd, created="")


async def lost(state: StateFile) -> Clip:
    clip = await bring(state, "one", Status.SUBMITTING)
    await state.lose(clip)
    return clip


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Night]:
    create(tmp_path / "state.db")
    take(tmp_path / "state.db", rows_named(["one"]))
    state = StateFile(tmp_path / "state.db")
    yield Night(state)
    await state.close()


@pytest.mark.parametrize("newest_first", [True, False])
async def test_what_was_made_counts_and_not_what_failed_beside_it(night: Night, newest_first: bool) -> None:
    clip = await lost(night.state)
    lines = [line(clip, "g1"), line(clip, "", failed=True)]
    night.lines = lines if newest_first else lines[::-1]

    row = await night.reconciled()

    assert (row.status, row.generation_id) == (Status.RENDERING, "g1")


async def test_what_the_log_says_it_costs_is_what_the_budget_holds(night: Night) -> None:
    night.lines = [line(await lost(night.state), "g1", cost_usd=0.9)]

    await night.reconciled()

    assert night.context.budget.committed_usd == pytest.approx(0.9)
    assert night.state.reserved_usd() == pytest.approx(0.9)


async def test_what_was_paid_for_and_has_no_id_is_waited_for_and_then_unconfirmed(night: Night) -> None:
    clip = await lost(night.state)
    night.lines = [line(clip, "")]
    night.context.resubmit_unconfirmed = frozenset({clip.seq})  # it is paid for: it is not sent again even so

    row = await night.reconciled()

    assert row.status is Status.UNCONFIRMED
    assert row.error_code == FailureCode.UNCONFIRMED
    assert night.told == ["unconfirmed"]
    assert night.now_s >= 300.0


async def test_what_failed_again_and_again_is_given_up_and_costs_nothing(night: Night) -> None:
    stage = ReconcileStage(night.context)
    running = asyncio.create_task(stage.run())
    for _ in range(3):
        clip = await lost(night.state)
        night.lines = [line(clip, "", failed=True)]
        while clip_of(night.state, "one").status is Status.SUBMITTING:
            night.state.changed.clear()
            await asyncio.wait_for(night.state.changed.wait(), 30)
        assert night.context.budget.committed_usd == pytest.approx(0.0)
        night.context.budget.reserve(RESERVED_USD)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    row = clip_of(night.state, "one")
    assert (row.status, row.error_code) == (Status.FAILED, FailureCode.SERVER)
    assert night.told == ["not_made", "not_made", "failed"]
    assert night.state.reserved_usd() == 0.0


async def test_a_log_that_is_down_keeps_no_run_going_for_ever_and_is_asked_as_long_as_one_goes_on(night: Night) -> None:
    clip = await lost(night.state)
    night.log_is_down = True
    stage = asyncio.create_task(ReconcileStage(night.context).run())
    while not night.context.left_over:
        night.state.changed.clear()
        await asyncio.wait_for(night.state.changed.wait(), 30)
    assert night.now_s >= 300.0
    assert clip_of(night.state, "one").status is Status.SUBMITTING

    night.state.changed.clear()
    night.lines, night.log_is_down = [line(clip, "g1")], False
    while clip_of(night.state, "one").status is Status.SUBMITTING:
        await asyncio.wait_for(night.state.changed.wait(), 30)
        night.state.changed.clear()

    assert night.context.left_over == 0
    stage.cancel()
    await asyncio.gather(stage, return_exceptions=True)
