"""A night whose terminal, pipe or log file is gone: it goes on, and ends with the exit code of its rows."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.emulator import Emulator

from .conftest import Nights
from .night import DEADLINE_S, REPOSITORY, Night


def redirected(night: Night, redirections: str, verb: str = "run", *words: str) -> subprocess.CompletedProcess[str]:
    command, environ = night.command(verb, *words)
    script = f"{shlex.join(command)} {redirections}"
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environ, cwd=REPOSITORY, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip


@pytest.mark.parametrize("redirections", ["2>&-", "<&- >&- 2>&-", ">&-"])
def test_a_stream_that_is_closed_is_missed_by_nobody(emu: Emulator, nights: Nights, redirections: str) -> None:
    night = nights(emu, 2)

    done = redirected(night, redirections, "run", "--verbose")

    assert done.returncode == 0, done.stderr
    night.assert_paid_once()
    assert "fault" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_under_the_words_does_not_end_the_night(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 2)

    assert redirected(night, "2>/dev/full", "run", "--verbose").returncode == 0

    night.assert_paid_once()
    assert redirected(night, "2>/dev/full", "status", "--nonsense").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_summary_that_cannot_be_written_does_not_change_the_exit_code(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 1)

    done = redirected(night, ">/dev/full")

    assert done.returncode == 0, done.stderr
    assert "can't be written (No space left on device): the summary is missing" in done.stderr


def test_a_reader_that_left_does_not_end_the_night(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 3)

    done = redirected(night, "2>&1 | head -1; exit ${PIPESTATUS[0]}", "run", "--verbose")

    assert (done.returncode, done.stderr) == (0, "")
    night.assert_paid_once()


@pytest.mark.parametrize("words", [("status", "--json"), ("export",), ("status",), ("plan",)])
def test_a_closed_standard_output_is_no_fault(emu: Emulator, nights: Nights, words: tuple[str, ...]) -> None:
    night = nights(emu, 1)
    assert night.run().code == 0

    done = redirected(night, ">&-", *words)

    assert (done.returncode, done.stderr) == (0, "")


def test_scripts_read_utf8_whatever_the_locale(emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    night = nights(emu, 1, out=tmp_path / "é")
    assert night.run().code == 0
    command, environ = night.command("status", "--json")

    done = subprocess.run(
        command, capture_output=True, env=environ | {"PYTHONIOENCODING": "latin-1"}, cwd=REPOSITORY, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "é/r1.mp4" in done.stdout.decode()
