"""Telling somebody: a command, a signed POST, and that neither can change how a run ended."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from pipeline.after_run import telling_of_errors
from pipeline.cli import cli
from pipeline.clip import Status
from pipeline.errors import ConfigError, DiskFull, ManifestError, OutHeld, OutOfCredits, Problem
from pipeline.exit_code import ExitCode
from pipeline.job import Job, Opened
from pipeline.notify import SIGNATURE, TIMESTAMP, notify, signature, summary_of
from pipeline.run import RunResult
from pipeline.settings import NotifySettings, Settings
from pipeline.state import Intake, Overview
from tests.emulator.asking import png, wav
from tests.report.making import Fate, make_night

SUMMARY: dict[str, Any] = {"event": "failed", "job": "demo", "exit_code": 1}


async def at_once(_: float) -> None:
    """No test waits."""


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Somebody's server: answers with these statuses in turn, the last one for ever."""
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=statuses[min(len(got), len(statuses)) - 1], headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


def result(code: ExitCode, reason: OutOfCredits | None = None) -> RunResult:
    counts = dict.fromkeys(Status, 0) | {Status.DONE: 3, Status.FAILED: 1}
    opened = Opened(Intake(), (), 0, (), frozenset(), None, 0)
    return RunResult(code, reason, opened, Overview(counts, 2.4, 1.8, 1.8, 20.0, 15.0))


@pytest.mark.parametrize(
    ("code", "event"),
    [(ExitCode.DONE, "finished"), (ExitCode.FAILED_ROWS, "failed"), (ExitCode.STOPPED_EARLY, "stopped_early")],
)
def test_the_summary_says_how_it_ended(code: ExitCode, event: str, tmp_path: Path) -> None:
    job = Job.at(tmp_path / "demo.yaml", Settings(), tmp_path)
    made = summary_of(job, result(code, OutOfCredits("top up")), "out/report.html")
    assert (made["event"], made["exit_code"], made["rows"]["done"], made["rows"]["total"]) == (event, int(code), 3, 4)
    assert made["spend"] == {"estimated_usd": 2.4, "spent_usd": 1.8}
    assert (made["message"], made["report"]) == ("top up", "out/report.html")
    assert json.loads(json.dumps(made)) == made


async def test_the_post_is_signed_over_its_time_and_body() -> None:
    async with receiver(204) as (url, got):
        assert await notify(NotifySettings(url=url, secret="s3cret"), SUMMARY, sleep=at_once) == []
    headers, body = got[0]
    assert json.loads(body) == SUMMARY
    assert headers[SIGNATURE] == signature("s3cret", headers[TIMESTAMP], body)
    assert headers[SIGNATURE] != signature("other", headers[TIMESTAMP], body)


async def test_without_a_secret_nothing_is_signed() -> None:
    async with receiver(200) as (url, got):
        await notify(NotifySettings(url=url), SUMMARY, sleep=at_once)
    assert SIGNATURE not in got[0][0]


async def test_it_is_sent_again_while_the_receiver_is_in_trouble() -> None:
    async with receiver(503, 429, 200) as (url, got):
        assert await notify(NotifySettings(url=url), SUMMARY, sleep=at_once) == []
        assert len(got) == 3


@pytest.mark.parametrize(("statuses", "times"), [((400,), 1), ((302,), 1), ((500,), 3)])
async def test_what_can_not_be_told_is_a_line_and_no_error(statuses: tuple[int, ...], times: int) -> None:
    async with receiver(*statuses) as (url, got):
        (words,) = await notify(NotifySettings(url=url, attempts=3), SUMMARY, sleep=at_once)
        assert f"answered {statuses[-1]}" in words
        assert len(got) == times


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nonsense", "ftp://x/y"])
async def test_a_receiver_that_is_not_there_is_a_line(url: str) -> None:
    (words,) = await notify(NotifySettings(url=url, attempts=2), SUMMARY, sleep=at_once)
    assert words.startswith("notify.url could not be told")


async def test_the_command_gets_the_summary_without_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "tell me.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'told')!r}).write_text(json.dumps("
        "[json.load(sys.stdin), os.environ['AVATAR_BATCH_EVENT'], sys.argv[1:]]))\n"
    )
    command = f"{sys.executable} '{script}' '$(echo no shell)'"
    assert await notify(NotifySettings(command=command), SUMMARY, sleep=at_once) == []
    assert json.loads((tmp_path / "told").read_text()) == [SUMMARY, "failed", ["$(echo no shell)"]]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/no/such/program", "can't be started"),
        ("'unbalanced", "can't be started"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"no way\")'", "ended with 1: no way"),
        (f"{sys.executable} -c 'import time; time.sleep(60)'", "took longer"),
    ],
)
async def test_a_command_that_fails_is_a_line(command: str, words: str) -> None:
    (line,) = await notify(NotifySettings(command=command, timeout_s=1.5), SUMMARY, sleep=at_once)
    assert words in line


async def test_whoever_pressed_ctrl_c_is_not_told() -> None:
    assert await notify(NotifySettings(command="/no/such", url="nonsense"), {"event": "interrupted"}) == []


# --- a run that an error ends ------------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> tuple[Job, Path]:
    """A job whose notify.command writes what it gets into a file."""
    script = tmp_path / "tell.py"
    script.write_text(f"import pathlib, sys\npathlib.Path({str(tmp_path / 'told')!r}).write_text(sys.stdin.read())\n")
    settings = Settings(notify=NotifySettings(command=f"{sys.executable} {script}"))
    return Job.at(tmp_path / "demo.yaml", settings, tmp_path / "out"), tmp_path / "told"


@pytest.mark.parametrize(
    ("error", "event", "code", "words"),
    [
        (ZeroDivisionError("one\ntwo"), "crashed", 1, "ZeroDivisionError: one two"),
        (sqlite3.OperationalError("disk I/O error"), "crashed", 2, "OperationalError: disk I/O error"),
        (DiskFull("free space"), "stopped_early", 3, "free space"),
        (ConfigError("no API key"), "refused", 2, "no API key"),
        (
            ManifestError([Problem("job.yaml", 3, "a", "no such file"), Problem("job.yaml", 4, "b", "no such file")]),
            "refused", 2, "2 problems in the manifest, the first: job.yaml:3: row 'a': no such file",
        ),
    ],
)  # fmt: skip
def test_an_error_that_ends_the_run_is_told_and_goes_on(
    told: tuple[Job, Path], error: Exception, event: str, code: int, words: str
) -> None:
    job, file = told
    with pytest.raises(type(error)), telling_of_errors(job, "avatar-batch {}", print):
        raise error
    summary = json.loads(file.read_text())
    assert (summary["event"], summary["exit_code"], summary["message"]) == (event, code, words)
    assert summary["rows"]["total"] == 0


def test_a_crash_is_told_with_the_rows_as_they_stand_and_the_report(told: tuple[Job, Path]) -> None:
    job, file = told
    make_night(job.out, [Fate(), Fate(), Fate("failed")])
    with pytest.raises(ZeroDivisionError), telling_of_errors(job, "avatar-batch {}", print):
        raise ZeroDivisionError
    summary = json.loads(file.read_text())
    assert (summary["rows"]["total"], summary["rows"]["done"], summary["rows"]["failed"]) == (3, 2, 1)
    assert summary["spend"]["spent_usd"] > 0
    assert Path(summary["report"]).exists()


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OutHeld("another run")])
def test_an_interrupt_and_a_second_run_are_not_told(told: tuple[Job, Path], end: BaseException) -> None:
    job, file = told
    with pytest.raises(type(end)), telling_of_errors(job, "avatar-batch {}", print):
        raise end
    assert not file.exists()


def test_telling_that_fails_hides_no_error(tmp_path: Path) -> None:
    said: list[str] = []
    job = Job.at(tmp_path / "demo.yaml", Settings(notify=NotifySettings(command="/no/such/program")), tmp_path / "out")
    with pytest.raises(ZeroDivisionError), telling_of_errors(job, "avatar-batch {}", said.append):
        raise ZeroDivisionError
    assert "can't be started" in said[0]


def test_the_command_line_tells_of_a_fault_in_the_middle_of_a_run(
    told: tuple[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, file = told

    async def faulty(*_: object, **__: object) -> None:
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr("pipeline.run._render", faulty)
    for name, make in (("face.png", png()), ("voice.wav", wav(2.5))):
        (job.manifest.parent / name).write_bytes(make)
    job.manifest.write_text("version: 1\nrows: [{image: face.png, audio: voice.wav}]\n")
    words = ["run", str(job.manifest), "--out", str(job.out), "--set", f"notify.command={job.settings.notify.command}"]
    ended = CliRunner().invoke(cli, words)
    assert isinstance(ended.exception, ZeroDivisionError)
    summary = json.loads(file.read_text())
    assert (summary["event"], summary["rows"]["pending"]) == ("crashed", 1)
    assert '"action": "crash"' in (job.out / "run.log").read_text()
