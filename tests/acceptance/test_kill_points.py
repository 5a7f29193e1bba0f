"""SIGKILL at every move of a row, and between all steps around it.

Each chain is one job that dies again and again, each time at another place chosen on purpose: before a move is durable
(its transaction is gone) and right after (nothing else of it has happened). At the end stands one paid clip a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulator import Action, BadClip, Cdn, Emulator, Plan, Rule

from .night import Night

Kill = tuple[str, str, int]
RUN, RETRY, RESUBMIT = ("run",), ("retry",), ("run", "--resubmit-unconfirmed")
IMPATIENT: dict[str, object] = {"reconcile.wait_s": 0.3}


@dataclass(frozen=True)
class Chain:
    """Deaths one after the other, each in a command of its own.

    ``words``: that command; ``first``: one before each that ends; ``mend``: the plan for the last runs.
    """

    plan: Plan
    kills: Sequence[Kill]
    rows: int = 4
    words: tuple[str, ...] = RUN
    first: tuple[str, ...] = ()
    mend: Plan | None = None
    impatient: bool = False


def both(move: str) -> list[Kill]:
    """Before the move is durable, and right after."""
    return [(f"move:{move}", "uncommitted", 1), (f"move:{move}", "after", 1)]


def refused(**options: int | list[int]) -> Plan:
    return Plan(render_s=0.15, rules=[Rule("submit", Action("status", status=options.pop("status")), **options)])  # type: ignore[arg-type]


QUICK = Plan(render_s=0.15)
LOSING = Plan(render_s=0.15, rules=[Rule("submit", Action("do_then_drop"))])
FORGETFUL = Plan(render_s=0.15, log_forgets_probability=1.0, rules=[Rule("submit", Action("do_then_drop"), nth=[1, 2])])

CHAINS = {
    "the state file and the intake": Chain(
        QUICK,
        [("create", "before", 1), ("create", "after", 1), ("take_in", "after", 1), ("open", "after", 1), ("recover", "after", 1)],
    ),
    "submit": Chain(
        QUICK,
        [("move:begin_submit", "uncommitted", 1), ("request", "after", 1), *both("accept"), ("move:accept", "after", 2)],
        rows=8,
    ),
    "poll and download": Chain(
        QUICK,
        [
            ("asked", "after", 2), *both("complete"), ("verify", "before", 1), ("place", "before", 1), ("place", "after", 1),
            *both("finish"), ("move:finish", "after", 2),
        ],
        rows=8,
    ),
    "download of large clips": Chain(
        Plan(render_s=0.15, pad_bytes=9_000_000),
        [
            *both("note_part"), ("write", "before", 1), ("write", "after", 1), ("verify", "before", 1),
            ("place", "before", 1), ("place", "after", 1), *both("finish"),
        ],
        rows=8,
    ),
    "a lost answer": Chain(LOSING, [*both("lose"), *both("accept"), ("recover", "after", 1)], rows=5),
    "never sent": Chain(QUICK, [("move:begin_submit", "after", 1), ("request", "before", 1)], impatient=True),
    "server in trouble": Chain(refused(status=503, limit=4), both("take_back"), impatient=True),
    "too many requests": Chain(refused(status=429, limit=4), both("take_back"), impatient=True),
    "refused row": Chain(refused(status=400, limit=3), both("fail"), impatient=True),
    "no trace in the log": Chain(FORGETFUL, both("unconfirm"), impatient=True, mend=QUICK),
    "sent again on request": Chain(
        refused(status=504, limit=2), [("resubmit", "after", 1), *both("resubmit")],
        words=RESUBMIT, first=RUN, impatient=True, rows=2,
    ),
    "link expires": Chain(
        Plan(render_s=0.15, cdn=Cdn(link_uses=1, cut_after_bytes=20_000, cut_first=1)), both("relink"), rows=3
    ),
    "generation error": Chain(
        Plan(render_s=0.15, fails=[1, 2]), [("move:fail", "uncommitted", 1), ("move:fail", "after", 1)], mend=QUICK, rows=2
    ),
    "retry": Chain(
        Plan(render_s=0.15, fails=[1, 2]), [("retry", "after", 1), ("open", "after", 1)], words=RETRY, first=RUN, rows=2
    ),
    "bad file": Chain(
        Plan(render_s=0.15, bad_clips=[BadClip("truncated", nth=[1])]), both("fail"), mend=QUICK, rows=2
    ),
    "a file that is gone": Chain(QUICK, [("forget", "after", 1), ("open", "after", 1)], first=RUN, rows=2),
}  # fmt: skip


def mended(night: Night) -> None:
    """What a person does in the morning: run, then what the rows' states ask for."""
    words: tuple[str, ...] = RUN
    for _ in range(4):
        if night.run(*words).code == 0:
            return
        words = RESUBMIT if "unconfirmed" in night.states().values() else RETRY
    raise AssertionError(f"not done: {night.rows()}")


def spend(name: str, folder: Path) -> None:
    """Die at each of the places, then go on to the end."""
    chain = CHAINS[name]
    with Emulator(folder / "emulator", chain.plan) as emu:
        night = Night(folder / "night", emu, chain.rows, submit__max_in_flight=2)
        if chain.impatient:
            night.settings |= IMPATIENT
        for kill in chain.kills:
            if chain.first:
                night.run(*chain.first)
            if name == "a file that is gone":
                (night.out / "r1.mp4").unlink(missing_ok=True)
            died = night.run(*chain.words, hook={"kill": kill})
            assert died.code == -9, f"{kill} was never reached: {died.text}"
            for row in night.ids:
                whole = [one for one in night.generations(row) if one["state"] != "error"]
                assert len(whole) <= 1, f"{row} was bought twice after {kill}"
        if chain.mend is not None:
            emu.set_plan(chain.mend)
        mended(night)
        errors = {row: sum(one["state"] == "error" for one in night.generations(row)) for row in night.ids}
        assert sum(errors.values()) == len(chain.plan.fails)
        for row in night.ids:
            night.assert_paid_once([row], in_error=errors[row])


@pytest.mark.parametrize("case", CHAINS)
def test_dying_there_costs_nothing(table: Callable[[str], None], case: str) -> None:
    table(case)
