"""One run at a time on an OUT. The lock dies with its process, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pipeline.errors import OutHeld, UsageError

__all__ = ["OutLock", "is_held"]


NAMING_TRIES, NAMING_S = 10, 0.02


class OutLock:
    """Holds OUT while in a ``with``.

    The lock is the kernel's (``flock``), on a file of its own: locks on the state file itself are SQLite's business.

    Raises:
        OutHeld: another live run has it; the text says who.
        UsageError: OUT can't be written, or is on a disk without locks.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / "run.lock"
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self._path.parent} can't be written ({error.strerror}): choose another --out") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self._file)
            os.close(self._file)
            raise OutHeld(
                f"{self._path.parent} is held by {holder}: wait for it, or stop it (Ctrl-C is safe)"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise UsageError(f"{self._path.parent} can't be locked ({error.strerror}): choose a local --out") from None
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(me).encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only nameless
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def is_held(out: Path) -> bool:
    """Whether a live run works in OUT.

    The lock is only tried when the process that last had it still lives, so that a look never gets in the way of a run
    that starts.
    """
    try:
        with open(out / "run.lock", "rb") as file:
            me = json.loads(file.read(4096))
            if me["host"] == socket.gethostname():
                os.kill(int(me["pid"]), 0)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except PermissionError:
        return True  # a process of somebody else's
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return False


def _holder(file: int) -> str:
    """Who has the lock. A run that took it a moment ago may not have put its name there yet."""
    for _ in range(NAMING_TRIES):
        try:
            me = json.loads(os.pread(file, 4096, 0))
            if me["host"] == socket.gethostname():
                with suppress(PermissionError):  # it is somebody else's
                    os.kill(int(me["pid"]), 0)  # the name of a dead process is that of an earlier run
            return f"process {int(me['pid'])} on {me['host']} since {me['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(NAMING_S)
    return "another run"
