"""The wall clock jumps, within a run and between two: nothing is given up, lost or bought again for it."""

from __future__ import annotations

import pytest

from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights

DAY_S = 86_400


@pytest.mark.parametrize("days", [1, -1, 400])
def test_a_jump_within_a_run_changes_nothing(emu: Emulator, nights: Nights, days: int) -> None:
    emu.set_plan(Plan(render_s=1.0, rules=[Rule("submit", Action("do_then_drop"), nth=[1])]))
    night = nights(emu, 3, submit__requests_per_minute=200)
    ended = night.run(hook={"clock": [days * DAY_S, 1.2]})
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=3)


@pytest.mark.parametrize("days", [1, -1, 3, -3, -400])
def test_a_submit_lost_under_a_wrong_clock_is_found_under_the_right_one(
    emu: Emulator, nights: Nights, days: int
) -> None:
    emu.set_plan(Plan(render_s=0.3))
    night = nights(emu, 2)
    died = night.run(hook={"clock": [days * DAY_S, 0], "kill": ["request", "after", 1]}, submit__max_in_flight=1)
    assert died.code == -9
    ended = night.run(reconcile__wait_s=4)
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=2)


@pytest.mark.parametrize("days", [1, -1])
def test_a_clip_that_renders_outlives_a_wrong_clock(emu: Emulator, nights: Nights, days: int) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 2)
    died = night.run(hook={"kill": ["asked", "after", 2]})
    assert died.code == -9
    with night.start(hook={"clock": [days * DAY_S, 0]}) as running:
        polls = len(night.journal("retrieve"))
        night.wait_for(lambda: len(night.journal("retrieve")) >= polls + 3 or not running.alive)
        emu.finish()
        emu.set_plan(Plan(render_s=0.1))
        ended = running.wait()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=2)
