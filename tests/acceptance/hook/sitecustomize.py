"""Accidents at chosen places inside the command under test, which itself knows nothing of them.

Python imports this file at its start because the tests put its folder on PYTHONPATH. NIGHT_HOOK holds JSON:

- ``kill``: ``[place, moment, nth]``: SIGKILL at the nth time that this place is reached. Places are ``move:<name>``
  (a function of ``pipeline.state.moves``), ``open``, ``create``, ``request``, ``place`` and ``write``; moments are
  ``before``, ``uncommitted`` (done, but not yet durable) and ``after``.
- ``fail``: ``[place, errno, nth, times]``: an OSError or, for moves, SQLite's own error.
- ``clock``: ``[seconds, after_s]``: the wall clock jumps so far, so long after the start.
- ``sndbuf``: bytes that the kernel takes for a connection before a sender has to wait.
- ``nap``: ``[place, seconds]``: sleep before it.

A place that does not exist is an error at once: a test must not pass because its accident never happened.
"""

from __future__ import annotations

import datetime as dt
import errno
import functools
import importlib
import json
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]
_AROUND = {
    "open": ("pipeline.job", "Job._open"),
    "request": ("pipeline.api.client", "ApiClient.submit"),
    "asked": ("pipeline.api.client", "ApiClient.retrieve"),
    "write": ("pipeline.stages.part_file", "PartFile.write"),
    "verify": ("pipeline.stages.verify", "sha256_of"),
    "place": ("pipeline.stages.verify", "put_all_in_place"),
    "take_in": ("pipeline.job", "take_in"),
    "recover": ("pipeline.job", "recover"),
    "retry": ("pipeline.job", "retry"),
    "rerender": ("pipeline.job", "rerender"),
    "resubmit": ("pipeline.job", "resubmit"),
    "forget": ("pipeline.job", "forget_lost_files"),
}


def die() -> None:
    """No exit handler, no finally, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def patch(module: str, path: str, wrapper: Wrapper) -> None:
    """Put a wrapper around a function; the AttributeError of a name that is gone is meant to be seen."""
    owner: Any = importlib.import_module(module)
    *way, name = path.split(".")
    for step in way:
        owner = getattr(owner, step)
    setattr(owner, name, wrapper(getattr(owner, name)))


class Nth:
    """True at the nth call, and at so many calls from there on."""

    def __init__(self, nth: int = 1, times: int = 1) -> None:
        self._first, self._last, self._seen = nth, nth + times - 1, 0

    def __call__(self) -> bool:
        self._seen += 1
        return self._first <= self._seen <= self._last


def around(before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> Wrapper:
    """A wrapper, for plain and for async functions, that calls these."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def plain(*args: Any, **options: Any) -> Any:
            if before:
                before()
            result = function(*args, **options)
            if hasattr(result, "__await__"):
                return awaited(result)
            if after:
                after()
            return result

        async def awaited(result: Any) -> Any:
            value = await result
            if after:
                after()
            return value

        return plain

    return wrap


def kill_at(place: str, moment: str, nth: int = 1) -> None:
    """Plan a death."""
    turn = Nth(nth)

    def maybe() -> None:
        if turn():
            die()

    kind, _, name = place.partition(":")
    if kind == "move" and moment == "after":
        reached = [False]

        def mark() -> None:
            reached[0] = reached[0] or turn()

        def die_if_reached() -> None:
            if reached[0]:
                die()

        patch("pipeline.state.moves", name, around(before=mark))
        patch("pipeline.state.writer", "Writer._commit", around(after=die_if_reached))
    elif kind == "move":
        patch("pipeline.state.moves", name, around(**{"before" if moment == "before" else "after": maybe}))
    elif kind == "create":

        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            def rename(self: Path, target: Path) -> Any:
                chosen = Path(target).name == "state.db" and turn()
                if chosen and moment == "before":
                    die()
                result = function(self, target)
                if chosen:
                    die()
                return result

            return rename

        patch("pathlib", "Path.rename", wrap)
    else:
        patch(*_AROUND[place], around(**{"before" if moment == "before" else "after": maybe}))


def fail_at(place: str, code: int, nth: int = 1, times: int = 1) -> None:
    """Plan a failing disk."""
    turn = Nth(nth, times)
    kind, _, name = place.partition(":")

    def fail() -> None:
        if turn():
            raise OSError(code, os.strerror(code))

    def fail_as_sqlite() -> None:
        if turn():
            full = code == errno.ENOSPC
            words = {errno.ENOSPC: "database or disk is full", errno.EIO: "disk I/O error"}
            error_type = sqlite3.OperationalError if code in words else sqlite3.DatabaseError
            error = error_type(words.get(code, "database disk image is malformed"))
            error.sqlite_errorcode = (
                sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR_WRITE if code in words else sqlite3.SQLITE_CORRUPT
            )
            raise error

    if kind == "move":
        patch("pipeline.state.moves", name, around(before=fail_as_sqlite))
    elif kind == "fsync":
        patch("os", "fsync", around(before=fail))
    else:
        patch(*_AROUND[place], around(before=fail))


def move_clock(seconds: float, after_s: float) -> None:
    """Plan a jump of the wall clock. The monotonic clock goes on as it does on a real machine."""
    true_time, start = time.time, time.monotonic()

    def now() -> float:
        return true_time() + (seconds if time.monotonic() - start >= after_s else 0.0)

    class Moved(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.fromtimestamp(now(), tz)

    time.time = now
    dt.datetime = Moved  # type: ignore[misc]  # that is the point


def small_buffers(size: int) -> None:
    """Make senders wait, as a slow line does."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: socket.socket, *args: Any, **options: Any) -> None:
            function(self, *args, **options)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)

        return init

    patch("socket", "socket.__init__", wrap)


def nap_at(place: str, seconds: float) -> None:
    """Plan a slow step."""
    patch(*_AROUND[place], around(before=lambda: time.sleep(seconds)))


_PLANS: dict[str, Callable[..., None]] = {
    "clock": move_clock, "kill": kill_at, "fail": fail_at, "sndbuf": small_buffers, "nap": nap_at,
}  # fmt: skip

_hook = os.environ.pop("NIGHT_HOOK", "")
if _hook:
    _plans = json.loads(_hook)
    try:
        for _name in _PLANS:  # the clock first: modules bind it when they are imported
            if _name in _plans:
                _PLANS[_name](*_plans[_name])
    except Exception as _error:
        sys.stderr.write(f"the accident could not be planned: {_error!r}\n")
        os._exit(97)
