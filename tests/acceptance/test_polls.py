"""Polls go wrong in every way, and no clip is lost or bought again for it."""

from __future__ import annotations

import pytest

from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights, following

TROUBLES = [
    Action("status", status=500),
    Action("status", status=502, envelope="html"),
    Action("status", status=429),
    Action("status", status=408),
    Action("status", status=400),
    Action("garbage_json"),
    Action("cut_body"),
    Action("huge_body"),
    Action("hang_before", seconds=5.0),
    Action("drop_before"),
    Action("late_404", polls=3),
    Action("redirect", status=302),
    Action("do_then_status", status=504),
]


def test_every_kind_of_trouble_is_outlived(emu: Emulator, nights: Nights) -> None:
    numbers = following(emu, len(TROUBLES))
    rules = [
        Rule("retrieve", action, generations=[number], limit=2)
        for number, action in zip(numbers, TROUBLES, strict=True)
    ]
    words = ["waiting", "active", "warming", "QUEUED", "almost there"]
    emu.set_plan(Plan(render_s=0.6, statuses=words, completed_without_video=2, rules=rules))
    night = nights(emu, len(TROUBLES), submit__max_in_flight=16, api__timeout_s=1.5)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=len(TROUBLES))
    assert all(fault["fired"] for fault in emu.ledger()["totals"]["faults"])
    assert not night.journal("elsewhere")
    unknown = [line["status"] for line in night.log() if line["action"] == "unknown_status"]
    assert len(unknown) == len(set(unknown))  # each is told once


def test_a_stuck_clip_times_out_alone(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, stuck=following(emu)))
    night = nights(emu, 3, poll__give_up_after_s=1)
    ended = night.run()
    assert ended.code == 1, ended.text
    rows = night.rows()
    late = [row for row, told in rows.items() if told["status"] == "failed"]
    assert [rows[row]["error"]["code"] for row in late] == ["timeout"]
    assert rows[late[0]]["generation_id"]
    night.assert_paid_once(set(night.ids) - set(late), generations=3)
    emu.finish()


def test_a_clip_that_never_gets_a_link_times_out(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, completed_without_video=10_000))
    night = nights(emu, 1, poll__give_up_after_s=1)
    assert night.run().code == 1
    assert night.rows()["r1"]["error"]["code"] == "timeout"
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=1)


def test_an_emulated_provider_that_dies_midway_is_waited_for(own_emu: Emulator, nights: Nights) -> None:
    own_emu.set_plan(Plan(render_s=1.0))
    night = nights(own_emu, 4, retry__attempts=300)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 4)
        own_emu.kill()
        night.wait_for(lambda: any(line["action"] == "poll_trouble" for line in night.log()))
        own_emu.restart()
        ended = running.wait()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=4)


@pytest.mark.parametrize("status", [400, 500])
def test_a_clip_that_is_only_answered_with_errors_is_given_up_and_asked_for_later(
    emu: Emulator, nights: Nights, status: int
) -> None:
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("retrieve", Action("status", status=status))]))
    night = nights(emu, 3, poll__give_up_after_s=1.5, submit__max_in_flight=2)

    ended = night.run()

    assert ended.code == 1, ended.text
    assert {row["error"]["code"] for row in night.rows().values()} == {"timeout"}
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=3)
