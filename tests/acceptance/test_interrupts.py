"""Ctrl-C and SIGTERM: out within seconds, everything resumable, nothing bought again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest

from pipeline import Job, load_settings, run_job
from tests.emulator import Action, Cdn, Emulator, Plan, Rule

from .conftest import Nights
from .night import KEY

LEAVES_WITHIN_S = 6.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_renders_is_adopted_by_the_next_run(emu: Emulator, nights: Nights, number: signal.Signals) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 5, submit__max_in_flight=3)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 3)
        began = time.monotonic()
        running.send(number)
        ended = running.wait()
    assert ended.code == 130, ended.text
    assert time.monotonic() - began < LEAVES_WITHIN_S
    assert "Traceback" not in ended.text
    assert sorted(night.states().values()) == ["pending", "pending", "rendering", "rendering", "rendering"]
    emu.set_plan(Plan(render_s=0.1))
    emu.finish()
    assert night.run().code == 0
    night.assert_paid_once(generations=5)
    assert len(night.journal("submit")) == 5


def test_a_submit_in_the_air_is_waited_for_a_moment_and_found_later(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.2, rules=[Rule("submit", Action("do_then_hang", seconds=60.0), nth=[1])]))
    night = nights(emu, 3, submit__max_in_flight=1, api__timeout_s=60)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 1)
        began = time.monotonic()
        running.send(signal.SIGINT)
        assert running.wait().code == 130
        assert time.monotonic() - began < LEAVES_WITHIN_S
    assert sorted(night.states().values()) == ["pending", "pending", "submitting"]
    emu.set_plan(Plan(render_s=0.2))
    assert night.run().code == 0
    night.assert_paid_once(generations=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_while_the_manifest_is_read(emu: Emulator, nights: Nights, number: signal.Signals) -> None:
    night = nights(emu, 2)
    with night.start(hook={"nap": ["take_in", 1.0]}) as running:
        night.wait_for((night.out / "state.db").exists)
        running.send(number)
        ended = running.wait()
    assert ended.code == 130
    assert not ended.text.strip()
    assert not (night.out / "state.db").exists()


async def test_a_cancelled_run_of_a_library_notes_a_slow_answer_too(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.2, rules=[Rule("submit", Action("slow", seconds=1.5), nth=[1])]))
    night = nights(emu, 1, api__timeout_s=60)
    given = [f"{name}={value}" for name, value in night.settings.items()]
    job = Job.at(night.job, load_settings(assignments=given, environ={}), night.out)
    running = asyncio.create_task(run_job(job, api_key=KEY))
    await asyncio.to_thread(night.wait_for, lambda: night.journal("submit"))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert night.states() == {"r1": "rendering"}


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([signal.SIGTERM], id="one signal"),
        pytest.param([signal.SIGHUP, signal.SIGTERM, signal.SIGHUP], id="a session that ends sends several"),
    ],
)
def test_a_slow_answer_within_the_grace_is_noted(emu: Emulator, nights: Nights, numbers: list[signal.Signals]) -> None:
    emu.set_plan(Plan(render_s=0.2, rules=[Rule("submit", Action("slow", seconds=1.5), nth=[1])]))
    night = nights(emu, 1, api__timeout_s=60)
    with night.start() as running:
        night.wait_for(lambda: night.journal("submit"))
        for number in numbers:
            running.send(number)
            time.sleep(0.1)  # two of a kind at once are one
        assert running.wait().code == 130
    assert night.states() == {"r1": "rendering"}
    assert night.run().code == 0
    night.assert_paid_once(generations=1)
    assert not night.journal("logs")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_it_at_once(emu: Emulator, nights: Nights, number: signal.Signals) -> None:
    emu.set_plan(Plan(render_s=0.2, rules=[Rule("submit", Action("do_then_hang", seconds=60.0), nth=[1])]))
    night = nights(emu, 1, api__timeout_s=60)
    with night.start() as running:
        night.wait_for(night.generations)
        running.send(number)
        time.sleep(0.3)
        assert running.alive
        began = time.monotonic()
        running.send(number)
        assert running.wait().code == 130
        assert time.monotonic() - began < 3.0  # less than a first signal waits
    emu.set_plan(Plan(render_s=0.2))
    assert night.run().code == 0
    night.assert_paid_once(generations=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_while_the_balance_is_waited_for(emu: Emulator, nights: Nights, number: signal.Signals) -> None:
    emu.set_plan(Plan(rules=[Rule("billing", Action("hang_before", seconds=60.0))]))
    night = nights(emu, 2, api__timeout_s=60)
    with night.start() as running:
        night.wait_for(lambda: night.journal("billing"))
        began = time.monotonic()
        running.send(number)
        ended = running.wait()
        assert time.monotonic() - began < LEAVES_WITHIN_S
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    assert not night.journal("submit")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_last_row_is_an_interrupt_too(emu: Emulator, nights: Nights, number: signal.Signals) -> None:
    night = nights(emu, 1, notify__command="sleep 60")
    with night.start() as running:
        night.wait_for((night.out / "report.html").exists)  # whoever is to be told comes next
        began = time.monotonic()
        running.send(number)
        ended = running.wait()
        assert time.monotonic() - began < LEAVES_WITHIN_S
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    night.assert_paid_once(generations=1)


def test_a_download_cut_by_an_interrupt_goes_on_where_it_stood(emu: Emulator, nights: Nights) -> None:
    size = 3_000_000
    emu.set_plan(Plan(instant=True, pad_bytes=size, cdn=Cdn(bytes_per_s=1_000_000)))
    night = nights(emu, 1)
    part = night.out / "r1.mp4.part"
    with night.start() as running:
        night.wait_for(lambda: part.exists() and part.stat().st_size >= 1_000_000)
        running.send(signal.SIGINT)
        assert running.wait().code == 130
    stood = part.stat().st_size
    emu.set_plan(Plan(instant=True, pad_bytes=size))
    assert night.run().code == 0
    night.assert_paid_once(generations=1)
    assert night.journal("download")[-1]["headers"]["range"] == f"bytes={stood}-"


def pipe_without_a_reader() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


NOWHERE = [
    pipe_without_a_reader,
    pytest.param(full_disk, marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")),
]


@pytest.mark.parametrize("words", [[], ["--verbose"]])
@pytest.mark.parametrize("opened", NOWHERE)
def test_a_run_that_nobody_reads_any_more_goes_on(
    emu: Emulator, nights: Nights, opened: Callable[[], int], words: list[str]
) -> None:
    night = nights(emu, 3, submit__max_in_flight=2)
    output = opened()
    with night.start("run", *words, output=output) as running:
        os.close(output)
        assert running.wait().code == 0
    assert night.log()[-1]["action"] == "end"
    night.assert_paid_once(generations=3)


@pytest.mark.parametrize("opened", NOWHERE)
def test_an_interrupt_that_ended_the_reader_too_is_130(
    emu: Emulator, nights: Nights, opened: Callable[[], int]
) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 3, submit__max_in_flight=2)
    output = opened()
    with night.start(output=output) as running:  # as with `| tee night.txt`: Ctrl-C goes to both
        os.close(output)
        night.wait_for(lambda: len(night.generations()) == 2)
        running.send(signal.SIGINT)
        assert running.wait().code == 130
    assert night.log()[-1]["action"] == "end"
