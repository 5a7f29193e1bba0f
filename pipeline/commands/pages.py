"""``report`` and ``watch``."""

from __future__ import annotations

import click

from pipeline.commands.job_command import JobCall, job_command
from pipeline.errors import DiskFull
from pipeline.reading import Reading
from pipeline.report import write_report
from pipeline.report.catch_up import look_at_rest
from pipeline.report.write import REPORT
from pipeline.watch import serve_watch

__all__ = ["report", "watch"]


@job_command
@click.option("--no-look", is_flag=True, help="Don't look at clips that no run has looked at.")
def report(call: JobCall, no_look: bool) -> None:
    """Write OUT/report.html: what failed and why, cost, every clip.

    It works beside a run, and looks first at clips that no run has looked at. Next: open it in a browser; its
    tick-boxes make the command that renders rows again.
    """
    if not no_look:
        look_at_rest(call.job, Reading(quiet=call.quiet).clips_seen)
    try:
        path = write_report(call.job, call.command)
    except OSError as error:
        words = error.strerror or str(error)
        remedy = "free space or make it writable, then report again"
        raise DiskFull(f"{call.job.out / REPORT} can't be written ({words}): {remedy}") from None
    if not call.quiet:
        click.echo(str(path))


@job_command
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address than loopback needs the token.")
@click.option("--port", default=8766, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--token", default="", help="What a browser must bring [beyond loopback: one is made up].")
def watch(call: JobCall, host: str, port: int, token: str) -> None:
    """Show the report as a live page beside a run; it only reads.

    Next: open the address that it prints. From a phone: --host 0.0.0.0, and the token that the address then holds.
    Ctrl-C ends the page, not the run.
    """
    serve_watch(call.job, call.command, host=host, port=port, token=token, tell=click.echo)
