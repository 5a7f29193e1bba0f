"""The command line: calls that are refused, help, and how every command ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.job import Job
from pipeline.version import __version__
from tests.unit.commands.conftest import Run, a_job_that_ran


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "Missing argument 'JOB'"), (["chekc", "job.csv"], "No such command 'chekc'"), (["check", "job.csv", "--nope"], "No such option"),
        (["check", "job.txt"], "job.txt: a manifest is a .yaml, .yml or .csv file"), (["check", "gone.csv"], "gone.csv: no such file: check the path"),
        (["check", "job.csv", "--set", "x"], "--set x: expected KEY=VALUE"), (["check", "job.csv", "--set", "poll.intervall_s=1"], "did you mean poll.interval_s?"),
        (["check", "job.csv", "--config", "gone.yaml"], "gone.yaml: can't be read"), (["run", "job.csv", "--budget", "much"], "'much' is not a valid float"),
        (["run", "job.csv", "--budget", "nan"], "budget.max_usd"), (["run", "job.csv", "--budget", "-1"], "budget.max_usd"),
        (["run", "job.csv", "--max-in-flight", "0"], "submit.max_in_flight"), (["run", "job.csv", "--max-in-flight", "many"], "submit.max_in_flight"),
        (["run", "job.csv", "--only", "nobody"], "no row of this job: nobody"), (["retry", "job.csv", "nobody"], "no row of this job: nobody"),
        (["run", "job.csv", "--set", "api.provider=aimlapi"], "no API key: set AIMLAPI_API_KEY"), (["run", "job.csv", "--set", "api.base_url=http://h"], "api.provider is local"),
        (["status", "job.csv"], "isn't there: start the job with `avatar-batch run`"), (["export", "job.csv"], "isn't there"), (["export", "job.csv", "--format", "xml"], "'xml' is not one of"),
        (["status", "job.csv", "--out", ""], "--out is empty: name a folder"), (["run", "job.csv", "--out", " "], "--out is empty: name a folder"),
        (["run", "job.csv", "--only", ""], "no row of this job: ''"),
        (["check", ""], "a manifest is a .yaml, .yml or .csv file"), (["check", "face.png"], "a manifest is"), (["check", "."], "a manifest is"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_exit_2_and_one_clear_line(run: Run, words: list[str], said: str) -> None:
    code, out, err = run(*words)

    assert code == 2, err
    assert out == ""
    assert said in err
    assert len([line for line in err.splitlines() if said in line]) == 1


def test_a_key_is_in_no_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk secret")

    code, out, err = run("run", "job.csv")

    assert code == 2
    assert "AIMLAPI_API_KEY holds white space" in err
    assert "secret" not in out + err


@pytest.mark.parametrize("command", ["run", "check", "plan", "status", "retry", "export", "audit", "serve"])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")

    assert (code, err) == (0, "")
    assert f"Usage: avatar-batch {command}" in out


@pytest.mark.parametrize("options", [["--version"], ["--help"], ["-h"]])
def test_the_program_names_itself(run: Run, options: list[str]) -> None:
    code, out, _ = run(*options)

    assert code == 0
    assert "avatar-batch" in out
    assert options != ["--version"] or __version__ in out


@pytest.mark.parametrize("interrupt", ["check", "plan"])
def test_ctrl_c_is_130_at_any_time(run: Run, monkeypatch: pytest.MonkeyPatch, interrupt: str) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "check", interrupted)

    code, _, _ = run(interrupt, "job.csv")

    assert code == 130


def test_a_fault_of_ours_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise ZeroDivisionError("one\ntwo \x1b[31m")

    monkeypatch.setattr(Job, "check", faulty)

    code, out, err = run("check", "job.csv")

    assert (code, out) == (1, "")
    assert "ZeroDivisionError: one two" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"caf\xe9.txt", b"a\nb.txt", b"\x1b[31m.txt", b"gone\nnot there.csv"])
def test_a_hostile_name_is_told_in_one_harmless_line(folder: Path, name: bytes) -> None:
    environ = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", os.fsdecode(name)],
        capture_output=True,
        env=environ,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if b"avatar-batch:" in line or b"problem" in line]) == 1


def test_a_reader_that_leaves_ends_it_quietly(folder: Path) -> None:
    environ: dict[str, Any] = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = f"{sys.executable} -m pipeline check --help | true; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, env=environ, check=False, timeout=60)

    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", ["status job.csv", "status job.csv --json", "export job.csv", "check job.csv", "--help"]
)
def test_a_full_standard_output_is_one_line(run: Run, folder: Path, words: str, unbuffered: str) -> None:
    asyncio.run(a_job_that_ran(folder))
    environ: dict[str, Any] = os.environ | {
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "PYTHONUNBUFFERED": unbuffered,
    }

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m pipeline {words} > /dev/full"],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
        timeout=60,
    )

    assert done.stderr == (
        "avatar-batch: standard output can't be written (No space left on device): free space, or send it elsewhere\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_help_says_what_to_do_next(run: Run, command: str) -> None:
    _, out, _ = run(command, "--help")

    assert "Next:" in out or command == "serve"  # which tells how a run is pointed at it


def test_no_line_of_the_list_of_commands_is_cut_off(run: Run) -> None:
    assert "..." not in run("--help")[1].partition("Commands:")[2]
