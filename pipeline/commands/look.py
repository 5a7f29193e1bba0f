"""``check``, ``plan``, ``status`` and ``export``: what is, and what would be; nothing is sent."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from pipeline.clip import Status
from pipeline.commands.job_command import JobCall, job_command
from pipeline.counted import counted
from pipeline.job import Job
from pipeline.plan import make_plan
from pipeline.reading import Reading
from pipeline.state import Record, StateView

__all__ = ["check", "export", "plan", "status", "status_json"]


@job_command
def check(call: JobCall) -> None:
    """Validate the manifest, the media and the config; nothing is sent.

    Every problem is told at once, with its line and what to do. Next: `plan`, then `run`.
    """
    checked = call.job.check(Reading(quiet=call.quiet).rows_read)
    if not call.quiet:
        links = counted(checked.unknown_length, "voice")
        unknown = f" ({links} by link, of unknown length)" if checked.unknown_length else ""
        click.echo(
            f"{call.job.manifest}: {counted(checked.rows, 'row', 'are')} sound; {checked.voice_s:.1f} s of video{unknown}, "
            f"about {checked.estimated_usd:.2f} USD"
        )


@job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def plan(call: JobCall, as_json: bool) -> None:
    """Tell what a run would do: rows by status, video, USD, hours.

    It checks first, and sends nothing. Next: `run`, with --budget where money is at stake.
    """
    made = make_plan(call.job)
    for line in [json.dumps(made.as_json())] if as_json else made.lines():
        click.echo(line)


@job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object for scripts.")
def status(call: JobCall, as_json: bool) -> None:
    """Tell counts, spend and failures; works beside a running run.

    Next: `report` shows why rows failed and what to do, `watch` shows it live.
    """
    with StateView(call.job.state_path) as view:
        if as_json:
            for text in status_json(call.job, view):
                sys.stdout.write(text)
            return
        overview = view.overview()
        for name in Status:
            if overview.rows[name]:
                click.echo(f"{overview.rows[name]:>7}  {name}")
        click.echo(
            f"{overview.total:>7}  row{'' if overview.total == 1 else 's'}; {overview.spent_usd:.2f} USD spent of about {overview.estimated_usd:.2f}"
        )
        if not call.quiet:
            for record in view.bad_records():
                click.echo(f"  {record.id}: {record.error_code}: {record.error_message}")


def status_json(job: Job, view: StateView) -> Iterator[str]:
    """One JSON object, piece by piece as it is read: a million clips need no memory."""
    overview = view.overview()
    head = {
        "job": job.name,
        "state_file": str(job.state_path),
        "rows": {"total": overview.total} | {str(name): overview.rows[name] for name in Status},
        "spend": {"estimated_usd": round(overview.estimated_usd, 4), "spent_usd": round(overview.spent_usd, 4)},
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "clips": ['
    for number, record in enumerate(view.records()):
        yield (", " if number else "") + json.dumps(record.as_status(), ensure_ascii=False)
    yield "]}\n"


@job_command
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="CSV, or JSON Lines.")
def export(call: JobCall, form: str) -> None:
    """Write results as CSV or JSON Lines to standard output.

    A row a clip: status, file, cost, error, marks and your meta_ fields. Next: send it to a file with >.
    """
    with StateView(call.job.state_path) as view:
        if form == "csv":
            _export_csv(view)
            return
        for record in view.records():
            sys.stdout.write(json.dumps(record.as_export(), ensure_ascii=False) + "\n")


def _export_csv(view: StateView) -> None:
    # A first pass for the names of the meta fields, which differ from row to row.
    names: dict[str, None] = {}
    for record in view.records():
        names |= dict.fromkeys(record.as_export())
    writer = csv.DictWriter(sys.stdout, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    for record in view.records():
        writer.writerow(_harmless(record))


def _harmless(record: Record) -> dict[str, Any]:
    """Text that a spreadsheet would take for a formula is quoted with an apostrophe (OWASP, CSV injection)."""
    return {
        name: f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
        for name, value in record.as_export().items()
    }
