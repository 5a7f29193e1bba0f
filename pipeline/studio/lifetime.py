"""When a studio stops: a signal, or the end of standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading

__all__ = ["stop_event"]

_PATIENCE_S = 5.0
"""Stopping takes a fraction of this; should something hang, the process ends all the same. The queue is durable."""


def stop_event(*, exit_with_stdin: bool) -> asyncio.Event:
    """An event that is set when the studio is to stop. A second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(exit_code: int = 0) -> None:
        if stopping.is_set():
            os._exit(exit_code)
        stopping.set()
        last_resort = threading.Timer(_PATIENCE_S, os._exit, (exit_code,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, 128 + number)
    if exit_with_stdin:

        def watch() -> None:
            with contextlib.suppress(OSError):  # standard input was closed from the start
                while os.read(0, 4096):
                    pass
            with contextlib.suppress(RuntimeError):  # the loop is closed: the studio is stopping already
                loop.call_soon_threadsafe(stop)

        threading.Thread(target=watch, name="stdin", daemon=True).start()
    return stopping
