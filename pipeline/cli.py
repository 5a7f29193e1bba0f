"""The command line: which command, how it is called, how it ends. What a command does is in ``commands``."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from pipeline.counted import counted
from pipeline.errors import AvatarBatchError, ManifestError, StopRun, UsageError, one_line
from pipeline.exit_code import ExitCode
from pipeline.interrupts import is_hangup_heard
from pipeline.state.refusal import refusal
from pipeline.streams import drop_output, open_what_is_closed, output_problem, unfailing
from pipeline.version import __version__

__all__ = ["cli", "main"]

COMMANDS = {
    "run": "render",
    "check": "look",
    "plan": "look",
    "status": "look",
    "retry": "render",
    "report": "pages",
    "watch": "pages",
    "export": "look",
    "audit": "books",
    "frames": "studio",
    "serve": "studio",
}
"""Which module of ``commands`` has which, in the order of a night."""


class _Commands(click.Group):
    """Imports a command when it is asked for: ``status`` shall not wait for a web server's modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: Any = getattr(import_module(f"pipeline.commands.{COMMANDS[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="avatar-batch")
def cli() -> None:
    """Render hundreds of talking-avatar clips overnight: nothing paid twice, nothing paid lost.

    JOB is a manifest: a .yaml, .yml or .csv file with a row a clip. Clips are rendered by the local studio, free of
    charge, unless a --config such as configs/aimlapi.yaml names the paid API.

    Start with:  avatar-batch run jobs/demo.yaml
    """


@contextmanager
def _ending() -> Iterator[None]:
    """Every error of ours is one clear line and its exit code; anything else is a fault that the log explains."""
    try:
        yield
    except ManifestError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        more = f", the first {len(error.problems)} of them above" if error.total > len(error.problems) else ""
        click.echo(f"{counted(error.total, 'problem')}{more}; nothing was sent, nothing was spent", err=True)
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
        refused = refusal(Path("the state file"), error)
        click.echo(f"avatar-batch: {one_line(str(refused), 1000)}", err=True)
        sys.exit(ExitCode.STOPPED_EARLY if isinstance(refused, StopRun) else ExitCode.USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort, asyncio.CancelledError):
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        drop_output()  # its reader left
        sys.exit(ExitCode.FAILED_ROWS)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and (why := output_problem()):
            drop_output()
            click.echo(
                f"avatar-batch: standard output can't be written ({why}): free space, or send it elsewhere", err=True
            )
            sys.exit(ExitCode.USAGE)
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
    if is_hangup_heard():
        signal.signal(signal.SIGHUP, _interrupt)
    open_what_is_closed()
    sys.stderr = unfailing(sys.stderr)  # a night must not end for the sake of what it says
    with _ending():
        if isinstance(sys.stdout, TextIOWrapper):
            # Whatever the machine's settings: what is written is read elsewhere. Names of files may be no text at all.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        code = cli.main(prog_name="avatar-batch", standalone_mode=False)
        sys.stdout.flush()  # here its failure can still be told
        sys.exit(code)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
