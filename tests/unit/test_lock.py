"""One run at a time on an OUT, and a lock that dies with its process."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import OutHeld, UsageError
from pipeline.lock import OutLock

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.lock import OutLock
with OutLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with OutLock(tmp_path / "out"), pytest.raises(OutHeld) as caught, OutLock(tmp_path / "out"):
        pass

    assert f"is held by process {os.getpid()} on " in str(caught.value)
    assert "wait for it, or stop it (Ctrl-C is safe)" in str(caught.value)


def test_it_is_free_again_afterwards_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError), OutLock(tmp_path):
        raise ValueError
    with OutLock(tmp_path):
        pass
    with OutLock(tmp_path):
        pass


def test_two_outs_are_two_locks(tmp_path: Path) -> None:
    with OutLock(tmp_path / "a"), OutLock(tmp_path / "b"):
        pass


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b'{"pid": "x"}', b"\xff\xfe"])
def test_a_holder_without_a_name_is_another_run(tmp_path: Path, content: bytes) -> None:
    with OutLock(tmp_path):
        (tmp_path / "run.lock").write_bytes(content)
        with pytest.raises(OutHeld, match="is held by another run"), OutLock(tmp_path):
            pass


@pytest.mark.parametrize("before", ["", '{"pid": 4194304, "host": "HOST", "since": "long ago"}'])
def test_a_holder_that_is_just_naming_itself_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    with OutLock(tmp_path):
        name = (tmp_path / "run.lock").read_text()
        (tmp_path / "run.lock").write_text(before.replace("HOST", socket.gethostname()))
        monkeypatch.setattr("time.sleep", lambda _: (tmp_path / "run.lock").write_text(name))
        with pytest.raises(OutHeld, match=f"is held by process {os.getpid()} on "), OutLock(tmp_path):
            pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(OutHeld, match=f"process {holder.pid} on"), OutLock(tmp_path):
                pass
        finally:
            holder.kill()
        holder.wait()

    with OutLock(tmp_path):
        pass


def test_an_out_that_can_not_be_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(UsageError, match=r"can't be written .*: choose another --out"),
        OutLock(tmp_path / "file" / "out"),
    ):
        pass


def test_an_out_that_has_no_locks_is_a_wrong_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def flock(file: int, _: int) -> None:
        tried.append(file)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)

    with (
        pytest.raises(UsageError, match=r"can't be locked \(No locks available\): choose a local --out"),
        OutLock(tmp_path),
    ):
        pass

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(tried[0])
