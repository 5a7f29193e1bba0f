"""Telling somebody that a run has ended, well or by an error: a command, a POST. Neither can change how it ended."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import shlex
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp

from pipeline.api.client import user_agent
from pipeline.clip import Status
from pipeline.counted import counted
from pipeline.errors import AvatarBatchError, ManifestError, StopRun, UsageError, one_line
from pipeline.exit_code import ExitCode
from pipeline.job import Job
from pipeline.run import RunResult
from pipeline.settings import NotifySettings
from pipeline.state import Overview, StateView

__all__ = ["SIGNATURE", "TIMESTAMP", "notify", "signature", "summary_of", "summary_of_error"]

SIGNATURE = "X-Avatar-Batch-Signature"
TIMESTAMP = "X-Avatar-Batch-Timestamp"
BACKOFF_S = 2.0
_EVENTS = {
    ExitCode.DONE: "finished", ExitCode.FAILED_ROWS: "failed", ExitCode.USAGE: "refused",
    ExitCode.STOPPED_EARLY: "stopped_early", ExitCode.INTERRUPTED: "interrupted",
}  # fmt: skip


def summary_of(job: Job, result: RunResult, report: str = "") -> dict[str, Any]:
    """What is told: ``event`` is finished, failed, stopped_early or interrupted."""
    message = str(result.stop_reason) if result.stop_reason else ""
    return _summary(job, _EVENTS[result.exit_code], result.exit_code, message, result.overview, report)


def summary_of_error(job: Job, error: Exception, report: str = "") -> dict[str, Any]:
    """What is told of a run that an error ended.

    ``event`` is refused (nothing was begun: the call has to change), stopped_early or crashed. Rows and money are
    those of the state file, zeros where there is none that can be read.
    """
    event, code, message = "crashed", ExitCode.FAILED_ROWS, str(error)
    if isinstance(error, UsageError):
        event, code = "refused", ExitCode.USAGE
        if isinstance(error, ManifestError):
            message = f"{counted(error.total, 'problem')} in the manifest, the first: {error.problems[0]}"
    elif isinstance(error, StopRun):
        event, code = "stopped_early", ExitCode.STOPPED_EARLY
    elif not isinstance(error, AvatarBatchError):
        message = f"{type(error).__name__}: {error}"
        code = ExitCode.USAGE if isinstance(error, sqlite3.DatabaseError) else code
    overview = Overview(dict.fromkeys(Status, 0), 0.0, 0.0, 0.0, 0.0, 0.0)
    with suppress(AvatarBatchError, sqlite3.Error, OSError), StateView(job.state_path) as view:
        overview = view.overview()
    return _summary(job, event, code, one_line(message), overview, report)


def _summary(job: Job, event: str, code: ExitCode, message: str, overview: Overview, report: str) -> dict[str, Any]:
    return {
        "event": event,
        "job": job.name,
        "exit_code": int(code),
        "message": message,
        "rows": {"total": overview.total} | {str(status): overview.rows[status] for status in Status},
        "spend": {"estimated_usd": round(overview.estimated_usd, 4), "spent_usd": round(overview.spent_usd, 4)},
        "report": report,
        "state_file": str(job.state_path),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=…``: the HMAC of the timestamp, a dot and the body, so that an old POST can't be sent again later."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def notify(
    settings: NotifySettings, summary: dict[str, Any], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> list[str]:
    """Tell the command and the URL; what went wrong, in words. Whoever pressed Ctrl-C knows already."""
    if summary["event"] == "interrupted":
        return []
    body = json.dumps(summary, ensure_ascii=False).encode()
    told = []
    if settings.command:
        told.append(_run_command(settings, summary, body))
    if settings.url:
        told.append(_post(settings, body, sleep))
    return [words for words in await asyncio.gather(*told) if words]


async def _run_command(settings: NotifySettings, summary: dict[str, Any], body: bytes) -> str:
    """Without a shell: the words as they stand, the summary on standard input, its event in the environment."""
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(settings.command),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"AVATAR_BATCH_EVENT": summary["event"], "AVATAR_BATCH_JOB": summary["job"]},
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return f"notify.command can't be started ({error}): give its whole path, quoted as in a shell"
    try:
        _, words = await asyncio.wait_for(process.communicate(body), settings.timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"notify.command took longer than notify.timeout_s ({settings.timeout_s:g} s) and was ended"
    if process.returncode:
        said = one_line(words.decode("utf-8", "replace"), 200)
        return f"notify.command ended with {process.returncode}{': ' + said if said else ''}"
    return ""


async def _post(settings: NotifySettings, body: bytes, sleep: Callable[[float], Awaitable[None]]) -> str:
    timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
    words = ""
    async with aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": user_agent()}) as session:
        for number in range(settings.attempts):
            if number:
                await sleep(BACKOFF_S * 2 ** (number - 1))
            try:
                headers = _headers(settings.secret, body)
                async with session.post(settings.url, data=body, headers=headers, allow_redirects=False) as response:
                    if response.status < 300:
                        return ""
                    words = f"it answered {response.status}"
                    if response.status < 500 and response.status not in {408, 425, 429}:
                        break  # it will say the same again
            except (aiohttp.ClientError, OSError, ValueError) as error:
                words = one_line(str(error) or type(error).__name__, 200)
            except TimeoutError:
                words = f"no answer within {settings.timeout_s:g} s"
    return f"notify.url could not be told ({words}): check the address and its receiver"


def _headers(secret: str, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if secret:
        timestamp = str(int(time.time()))
        headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(secret, timestamp, body)}
    return headers
