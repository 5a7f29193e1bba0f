"""SIGINT and SIGTERM: the first ends a run orderly, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.exit_code import ExitCode

__all__ = ["interrupting"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def interrupting(interrupt: asyncio.Event | None) -> AsyncIterator[None]:
    """SIGINT and SIGTERM set the event; the second ends the process at once (the state file is always whole).

    Afterwards they go to whoever had them before.
    """
    if interrupt is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if interrupt.is_set():
            _leave()
        interrupt.set()
        for number in _NUMBERS:
            signal.signal(number, _leave)  # not by way of the loop, which may be waiting for a thread

    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number in _NUMBERS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # as it is where it was not Python's
                signal.signal(number, handler)


def _leave(*_: object) -> None:
    os._exit(ExitCode.INTERRUPTED)
