"""SIGINT, SIGTERM and SIGHUP: the first ends a run orderly, a second of the former two at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.exit_code import ExitCode

__all__ = ["interrupting", "is_hangup_heard"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def is_hangup_heard() -> bool:
    """Whether the end of the terminal is to end what runs in it; nohup and its like ignore it."""
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


@asynccontextmanager
async def interrupting(interrupt: asyncio.Event | None) -> AsyncIterator[None]:
    """SIGINT, SIGTERM and SIGHUP set the event; the second ends the process at once (the state file is always whole).

    SIGHUP is never that second one: a terminal that ends sends it more than once, and together with others. Afterwards
    they go to whoever had them before.
    """
    if interrupt is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        interrupt.set()
        for number in _NUMBERS:
            signal.signal(number, _leave)  # not by way of the loop, which may be waiting for a thread

    handlers = dict.fromkeys(_NUMBERS, on_signal)
    if is_hangup_heard():
        handlers[signal.SIGHUP] = interrupt.set
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            loop.remove_signal_handler(number)
            if earlier is not None:  # as it is where it was not Python's
                signal.signal(number, earlier)


def _leave(*_: object) -> None:
    os._exit(ExitCode.INTERRUPTED)
