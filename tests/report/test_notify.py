"""Telling somebody: a command, a signed POST, and that neither can change how a run ended."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.clip import Status
from pipeline.errors import OutOfCredits
from pipeline.exit_code import ExitCode
from pipeline.job import Job, Opened
from pipeline.notify import SIGNATURE, TIMESTAMP, notify, signature, summary_of
from pipeline.run import RunResult
from pipeline.settings import NotifySettings, Settings
from pipeline.state import Intake, Overview

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
