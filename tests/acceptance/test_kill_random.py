"""SIGKILL whenever: of the command, of the provider, of both; and the chaos that a seed makes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator import Emulator, Plan, chaos

from .night import Night

ROUNDS = 12


def killed_again_and_again(night: Night, dice: random.Random, rounds: int) -> None:
    """Start it and kill it; each time it gets a little further."""
    for _ in range(rounds):
        with night.start() as running:
            until = time.monotonic() + dice.uniform(0.4, 1.5)
            while running.alive and time.monotonic() < until:
                time.sleep(0.005)
            running.kill()


def finish(night: Night) -> None:
    """Run to the end. A submit that died on its way is on no side's books: its row is asked about, and never guessed."""
    ended = night.run()
    if ended.code == 1:
        states = night.states()
        assert set(states.values()) <= {"done", "unconfirmed"}, states
        assert not [row for row, state in states.items() if state == "unconfirmed" and night.generations(row)]
        ended = night.run("run", "--resubmit-unconfirmed")
    assert ended.code == 0, ended.text


def client_dies(night: Night, dice: random.Random) -> None:
    killed_again_and_again(night, dice, ROUNDS)
    finish(night)


def provider_dies(night: Night, dice: random.Random) -> None:
    with night.start(retry__attempts=500) as running:
        for _ in range(4):
            until = time.monotonic() + dice.uniform(0.5, 1.2)
            while running.alive and time.monotonic() < until:
                time.sleep(0.005)
            night.emu.restart()
        assert running.wait().code in {0, 1}
    finish(night)


def chaos_and_kills(night: Night, dice: random.Random) -> None:
    killed_again_and_again(night, dice, 4)
    for _ in range(2):
        ended = night.run()
        assert ended.code in {0, 1}, ended.text
        if ended.code == 0:
            return
    finish(night)


CASES: dict[str, tuple[Plan, int, Callable[[Night, random.Random], None]]] = {
    "the command is killed": (Plan(render_s=[0.1, 2.0], max_concurrent=5), 12, client_dies),
    "the provider is killed": (Plan(render_s=[0.1, 1.5]), 8, provider_dies),
    "chaos 1": (chaos(1), 10, chaos_and_kills),
    "chaos 2": (chaos(2), 10, chaos_and_kills),
    "chaos 3": (chaos(3), 10, chaos_and_kills),
}


def spend(name: str, folder: Path) -> None:
    """One night of accidents, the same for the same name."""
    plan, rows, accidents = CASES[name]
    with Emulator(folder / "emulator", plan) as emu:
        night = Night(folder / "night", emu, rows, api__timeout_s=1.5)
        accidents(night, random.Random(name))
        night.assert_paid_once(generations=rows)
        assert emu.ledger()["totals"]["repeated_client_ids"] == {}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_paid_twice_and_nothing_lost(table: Callable[[str], None], case: str) -> None:
    table(case)
