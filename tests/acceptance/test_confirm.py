"""What a No at the question before money is spent leaves behind: nothing."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import Job, Wishes, load_settings, run_job
from pipeline.errors import NotConfirmed
from pipeline.run import RunResult
from pipeline.watcher import Quote, RunWatcher
from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights, following
from .night import KEY, Night


class Asked(RunWatcher):
    """Somebody who is asked; answers No, or leaves by Ctrl-C."""

    def __init__(self, *, leaves: bool = False) -> None:
        self.rows: list[int] = []
        self._leaves = leaves

    def confirm(self, quote: Quote) -> bool:
        self.rows.append(quote.rows)
        if self._leaves:
            raise KeyboardInterrupt
        return False


def refused(night: Night, wishes: Wishes, asked: Asked) -> RunResult:
    assignments = [f"{name}={value}" for name, value in night.settings.items()]
    job = Job.at(night.job, load_settings(environ={}, assignments=assignments), night.out)
    return asyncio.run(run_job(job, wishes, api_key=KEY, watcher=asked))


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_BATCH_CACHE_DIR", "")


@pytest.fixture
def night(emu: Emulator, nights: Nights) -> Night:
    """One row failed, one changed since it was done, one unconfirmed."""
    lost = Rule("submit", Action("do_then_drop"), nth=[3])
    emu.set_plan(Plan(render_s=0.1, fails=following(emu), rules=[lost]), log_forgets_probability=1.0)
    night = nights(emu, 3, reconcile__wait_s=1, submit__max_in_flight=1)
    assert night.run().code == 1
    assert sorted(night.states().values()) == ["done", "failed", "unconfirmed"]
    return night


@pytest.mark.parametrize(
    ("wishes", "count"),
    [
        (Wishes(retry=True), 1),
        (Wishes(retry=True, retry_ids=["r1", "r2"]), 2),
        (Wishes(rerender_changed=True), 1),
        (Wishes(retry=True, rerender_changed=True, resubmit_unconfirmed=True), 2),
    ],
)
@pytest.mark.parametrize("leaves", [False, True])
def test_a_no_takes_the_wishes_back(night: Night, wishes: Wishes, count: int, leaves: bool) -> None:
    (done,) = [row for row, state in night.states().items() if state == "done"]
    night.write(night.ids, {done: {"prompt": f"{night.prompt(done)} again"}})
    before = night.rows()
    submits = len(night.journal("submit"))
    asked = Asked(leaves=leaves)

    if leaves:
        with pytest.raises(KeyboardInterrupt):
            refused(night, wishes, asked)
    else:
        assert isinstance(refused(night, wishes, asked).stop_reason, NotConfirmed)

    assert asked.rows == [count]
    after = night.rows()
    assert {row: (after[row]["status"], after[row]["error"]) for row in after if before[row]["status"] != "unconfirmed"} == {
        row: (before[row]["status"], before[row]["error"]) for row in before if before[row]["status"] != "unconfirmed"
    }  # fmt: skip
    assert after[done]["output"] == before[done]["output"]
    # The next run, which nobody is there to answer, has nothing to pay for.
    assert night.run().code == 1
    assert len(night.journal("submit")) == submits


def test_a_no_to_new_rows_leaves_them_for_the_next_run(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 2)

    asked = Asked()
    result = refused(night, Wishes(), asked)

    assert (asked.rows, int(result.exit_code)) == ([2], 3)
    assert set(night.states().values()) == {"pending"}
    assert not night.journal("submit")
    assert night.run().code == 0
