"""The command line: parse, call, print, exit code. Everything else is in the library."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shlex
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from pipeline.after_run import after_run
from pipeline.audit import audit_job
from pipeline.clip import FailureCode, Status
from pipeline.errors import AvatarBatchError, ManifestError, StopRun, UsageError, one_line
from pipeline.job import Job, Wishes
from pipeline.plan import make_plan
from pipeline.progress import Progress
from pipeline.remedies import FAILURES
from pipeline.report import write_report
from pipeline.report.catch_up import look_at_rest
from pipeline.run import ExitCode, RunResult, run_job
from pipeline.settings import api_key_from, load_settings
from pipeline.state import StateView
from pipeline.state.schema import damaged
from pipeline.state.views import Record
from pipeline.studio.options import StudioOptions
from pipeline.studio.render.contact_sheet import contact_sheet
from pipeline.studio.server import serve as serve_studio
from pipeline.watch import serve_watch

__all__ = ["main"]

SHOWN_FAILURES = 10
_F = TypeVar("_F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="avatar-batch")
def cli() -> None:
    """Render hundreds of talking-avatar clips overnight: nothing paid twice, nothing paid lost.

    JOB is a manifest: a .yaml, .yml or .csv file with a row a clip. Without an API key clips are rendered by the
    local studio, free of charge. Start with:  avatar-batch run jobs/demo.yaml
    """


@dataclass(frozen=True, slots=True)
class _Call:
    """What every command about a job is given.

    Attributes:
        command: how this job's commands are started, ``{}`` in place of the command's name.
    """

    job: Job
    quiet: bool
    verbose: bool
    command: str


def _job_command(command: Callable[..., None]) -> click.Command:
    """A command with a JOB and the options that all of these have; it gets them as a ``_Call``."""

    @click.argument("job", type=click.Path(path_type=Path))
    @click.option("--config", type=click.Path(path_type=Path), help="Settings, a YAML file (see configs/).")
    @click.option("--out", type=click.Path(path_type=Path), help="Where clips and state go [out/<JOB's stem>].")
    @click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting by its dotted key.")
    @click.option("--verbose", is_flag=True, help="Tell each step of each row.")
    @click.option("--quiet", is_flag=True, help="Tell only what went wrong.")
    @wraps(command)
    def with_job(
        job: Path,
        config: Path | None,
        out: Path | None,
        assignments: tuple[str, ...],
        verbose: bool,
        quiet: bool,
        budget: float | None = None,
        max_in_flight: str | None = None,
        **options: Any,
    ) -> None:
        overrides = {"budget.max_usd": budget, "submit.max_in_flight": _number(max_in_flight)}
        settings = load_settings(config, assignments=assignments, overrides=overrides)
        words = ["avatar-batch", "{}", str(job), *(["--config", str(config)] if config else [])]
        words += ["--out", str(out)] if out else []
        words += [word for text in assignments if "secret" not in text for word in ("--set", text)]
        again = " ".join(word if word == "{}" else shlex.quote(word) for word in words)
        command(_Call(Job.at(job, settings, out), quiet, verbose, again), **options)

    return cli.command()(with_job)


def _run_options(command: _F) -> _F:
    """The options of commands that render."""
    for option in reversed(
        (
            click.option("--only", multiple=True, metavar="ID", help="Submit only this row (repeatable)."),
            click.option("--budget", type=float, metavar="USD", help="The most to spend, earlier runs included."),
            click.option("--max-in-flight", metavar="N", help="Clips rendering at once: a number, or auto."),
            click.option("--yes", is_flag=True, help="Do not ask before real money is spent."),
            click.option(
                "--rerender-changed", is_flag=True, help="Render rows again whose inputs changed (paid again)."
            ),
            click.option("--resubmit-unconfirmed", is_flag=True, help="Send rows again that may be paid for already."),
        )
    ):
        command = option(command)
    return command


def _number(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


@_job_command
@_run_options
def run(call: _Call, yes: bool, **wishes: Any) -> None:
    """Render every row that is not done yet, and go on with what an earlier run left."""
    _render(call, Wishes(**wishes), yes)


@_job_command
@_run_options
@click.argument("ids", nargs=-1, metavar="[ID]...")
def retry(call: _Call, ids: tuple[str, ...], yes: bool, **wishes: Any) -> None:
    """Take up failed rows (or the rows named by ID), then run.

    What is paid for is fetched again, not bought again. A row that is done is rendered again when it is named.
    """
    _render(call, Wishes(retry=True, retry_ids=ids, **wishes), yes)


def _render(call: _Call, wishes: Wishes, yes: bool) -> NoReturn:
    ask = not yes and call.job.settings.budget.max_usd is None
    progress = Progress(quiet=call.quiet, verbose=call.verbose, ask=ask)
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
    report = after_run(call.job, call.command, result, lambda line: click.echo(f"avatar-batch: {line}", err=True))
    if not call.quiet:
        _print_summary(call, result, report)
    sys.exit(result.exit_code)


def _print_summary(call: _Call, result: RunResult, report: Path | None) -> None:
    job = call.job
    rows, overview = result.overview.rows, result.overview
    parts = [f"{rows[Status.DONE]} of {overview.total} done"]
    parts += [f"{rows[status]} {status}" for status in Status if rows[status] and status is not Status.DONE]
    click.echo(f"{', '.join(parts)}; {overview.spent_usd:.2f} USD spent of about {overview.estimated_usd:.2f}")
    if rows[Status.FAILED] or rows[Status.UNCONFIRMED]:
        _print_failures(job)
    with StateView(job.state_path) as view:
        marked = view.marked()
    if marked:
        click.echo(
            f"{marked} clip{'s look' if marked > 1 else ' looks'} wrong, which may be a false alarm: the report shows why"
        )
    click.echo(f"clips: {job.out}{os.sep}   state: {job.state_path}   log: {job.out / 'run.log'}")
    if report:
        click.echo(f"report: {report}")
    if result.exit_code is ExitCode.INTERRUPTED:
        click.echo(f"interrupted; nothing is lost: avatar-batch run {job.manifest} goes on from here")
    elif result.stop_reason is not None:
        click.echo(f"stopped early: {result.stop_reason}")


def _print_failures(job: Job) -> None:
    shown: Counter[FailureCode] = Counter()
    with StateView(job.state_path) as view:
        for record in _bad_records(view):
            shown[record.error_code or FailureCode.SERVER] += 1
            if shown.total() <= SHOWN_FAILURES:
                click.echo(f"  {record.id}: {record.error_code}: {record.error_message}")
    if shown.total() > SHOWN_FAILURES:
        click.echo(f"  … and {shown.total() - SHOWN_FAILURES} more: avatar-batch status {job.manifest}")
    for code, count in shown.most_common():
        click.echo(f"{count} {code}: {FAILURES[code].todo}")
    click.echo(f"take failed rows up again with: avatar-batch retry {job.manifest}")


def _bad_records(view: StateView) -> Iterator[Record]:
    for status in (Status.FAILED, Status.UNCONFIRMED):
        yield from view.records(status=status)


@_job_command
def check(call: _Call) -> None:
    """Read and validate the manifest, the media and the config; no network, nothing spent."""
    checked = call.job.check(Progress(quiet=call.quiet).rows_read)
    if not call.quiet:
        unknown = f" ({checked.unknown_length} voices are links of unknown length)" if checked.unknown_length else ""
        click.echo(
            f"{call.job.manifest}: {checked.rows} rows are sound; {checked.voice_s:.1f} s of video{unknown}, "
            f"about {checked.estimated_usd:.2f} USD"
        )


@_job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def plan(call: _Call, as_json: bool) -> None:
    """Check, then tell what a run would do: rows by status, seconds of video, USD, hours."""
    made = make_plan(call.job)
    for line in [json.dumps(made.as_json())] if as_json else made.lines():
        click.echo(line)


@_job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object for scripts.")
def status(call: _Call, as_json: bool) -> None:
    """Counts, spend and failures from the state file; works beside a running run."""
    with StateView(call.job.state_path) as view:
        if as_json:
            _print_status_json(call.job, view)
            return
        overview = view.overview()
        for name in Status:
            if overview.rows[name]:
                click.echo(f"{overview.rows[name]:>7}  {name}")
        click.echo(
            f"{overview.total:>7}  rows; {overview.spent_usd:.2f} USD spent of about {overview.estimated_usd:.2f}"
        )
        if not call.quiet:
            for record in _bad_records(view):
                click.echo(f"  {record.id}: {record.error_code}: {record.error_message}")


def _print_status_json(job: Job, view: StateView) -> None:
    """One object, written as it is read: a million clips need no memory."""
    overview = view.overview()
    head = {
        "job": job.name,
        "state_file": str(job.state_path),
        "rows": {"total": overview.total} | {str(name): overview.rows[name] for name in Status},
        "spend": {"estimated_usd": round(overview.estimated_usd, 4), "spent_usd": round(overview.spent_usd, 4)},
    }
    write = sys.stdout.write
    write(json.dumps(head, ensure_ascii=False)[:-1] + ', "clips": [')
    for number, record in enumerate(view.records()):
        write((", " if number else "") + json.dumps(record.as_status(), ensure_ascii=False))
    write("]}\n")


@_job_command
@click.option("--no-look", is_flag=True, help="Don't look at clips that no run has looked at.")
def report(call: _Call, no_look: bool) -> None:
    """Write OUT/report.html: what is done, what failed and why, what it cost, which clips look wrong."""
    if not no_look:
        look_at_rest(call.job, Progress(quiet=call.quiet).clips_seen)
    path = write_report(call.job, call.command)
    if not call.quiet:
        click.echo(str(path))


@_job_command
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address than loopback needs the token.")
@click.option("--port", default=8766, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--token", default="", help="What a browser must bring [beyond loopback: one is made up].")
def watch(call: _Call, host: str, port: int, token: str) -> None:
    """The report as a live page beside a run, on this machine's loopback; it reads and never writes."""
    serve_watch(call.job, call.command, host=host, port=port, token=token, tell=click.echo)


@_job_command
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="CSV, or JSON Lines.")
def export(call: _Call, form: str) -> None:
    """Results as CSV or JSON Lines, to standard output."""
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


@_job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(call: _Call, as_json: bool) -> NoReturn:
    """Hold the state file against the provider's ledger and usage log; exit code 1 when something is off."""
    found = asyncio.run(audit_job(call.job, api_key_from(os.environ)))
    for line in [json.dumps(found.as_json(), ensure_ascii=False)] if as_json else found.lines():
        click.echo(line)
    sys.exit(ExitCode.FAILED_ROWS if found.findings else ExitCode.DONE)


@cli.command()
@click.argument("clip", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", default=Path("sheet.png"), show_default=True, type=click.Path(path_type=Path))
@click.option("--columns", default=4, show_default=True, type=click.IntRange(1, 20), help="Frames beside each other.")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(1, 50), help="Frames below each other.")
def frames(clip: Path, output: Path, columns: int, rows: int) -> None:
    """A contact sheet of a clip's frames, evenly spaced, each with its time."""
    try:
        count = contact_sheet(clip, output, columns=columns, rows=rows)
    except ValueError as error:
        raise UsageError(one_line(str(error))) from None
    click.echo(f"{count} frames: {output}")


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--dir", "directory", default=Path("out/studio"), show_default=True, type=click.Path(path_type=Path),
              help="Its queue and clips; a studio started there again goes on with them.")  # fmt: skip
@click.option("--key", help="The bearer key that every request must carry [none: any will do].")
@click.option("--workers", default=0, type=click.IntRange(0, 1024), help="Render processes [0: one a core].")
@click.option("--quality", default="preview", type=click.Choice(["preview", "draft"]), help="draft costs less CPU.")
@click.option("--strict", is_flag=True, help="A picture without a face is an error.")
@click.option("--verbose", is_flag=True, help="Log what happens, not only what goes wrong.")
def serve(directory: Path, **options: Any) -> NoReturn:
    """The studio alone: the same HTTP API, rendered on this machine.

    Its first line on standard output is its base URL. Point a run at it with
    --set api.provider=aimlapi --set api.base_url=URL (and any key in AIMLAPI_API_KEY).
    """
    # The default handler: the studio's own shutdown takes SIGTERM from here on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(serve_studio(StudioOptions(directory=directory, **options)))


# --- the edges -----------------------------------------------------------------------------------------------


@contextmanager
def _ending() -> Iterator[None]:
    """Every error of ours is one clear line and its exit code; anything else is a fault that the log explains."""
    try:
        yield
    except ManifestError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        more = f", the first {len(error.problems)} of them above" if error.total > len(error.problems) else ""
        click.echo(
            f"{error.total} problem{'s' if error.total > 1 else ''}{more}; nothing was sent, nothing was spent",
            err=True,
        )
        sys.exit(ExitCode.USAGE)
    except UsageError as error:
        click.echo(f"avatar-batch: {error}", err=True)
        sys.exit(ExitCode.USAGE)
    except StopRun as error:
        click.echo(f"avatar-batch: {error}", err=True)
        sys.exit(ExitCode.STOPPED_EARLY)
    except AvatarBatchError as error:
        click.echo(f"avatar-batch: {error}", err=True)
        sys.exit(ExitCode.FAILED_ROWS)
    except sqlite3.DatabaseError as error:
        click.echo(f"avatar-batch: {damaged(Path('the state file'), one_line(str(error)))}", err=True)
        sys.exit(ExitCode.USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort, asyncio.CancelledError):
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left; Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.FAILED_ROWS)
    except Exception as error:
        if os.environ.get("AVATAR_BATCH_DEBUG"):
            raise
        click.echo(
            f"avatar-batch: a fault of this program ({_fault(error)}). The state file keeps what is paid for: run again to go on. Please "
            "report it with OUT/run.log, or with the traceback that AVATAR_BATCH_DEBUG=1 shows",
            err=True,
        )
        sys.exit(ExitCode.FAILED_ROWS)


def _fault(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 300)


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _interrupt)
    with _ending():
        sys.exit(cli.main(prog_name="avatar-batch", standalone_mode=False))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
