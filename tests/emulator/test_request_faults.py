"""Faults on requests: what is made, what is answered, and what the emulator remembers when it is killed."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from . import Action, BadClip, Emulator, Plan, Rule, chaos
from .asking import GONE, Account, ask, submit_body
from .faults import Asked, Tally, decide


@pytest.mark.parametrize(
    ("action", "made"),
    [
        (Action("drop_before"), False),
        (Action("drop_mid_body"), False),
        (Action("hang_before", seconds=0.1), False),
        (Action("do_then_drop"), True),
        (Action("do_then_hang", seconds=0.1), True),
        (Action("cut_body"), True),
    ],
)
def test_a_lost_answer(emu: Emulator, account: Account, action: Action, *, made: bool) -> None:
    count = len(emu.generations())
    emu.set_plan(rules=[Rule("submit", action, nth=[1])])
    with pytest.raises(GONE):
        account.submit("lost")
    assert len(emu.generations()) == count + made
    entry = emu.journal("submit")[-1]
    assert (entry["fault"], entry["client_request_id"], entry["authorization"]) == (action.do, "lost", True)
    assert entry["fate"] in ("reset", "cut")
    assert account.submit().status in (200, 201)


@pytest.mark.parametrize(
    ("action", "status", "made"),
    [
        (Action("status", status=429, headers={"Retry-After": "2"}), 429, False),
        (Action("status", envelope="legacy"), 503, False),
        (Action("do_then_status"), 502, True),
        (Action("do_then_status", status=504), 504, True),
        (Action("garbage_json"), 200, True),
        (Action("redirect", status=307), 307, False),
        (Action("slow", seconds=0.05), 201, True),
    ],
)
def test_a_wrong_answer(emu: Emulator, account: Account, action: Action, status: int, *, made: bool) -> None:
    count = len(emu.generations())
    emu.set_plan(rules=[Rule("submit", action, nth=[1])])
    answer = account.submit()
    assert answer.status in ((200, 201) if status == 201 else (status,))
    assert len(emu.generations()) == count + made
    for name, value in action.headers.items():
        assert answer.headers[name.lower()] == value
    if action.do == "redirect":
        assert answer.headers["location"].startswith(emu.elsewhere_url)
        ask(answer.headers["location"], "POST", b"{}", Authorization="Bearer x")
        assert emu.journal("elsewhere")[-1]["authorization"]
        assert emu.journal("elsewhere")[-1]["headers"]["authorization"] == "***"


def test_garbage_with_and_without_the_id_header(emu: Emulator, account: Account) -> None:
    emu.set_plan(
        rules=[
            Rule("submit", Action("garbage_json"), nth=[1]),
            Rule("submit", Action("garbage_json", inference_id=False), nth=[2]),
        ]
    )
    first, second = account.submit(), account.submit()
    assert first.headers["x-inference-id"] == emu.generations()[-2]["id"]
    assert "x-inference-id" not in second.headers
    with pytest.raises(ValueError, match="Unterminated"):
        second.json()


def test_late_404_and_a_huge_body(emu: Emulator, account: Account) -> None:
    huge = Rule("retrieve", Action("huge_body", bytes=3_000_000), nth=[3])
    emu.set_plan(rules=[Rule("retrieve", Action("late_404", polls=2)), huge])
    made = account.make()
    answers = [account.retrieve(made) for _ in range(4)]
    assert [answer.status for answer in answers] == [404, 404, 200, 200]
    assert len(answers[2].body) > 3_000_000
    assert answers[2].json()["id"] == made


def test_rules_are_decided_by_seed_and_count() -> None:
    rules = [
        Rule("submit", Action("status"), every=3, limit=2),
        Rule("submit", Action("drop_before"), probability=0.5, client_id="row-7"),
    ]
    plan = Plan(seed=4, rules=rules)

    def run() -> list[str | None]:
        tallies = [Tally() for _ in rules]
        actions = [decide(plan, tallies, Asked("submit", "row-7" if n % 2 else "row-8")) for n in range(12)]
        return [action.do if action else None for action in actions]

    assert run() == run()
    assert run().count("status") == 2
    assert run()[2] == "status"
    assert 0 < run().count("drop_before") <= 6


def test_a_plan_travels_as_json_and_typos_are_refused(emu: Emulator) -> None:
    for plan in (chaos(1), chaos(2, unmade=True), Plan(bad_clips=[BadClip("empty")], render_s=[1, 2])):
        assert Plan.from_json(plan.to_json()) == plan
    with pytest.raises(ValueError, match="unknown rendr_s"):
        Plan.from_json('{"rendr_s": 1}')
    with pytest.raises(ValueError, match="one of"):
        Plan.from_json('{"rules": [{"route": "submit", "action": {"do": "explode"}}]}')
    with pytest.raises(ValueError, match="400"):
        emu.set_plan(render_s="soon")


def test_it_is_killed_and_knows_everything(tmp_path: Path) -> None:
    drop = Rule("submit", Action("do_then_drop"), nth=[2], limit=1)
    with Emulator(tmp_path, Plan(render_s=0.2, seed=9, rules=[drop])) as emu:
        account = Account(emu.base_url)
        first = account.make()
        with pytest.raises(GONE):
            account.submit("second")
        urls = (emu.base_url, emu.cdn_url, emu.elsewhere_url)
        emu.kill()
        assert not emu.alive
        assert [row["client_request_id"] for row in emu.generations()] == [None, "second"]
        with pytest.raises(ConnectionRefusedError):
            account.retrieve(first)
        offline = emu.expected_clip(first)
        emu.restart()
        assert (emu.base_url, emu.cdn_url, emu.elsewhere_url) == urls
        assert emu.ledger()["totals"]["faults"][0]["fired"] == 1

        def ready(_: Emulator) -> bool:
            return bool(account.retrieve(first).json()["status"] == "completed")

        emu.wait_until(ready, 5)
        assert ask(account.link(first)).body == offline
        emu.stop()
        assert [line["fate"] for line in emu.journal("submit")] == ["answered", "reset"]
        assert emu.ledger()["totals"]["billed"] == 2


def test_requests_under_way_are_in_the_journal(emu: Emulator, account: Account) -> None:
    emu.set_plan(rules=[Rule("billing", Action("slow", seconds=0.5))])
    thread = threading.Thread(target=account.get, args=("/v2/billing",))
    thread.start()
    emu.wait_until(lambda one: one.journal("billing")[-1:] != [] and one.journal("billing")[-1]["fate"] == "open", 5)
    thread.join()


def test_a_client_that_leaves_makes_a_clip_only_if_its_request_was_whole(emu: Emulator) -> None:
    count, body = len(emu.generations()), submit_body()
    address = urlsplit(emu.base_url)
    for sent, fate in ((body[:9000], "client_gone"), (body, "answered")):
        arrived = len(emu.journal("submit"))
        with socket.create_connection((address.hostname, address.port)) as client:
            head = "POST /v2/video/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
            head += f"Content-Length: {len(body)}"
            client.sendall(head.encode() + b"\r\n\r\n" + sent)

        def over(one: Emulator, arrived: int = arrived, fate: str = fate) -> bool:
            return [line["fate"] for line in one.journal("submit")[arrived:]] == [fate]

        emu.wait_until(over, 5)
    assert len(emu.generations()) == count + 1
