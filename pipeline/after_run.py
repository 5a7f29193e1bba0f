"""What follows the end of a run: the report, and telling whoever wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import OutHeld, UsageError, one_line
from pipeline.job import Job
from pipeline.notify import notify, summary_of, summary_of_error
from pipeline.report import write_report
from pipeline.run import RunResult

__all__ = ["after_run", "telling_of_errors"]

DRAWING_S = 1.0
"""How long the end of a run draws posters: those of a night were drawn as its clips were looked at."""

Warn = Callable[[str], None]


def after_run(job: Job, command: str, result: RunResult, warn: Warn) -> Path | None:
    """Write the report and tell; where the report is.

    Nothing here can change how the run ended: what goes wrong is a warning.

    Args:
        job: whose run it was.
        command: how people start this job's commands, ``{}`` in place of the command's name.
        result: how it ended.
        warn: called with a line for each thing that went wrong.
    """
    report = _report(job, command, warn)
    if _is_anybody_told(job):
        _tell(job, summary_of(job, result, str(report or "")), warn)
    return report


@contextmanager
def telling_of_errors(job: Job, command: str, warn: Warn) -> Iterator[None]:
    """A run inside that ends by an error is told of like any other end, and the error goes on.

    Not told: an interrupt, and a second run on an OUT that is held, since the first tells when it ends.
    """
    try:
        yield
    except OutHeld:
        raise
    except Exception as error:
        # A refused call has changed nothing, so there is nothing new to report.
        has_more = not isinstance(error, UsageError) and job.state_path.exists()
        report = _report(job, command, warn) if has_more else None
        if _is_anybody_told(job):
            _tell(job, summary_of_error(job, error, str(report or "")), warn)
        raise


def _is_anybody_told(job: Job) -> bool:
    return bool(job.settings.notify.command or job.settings.notify.url)


def _report(job: Job, command: str, warn: Warn) -> Path | None:
    if not job.settings.report.after_run:
        return None
    try:
        return write_report(job, command, drawing_s=DRAWING_S)
    except Exception as error:  # the night is paid for and over: its exit code is not the report's to change
        words = one_line(f"{type(error).__name__}: {error}", 300)
        warn(f"the report could not be written ({words}): avatar-batch report writes it later")
    return None


def _tell(job: Job, summary: dict[str, object], warn: Warn) -> None:
    try:
        for line in asyncio.run(notify(job.settings.notify, summary)):
            warn(line)
    except Exception as error:
        warn(f"nobody could be told ({one_line(f'{type(error).__name__}: {error}', 300)}): check the notify settings")
