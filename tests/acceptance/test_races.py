"""Two runs for one OUT: exactly one works, the other says who; the lock dies with its holder."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.emulator import Emulator, Plan

from .conftest import Nights


@pytest.mark.parametrize("turn", range(3))
def test_of_two_runs_that_start_together_one_works(emu: Emulator, nights: Nights, turn: int) -> None:
    emu.set_plan(Plan(render_s=1.5))
    night = nights(emu, 4)
    with night.start() as one, night.start() as other, night.start("retry") as third:
        ended = {running.process.pid: running.wait() for running in (one, other, third)}
    winners = [pid for pid, end in ended.items() if end.code == 0]
    losers = [end for end in ended.values() if end.code == 2]
    assert (len(winners), len(losers)) == (1, 2), {pid: end.text for pid, end in ended.items()}
    for loser in losers:
        assert f"process {winners[0]} " in loser.stderr, loser.stderr
    night.assert_paid_once(generations=4)


def test_a_held_out_is_said_and_the_holder_works_on(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 2)
    with night.start() as holder:
        night.wait_for(lambda: len(night.generations()) == 2)
        submits = len(night.journal("submit"))
        for verb in ("run", "retry"):
            ended = night.run(verb)
            assert ended.code == 2
            assert re.search(rf"process {holder.process.pid} on \S+ since \d", ended.stderr), ended.stderr
        assert len(night.journal("submit")) == submits
        emu.finish()
        assert holder.wait().code == 0
    night.assert_paid_once(generations=2)


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_run_that_is_ended_while_it_opens_out_holds_it_until_it_has_left_it(
    emu: Emulator, nights: Nights, numbers: list[signal.Signals]
) -> None:
    emu.set_plan(Plan(render_s=0.2))
    night = nights(emu, 2)
    with night.start(hook={"nap": ["take_in", 3.0]}) as first:
        night.wait_for((night.out / "state.db").exists)
        for number in numbers:
            first.send(number)
            time.sleep(0.2)  # two of a kind at once are one
        while (ended := night.run()).code == 2:
            assert f"is held by process {first.process.pid}" in ended.stderr
        left = first.wait()
    assert ended.code == 0
    assert left.code == 130
    assert "Traceback" not in left.text
    night.assert_paid_once(generations=2)


def test_the_lock_dies_with_sigkill(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 2)
    with night.start() as holder:
        night.wait_for(lambda: len(night.generations()) == 2)
        # Stopped, it holds OUT all the same.
        holder.send(signal.SIGSTOP)
        assert night.run().code == 2
        holder.kill()
    emu.finish()
    assert night.run().code == 0
    night.assert_paid_once(generations=2)
