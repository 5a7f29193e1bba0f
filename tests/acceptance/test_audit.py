"""The audit holds a job's state against the provider's books, and tells what is off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator import Action, Emulator, Plan, Rule

from .conftest import Nights
from .night import Night


def audit(night: Night) -> tuple[int, dict[str, Any]]:
    ended = night.run("audit", "--json")
    return ended.code, json.loads(ended.stdout)


def test_books_that_agree_are_in_order(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, inference_id_style="bare"))
    night = nights(emu, 3)
    assert night.run().code == 0
    code, told = audit(night)
    assert (code, told["sound"], told["charged"], told["findings"]) == (0, True, 3, [])
    assert "all is in order" in night.run("audit").stdout


def test_a_clip_that_was_charged_twice_is_named(emu: Emulator, nights: Nights) -> None:
    made = len(emu.generations())
    emu.set_plan(Plan(render_s=0.1, double_bill_nth=[made + 1]))
    night = nights(emu, 2)
    assert night.run().code == 0
    code, told = audit(night)
    assert code == 1
    assert [finding["kind"] for finding in told["findings"]] == ["charged_twice"]


def test_a_paid_clip_that_is_gone_from_out_is_named(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1))
    night = nights(emu, 2)
    assert night.run().code == 0
    (night.out / "r2.mp4").unlink()
    code, told = audit(night)
    assert code == 1
    assert [(finding["kind"], finding["row"]) for finding in told["findings"]] == [("paid_missing", "r2")]


def test_a_price_that_rose_was_settled_with_what_the_api_said(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, final_cost_factor=2.0))
    night = nights(emu, 1)
    assert night.run().code == 0
    code, told = audit(night)
    assert (code, told["findings"]) == (0, [])
    assert told["charged_usd"] == pytest.approx(2 * 2.0 * 0.12075)
    assert told["expected_usd"] == pytest.approx(told["charged_usd"])


def test_a_row_bought_twice_after_a_lost_answer_is_named(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, log_lag_s=3600.0, rules=[Rule("submit", Action("do_then_drop"), nth=[1])]))
    night = nights(emu, 1, reconcile__wait_s=0.5)
    assert night.run().code == 1
    assert night.run("run", "--resubmit-unconfirmed").code == 0
    emu.set_plan(log_lag_s=0.0)
    code, told = audit(night)
    assert code == 1
    assert "charged_twice" in {finding["kind"] for finding in told["findings"]}


def test_charges_of_others_are_only_counted(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1))
    other, night = nights(emu, 2), nights(emu, 1)
    assert (other.run().code, night.run().code) == (0, 0)
    code, told = audit(night)
    assert (code, told["charged"]) == (0, 1)
    assert told["other_charges"] >= 2
