"""The answer to a submit is lost after the deed: the clip is found in the usage log, adopted, never bought again."""

from __future__ import annotations

import pytest

from tests.emulator import Action, Emulator, Plan, Rule
from tests.emulator.asking import Account, submit_body

from .conftest import Nights

AFTER_THE_DEED = [
    Action("do_then_drop"),
    Action("do_then_status", status=502),
    Action("do_then_status", status=504),
    Action("do_then_status", status=504, envelope="problem"),
    Action("do_then_status", status=520),
    Action("do_then_hang", seconds=10.0),
    Action("garbage_json", inference_id=False),
    Action("garbage_json"),
    Action("cut_body", inference_id=False),
    Action("cut_body"),
    Action("huge_body", inference_id=False),
    Action("huge_body"),
]
# The usage log writes ids in another form than submit gave them, and retrieve knows one form only.
LOGS = {
    "as given": Plan(),
    "without suffix": Plan(inference_id_style="bare", log_lag_s=0.8),
    "with suffix": Plan(inference_id_style="suffixed", id_suffix=False),
    "at submit": Plan(log_at="submit", answer_style="old"),
}


@pytest.mark.parametrize("log", LOGS)
def test_every_lost_answer_is_adopted(emu: Emulator, nights: Nights, log: str) -> None:
    rules = [Rule("submit", action, nth=[number]) for number, action in enumerate(AFTER_THE_DEED, 1)]
    emu.set_plan(LOGS[log], rules=rules, render_s=0.3)
    night = nights(emu, len(AFTER_THE_DEED) + 1, api__timeout_s=2)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=len(night.ids))
    assert len(night.journal("submit")) == len(night.ids)
    assert all(fault["fired"] == 1 for fault in emu.ledger()["totals"]["faults"])
    # Where the answer's header still told the id, nobody had to ask the log.
    adopted = [line["row"] for line in night.log() if line["action"] == "adopted"]
    assert len(adopted) == len(AFTER_THE_DEED) - 3


def test_one_walk_of_the_log_serves_all_that_are_lost(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.5, rules=[Rule("submit", Action("do_then_drop"))]))
    night = nights(emu, 12, submit__max_in_flight=12)
    assert night.run().code == 0
    night.assert_paid_once(generations=12)
    assert len(night.journal("logs")) <= 12


def test_the_log_itself_may_be_in_trouble(emu: Emulator, nights: Nights) -> None:
    troubles = [
        Action("status", status=503), Action("status", status=429), Action("drop_before"), Action("garbage_json"),
        Action("cut_body"), Action("huge_body"), Action("redirect"), Action("hang_before", seconds=5.0),
    ]  # fmt: skip
    rules = [Rule("logs", action, nth=[number]) for number, action in enumerate(troubles, 1)]
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", Action("do_then_drop"), nth=[1]), *rules]))
    night = nights(emu, 2, api__timeout_s=1)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=2)


def test_a_log_of_many_pages_is_walked_to_the_row(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(instant=True, log_lag_s=3600.0, rules=[Rule("submit", Action("do_then_drop"), nth=[1])]))
    night = nights(emu, 1, reconcile__wait_s=120)
    with night.start() as running:
        night.wait_for(night.generations)
        # What others make with the same account pushes the row to a later page.
        account, body = Account(emu.base_url), submit_body()
        for _ in range(120):
            account.submit(body=body)
        emu.set_plan(log_lag_s=0.0)
        assert running.wait().code == 0
    night.assert_paid_once(generations=1)
    assert any("offset=100" in line["target"] for line in night.journal("logs"))
