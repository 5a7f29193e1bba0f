"""The API says no: to a row, to the key, to the account."""

from __future__ import annotations

import pytest

from tests.emulator import Action, Emulator, Plan, Rule
from tests.emulator.plan import Route

from .conftest import Nights, following

ROW_USD = 2.0 * 0.12075


def test_refused_rows_fail_alone(emu: Emulator, nights: Nights) -> None:
    refusals = [
        Action("status", status=status, message=f"prompt: Expected no politics, received {status}")
        for status in (400, 413, 422)
    ]
    rules = [Rule("submit", action, nth=[number]) for number, action in enumerate(refusals, 2)]
    emu.set_plan(Plan(render_s=0.1, rules=rules))
    night = nights(emu, 6)
    ended = night.run()
    assert ended.code == 1, ended.text
    failed = {row: told["error"] for row, told in night.rows().items() if told["status"] == "failed"}
    assert len(failed) == 3
    assert {error["code"] for error in failed.values()} == {"bad_request"}
    assert all("Expected no politics" in error["message"] for error in failed.values())
    assert "Expected no politics" in ended.text
    night.assert_paid_once(set(night.ids) - set(failed), generations=3)
    # They are not sent again as they are, unless somebody asks.
    assert night.run().code == 1
    assert len(night.journal("submit")) == 6
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=6)


def test_a_refused_key_from_the_start_sends_nothing_more(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, keys=["sk-another"]))
    night = nights(emu, 6)
    ended = night.run()
    assert ended.code == 3, ended.text
    assert "AIMLAPI_API_KEY" in ended.text
    assert set(night.states().values()) == {"pending"}
    assert not night.generations()
    assert len(night.journal("submit")) <= 6
    night.assert_no_secret_left()
    emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    night.assert_paid_once(generations=6)


def test_no_key_at_all_is_said_at_once(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 1)
    ended = night.run(key="")
    assert ended.code == 2
    assert "AIMLAPI_API_KEY" in ended.stderr
    assert not night.journal()


@pytest.mark.parametrize("routes", [["submit"], ["submit", "retrieve", "logs", "billing"]])
def test_a_key_refused_midway_stops_submits_and_loses_nothing(
    emu: Emulator, nights: Nights, routes: list[Route]
) -> None:
    last = following(emu, 2)[-1]
    emu.set_plan(Plan(render_s=0.3, refuse_key_after_n=last, refuse_key_routes=routes))
    night = nights(emu, 6, submit__max_in_flight=2)
    ended = night.run()
    assert ended.code == 3, ended.text
    assert len(night.generations()) == 2
    states = night.states()
    assert sum(state == "pending" for state in states.values()) == 4
    if routes == ["submit"]:
        night.assert_paid_once([row for row, state in states.items() if state != "pending"])
    emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    night.assert_paid_once(generations=6)


def test_credits_that_run_out_stop_submits_and_what_is_paid_for_is_fetched(own_emu: Emulator, nights: Nights) -> None:
    own_emu.set_plan(Plan(render_s=0.3, credits_usd=3 * ROW_USD + 0.01))
    night = nights(own_emu, 6)
    ended = night.run()
    assert ended.code == 3, ended.text
    assert "top up" in ended.text
    states = night.states()
    assert sorted(states.values()) == ["done"] * 3 + ["pending"] * 3
    night.assert_paid_once([row for row, state in states.items() if state == "done"], generations=3)
    own_emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    night.assert_paid_once(generations=6)


def test_a_billing_page_in_trouble_holds_nothing_up(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("billing", Action("status", status=500))]))
    night = nights(emu, 2)
    assert night.run().code == 0
    night.assert_paid_once(generations=2)
