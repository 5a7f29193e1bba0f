"""What the usage log does not show may be paid for: it is looked for again, and sent again only when asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights, following

LOST = Plan(render_s=0.1, rules=[Rule("submit", Action("do_then_drop"), nth=[1])])


def test_a_forgotten_submit_is_unconfirmed_and_adopted_when_it_shows_up(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 3, reconcile__wait_s=1)
    ended = night.run()
    assert ended.code == 1, ended.text
    lost = [row for row, state in night.states().items() if state == "unconfirmed"]
    assert len(lost) == 1
    assert night.rows()[lost[0]]["error"]["code"] == "unconfirmed"
    assert len(night.journal("submit")) == 3
    # A run later looks again, and still sends nothing.
    looks = len(night.journal("logs"))
    assert night.run().code == 1
    assert len(night.journal("logs")) > looks
    assert len(night.journal("submit")) == 3
    # The log catches up.
    emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    assert len(night.journal("submit")) == 3
    night.assert_paid_once(generations=3)


def test_resubmit_unconfirmed_sends_those_rows_and_no_other(emu: Emulator, nights: Nights) -> None:
    rules = [
        Rule("submit", Action("status", status=504), nth=[1, 2]),
        Rule("submit", Action("status", status=400, message="Expected another face, received this"), nth=[3]),
    ]
    emu.set_plan(Plan(render_s=0.1, rules=rules))
    night = nights(emu, 4, reconcile__wait_s=1)
    assert night.run().code == 1
    states = night.states()
    assert sorted(states.values()) == ["done", "failed", "unconfirmed", "unconfirmed"]
    ended = night.run("run", "--resubmit-unconfirmed")
    assert ended.code == 1, ended.text
    assert len(night.journal("submit")) == 6
    night.assert_paid_once([row for row, state in states.items() if state != "failed"], generations=3)
    assert [row for row, state in night.states().items() if state == "failed"] == [
        row for row, state in states.items() if state == "failed"
    ]


def test_resubmit_unconfirmed_still_looks_first(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 2, reconcile__wait_s=1)
    assert night.run().code == 1
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("run", "--resubmit-unconfirmed").code == 0
    assert len(night.journal("submit")) == 2
    night.assert_paid_once(generations=2)


def test_resubmitting_what_was_paid_for_buys_one_more_and_no_more(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 1, reconcile__wait_s=0.5)
    assert night.run().code == 1
    assert night.run("run", "--resubmit-unconfirmed").code == 0
    first, second = night.generations()
    told = night.rows()["r1"]
    assert (told["status"], told["generation_id"]) == ("done", second["id"])
    assert (night.out / "r1.mp4").read_bytes() == emu.expected_clip(second["id"]) != emu.expected_clip(first["id"])
    assert night.run("run", "--resubmit-unconfirmed").code == 0
    assert len(night.generations()) == 2


@pytest.mark.parametrize("wish", [[], ["--resubmit-unconfirmed"]])
def test_a_hiccup_of_the_log_leaves_no_row_behind(emu: Emulator, nights: Nights, wish: list[str]) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 1, reconcile__wait_s=1)
    assert night.run().code == 1
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("logs", Action("status", status=503), nth=[1])]))
    ended = night.run("run", *wish)
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=1)


def test_a_row_left_by_an_earlier_run_ends_no_search_for_those_of_this_one(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 1, reconcile__wait_s=1)
    assert night.run().code == 1
    log_down = Rule("logs", Action("status", status=503), nth=[*range(1, 7)])
    # The second row is lost while the log has been down for longer than the first is waited for.
    answer_lost = Rule("submit", Action("do_then_hang", seconds=1.7))
    emu.set_plan(Plan(render_s=0.1, rules=[answer_lost, log_down]))
    night.write(["r1", "r2"])
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=2)


def test_a_generation_that_the_api_denies_is_unconfirmed(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, unknown=following(emu)))
    night = nights(emu, 2, poll__not_found_s=1)
    assert night.run().code == 1
    denied = {row: told for row, told in night.rows().items() if told["status"] != "done"}
    assert [told["status"] for told in denied.values()] == ["unconfirmed"]
    assert [told["error"]["code"] for told in denied.values()] == ["not_found"]
    assert night.run().code == 1
    assert len(night.journal("submit")) == 2
    # It comes back: paid for, so fetched.
    emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    night.assert_paid_once(generations=2)


def test_a_row_lost_long_ago_is_found_by_its_time(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(replace(LOST, log_forgets_probability=1.0))
    night = nights(emu, 1, reconcile__wait_s=0.5)
    assert night.run().code == 1
    emu.set_plan(Plan(render_s=0.1))
    ended = night.run(hook={"clock": [40 * 86400, 0]})
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=1)


def test_a_lost_submit_is_looked_for_under_the_model_it_was_sent_with(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(LOST, log_forgets_probability=1.0)
    night = nights(emu, 1, reconcile__wait_s=0.5)
    assert night.run().code == 1
    emu.set_plan(Plan(render_s=0.1))
    night.write(night.ids, {"r1": {"model": "klingai/avatar-standard"}})
    ended = night.run("run", "--resubmit-unconfirmed")
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=1)
