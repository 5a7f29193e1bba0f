"""Signals belong to a run only while it lasts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.interrupts import interrupting

NUMBERS = [signal.SIGINT, signal.SIGTERM]

BLOCKED = """
import asyncio, threading
from pipeline.interrupts import interrupting

async def main():
    interrupt = asyncio.Event()
    async with interrupting(interrupt):
        print("ready", flush=True)
        await interrupt.wait()
        print("closing", flush=True)
        while True:  # as for a thread that the disk holds up; a signal amid Python's way into a wait is heard at its end
            threading.Event().wait(0.1)

asyncio.run(main())
"""


@pytest.fixture
def mine() -> Iterator[object]:
    def handler(*_: object) -> None: ...

    before = {number: signal.signal(number, handler) for number in NUMBERS}
    yield handler
    for number, one in before.items():
        signal.signal(number, one)


@pytest.mark.parametrize("sent", [[], [signal.SIGTERM]])
async def test_who_was_told_before_is_told_again_afterwards(mine: object, sent: list[signal.Signals]) -> None:
    interrupt = asyncio.Event()

    async with interrupting(interrupt):
        assert signal.getsignal(signal.SIGTERM) is not mine
        for number in sent:
            os.kill(os.getpid(), number)
            await asyncio.wait_for(interrupt.wait(), 10)

    assert [signal.getsignal(number) for number in NUMBERS] == [mine, mine]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_ends_it_also_while_the_loop_waits_for_a_thread(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(number)
            assert process.stdout.readline() == b"closing\n"
            process.send_signal(number)
            assert process.wait(30) == 130
        finally:
            process.kill()


async def test_a_terminal_that_ends_interrupts_once_however_often_it_says_so() -> None:
    interrupt = asyncio.Event()
    before = signal.getsignal(signal.SIGHUP)

    async with interrupting(interrupt):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.wait_for(interrupt.wait(), 10)
            await asyncio.sleep(0)

    assert signal.getsignal(signal.SIGHUP) is before


async def test_a_terminal_that_was_to_be_outlived_is() -> None:
    interrupt = asyncio.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        async with interrupting(interrupt):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not interrupt.is_set()
