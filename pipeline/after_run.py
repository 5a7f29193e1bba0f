"""What follows the end of a run: the report, and telling whoever wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import one_line
from pipeline.job import Job
from pipeline.notify import notify, summary_of
from pipeline.report import write_report
from pipeline.run import RunResult

__all__ = ["after_run"]


def after_run(job: Job, command: str, result: RunResult, warn: Callable[[str], None]) -> Path | None:
    """Write the report and tell; where the report is.

    Nothing here can change how the run ended: what goes wrong is a warning.

    Args:
        job: whose run it was.
        command: how people start this job's commands, ``{}`` in place of the command's name.
        result: how it ended.
        warn: called with a line for each thing that went wrong.
    """
    report = None
    if job.settings.report.after_run:
        try:
            report = write_report(job, command)
        except Exception as error:  # the night is paid for and over: its exit code is not the report's to change
            words = one_line(f"{type(error).__name__}: {error}", 300)
            warn(f"the report could not be written ({words}): avatar-batch report writes it later")
    wants = job.settings.notify
    if wants.command or wants.url:
        summary = summary_of(job, result, str(report) if report else "")
        for line in asyncio.run(notify(wants, summary)):
            warn(line)
    return report
