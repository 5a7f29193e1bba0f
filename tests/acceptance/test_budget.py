"""A budget is never exceeded: not by submits in the air together, not by runs after one another."""

from __future__ import annotations

from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights, following
from .night import Night

ROW_USD = 2.0 * 0.12075


def billed(night: Night) -> float:
    return float(sum(one["final_usd"] for one in night.generations() if one["billed"]))


def test_a_budget_holds_over_submits_at_once_and_over_restarts(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 6, submit__max_in_flight=6)
    ended = night.run("run", "--budget", "0.75")
    assert ended.code == 3, ended.text
    assert "budget" in ended.text
    assert len(night.generations()) == 3
    assert night.run("run", "--budget", "0.75").code == 3
    assert len(night.generations()) == 3
    assert night.run(budget__max_usd=1.0).code == 3
    assert len(night.generations()) == 4
    assert billed(night) <= 1.0
    assert night.run().code == 0
    night.assert_paid_once(generations=6)
    night.assert_spend_agrees()


def test_what_a_clip_really_cost_counts(emu: Emulator, nights: Nights) -> None:
    # Submit announces one price, the finished clip tells another.
    emu.set_plan(Plan(render_s=0.1, final_cost_factor=2.0))
    night = nights(emu, 5, submit__max_in_flight=1)
    ended = night.run("run", "--budget", "1.0")
    assert ended.code == 3, ended.text
    assert billed(night) <= 1.0
    assert len(night.generations()) == 2
    night.assert_spend_agrees()


def test_a_failed_generation_gives_its_money_back(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, fails=following(emu)))
    night = nights(emu, 3, submit__max_in_flight=1)
    ended = night.run("run", "--budget", "0.5")
    assert ended.code == 1, ended.text
    assert sorted(night.states().values()) == ["done", "done", "failed"]


def test_an_unconfirmed_submit_holds_its_money_back(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(
        Plan(render_s=0.1, log_forgets_probability=1.0, rules=[Rule("submit", Action("do_then_drop"), nth=[1])])
    )
    night = nights(emu, 3, submit__max_in_flight=2, reconcile__wait_s=0.5)
    assert night.run("run", "--budget", "0.5").code == 3
    assert night.run("run", "--budget", "0.5").code == 3
    assert billed(night) <= 0.5
    assert len(night.generations()) == 2


def test_what_is_about_to_be_spent_is_told_of_the_rows_that_are_asked_for(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 4)

    assert night.run("run", "--only", "r1", "--only", "r2").code == 0
    assert night.run("run", "--only", "r1").code == 0  # it is done: nothing is about to be spent
    assert night.run().code == 0

    quotes = [(line["rows"], line["estimated_usd"]) for line in night.log() if line["action"] == "quote"]
    assert quotes == [(2, round(2 * ROW_USD, 4)), (2, round(2 * ROW_USD, 4))]
