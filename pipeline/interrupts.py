"""SIGINT and SIGTERM: the first ends a run orderly, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.exit_code import ExitCode

__all__ = ["interrupting"]


@asynccontextmanager
async def interrupting(interrupt: asyncio.Event | None) -> AsyncIterator[None]:
    """SIGINT and SIGTERM set the event; the second ends the process at once (the state file is always whole)."""
    if interrupt is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if interrupt.is_set():
            os._exit(ExitCode.INTERRUPTED)
        interrupt.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
