"""``run`` and ``retry``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from pipeline.after_run import after_run, telling_of_errors
from pipeline.clip import FailureCode, Status
from pipeline.commands.job_command import JobCall, job_command
from pipeline.counted import counted
from pipeline.exit_code import ExitCode
from pipeline.job import Wishes
from pipeline.pacing.hours import parse_time
from pipeline.progress import Progress
from pipeline.remedies import FAILURES, NOTES
from pipeline.run import RunResult, run_job
from pipeline.settings import api_key_from
from pipeline.state import StateView
from pipeline.streams import drop_output

__all__ = ["retry", "run"]

SHOWN_FAILURES = 10
_F = TypeVar("_F", bound=Callable[..., Any])


class _TimeOfDay(click.ParamType[time]):
    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        if isinstance(value, time):
            return value
        try:
            return parse_time(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _run_options(command: _F) -> _F:
    for option in reversed(
        (
            click.option("--only", multiple=True, metavar="ID", help="Submit only this row (repeatable)."),
            click.option("--budget", type=float, metavar="USD", help="The most to spend, earlier runs included."),
            click.option("--max-in-flight", metavar="N", help="Clips rendering at once: a number, or auto."),
            click.option("--start-at", type=_TimeOfDay(), help="Submit nothing before this time of day."),
            click.option("--until", type=_TimeOfDay(), help="Submit nothing from this time of day on."),
            click.option("--yes", is_flag=True, help="Do not ask before real money is spent."),
            click.option(
                "--rerender-changed", is_flag=True, help="Render rows again whose inputs changed (paid again)."
            ),
            click.option("--resubmit-unconfirmed", is_flag=True, help="Send rows again that may be paid for already."),
        )
    ):
        command = option(command)
    return command


@job_command
@_run_options
def run(call: JobCall, yes: bool, **wishes: Any) -> None:
    """Render every row that is not done yet; resume an earlier run.

    On the local studio, free of charge, unless --config or --set names the paid API. Ctrl-C is safe at any time:
    running again goes on. Next: look at OUT/report.html, then `retry` what failed.

    Exit codes: 0 all done, 1 rows failed, 2 fix the call, 3 stopped early, 130 interrupted.
    """
    _render(call, Wishes(**wishes), yes)


@job_command
@_run_options
@click.argument("ids", nargs=-1, metavar="[ID]...")
def retry(call: JobCall, ids: tuple[str, ...], yes: bool, **wishes: Any) -> None:
    """Take up failed rows (or the rows named by ID), then run.

    What is paid for is fetched again, not bought again, unless you name a row that is done, or one whose file was
    refused (bad_media) or is not found any more (not_found): such a row is rendered anew.
    Next: OUT/report.html says what to do about rows that fail again.
    """
    _render(call, Wishes(retry=True, retry_ids=ids, **wishes), yes)


def _render(call: JobCall, wishes: Wishes, yes: bool) -> NoReturn:
    ask = not yes and call.job.settings.budget.max_usd is None
    progress = Progress(quiet=call.quiet, verbose=call.verbose, ask=ask, only=wishes.only)
    with telling_of_errors(call.job, call.command, _warn):
        result = asyncio.run(
            run_job(
                call.job,
                wishes,
                api_key=api_key_from(os.environ),
                on_event=progress.on_event,
                watcher=progress,
                tell_rows=progress.rows_read,
                handle_signals=True,
            )
        )
    report = after_run(call.job, call.command, result, _warn)
    try:
        if not call.quiet:
            _print_summary(call, result, report)
            sys.stdout.flush()
    except OSError as error:
        drop_output()
        if not isinstance(error, BrokenPipeError):
            _warn(
                f"standard output can't be written ({error.strerror}): the summary is missing, `status` tells the same"
            )
    sys.exit(result.exit_code)


def _warn(line: str) -> None:
    click.echo(f"avatar-batch: {line}", err=True)


def _print_summary(call: JobCall, result: RunResult, report: Path | None) -> None:
    job = call.job
    rows, overview = result.overview.rows, result.overview
    free = " (as it would be: the local studio is free)" if job.settings.api.provider == "local" else ""
    parts = [f"{rows[Status.DONE]} of {overview.total} done"]
    parts += [f"{rows[status]} {status}" for status in Status if rows[status] and status is not Status.DONE]
    click.echo(f"{', '.join(parts)}; {overview.spent_usd:.2f} USD spent of about {overview.estimated_usd:.2f}{free}")
    if rows[Status.FAILED] or rows[Status.UNCONFIRMED]:
        _print_failures(call)
    with StateView(job.state_path) as view:
        marked, noted = view.marked(), view.noted()
    if marked:
        click.echo(f"{counted(marked, 'clip', 'look')} wrong, which may be a false alarm: the report shows why")
    for note, clips in noted:
        todo = f": {NOTES[note].todo}" if note in NOTES else ""
        click.echo(f"{counted(clips, 'clip', 'have')} the renderer's note {note!r}{todo}")
    click.echo(f"clips: {job.out}{os.sep}   state: {job.state_path}   log: {job.out / 'run.log'}")
    if report:
        click.echo(f"report: {report}")
    if result.exit_code is ExitCode.INTERRUPTED:
        click.echo(f"interrupted; nothing is lost: {call.again('run')} goes on from here")
    elif result.stop_reason is not None:
        click.echo(f"stopped early: {result.stop_reason}")


def _print_failures(call: JobCall) -> None:
    shown: Counter[FailureCode] = Counter()
    with StateView(call.job.state_path) as view:
        for record in view.bad_records():
            shown[record.error_code or FailureCode.SERVER] += 1
            if shown.total() <= SHOWN_FAILURES:
                click.echo(f"  {record.id}: {record.error_code}: {record.error_message}")
    if shown.total() > SHOWN_FAILURES:
        click.echo(f"  … and {shown.total() - SHOWN_FAILURES} more: {call.again('status')}")
    for code, count in shown.most_common():
        click.echo(f"{count} {code}: {FAILURES[code].todo}")
    click.echo(f"take failed rows up again with: {call.again('retry')}")
