"""What all commands about a job have in common: JOB, where its settings come from, and how much is told."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipeline.errors import UsageError
from pipeline.job import Job
from pipeline.settings import load_settings

__all__ = ["JobCall", "job_command"]

_RENDERING = frozenset({"run", "retry"})


@dataclass(frozen=True, slots=True)
class JobCall:
    """What every command about a job is given.

    Attributes:
        command: how this job's commands are started, ``{}`` in place of the command's name.
        bounds: the words that bound the money and the hours of a run, as they were given.
    """

    job: Job
    quiet: bool
    verbose: bool
    command: str
    bounds: str = ""

    def again(self, name: str) -> str:
        """The whole words of another command about this job, for people to type; what renders keeps its bounds."""
        words = self.command.replace("{}", name, 1)
        return f"{words} {self.bounds}" if self.bounds and name in _RENDERING else words


class _Folder(click.Path):
    """A path that is not empty: ``Path("")`` would be the current folder, which nobody meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            raise UsageError("--out is empty: name a folder, such as --out out/night, or leave it out")
        return super().convert(value, param, ctx)


def job_command(command: Callable[..., None]) -> click.Command:
    """A command with a JOB and the options that all of these have; it gets them as a ``JobCall``."""

    @click.argument("job", type=click.Path(path_type=Path))
    @click.option(
        "--config", type=click.Path(path_type=Path), help="Settings, a YAML file such as configs/aimlapi.yaml."
    )
    @click.option("--out", type=_Folder(path_type=Path), help="Where clips and state go [out/<JOB's stem>].")
    @click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting, such as poll.interval_s=5."
    )
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
        bounds = _bounds({"budget": budget, "max_in_flight": max_in_flight} | options)
        command(JobCall(Job.at(job, settings, out), quiet, verbose, again, bounds), **options)

    return click.command()(with_job)


def _number(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _bounds(options: Mapping[str, Any]) -> str:
    words = [word for row_id in options.get("only", ()) for word in ("--only", row_id)]
    if options["budget"] is not None:
        words += ["--budget", str(options["budget"]).removesuffix(".0")]
    if options["max_in_flight"] is not None:
        words += ["--max-in-flight", options["max_in_flight"]]
    for name in ("start_at", "until"):
        if options.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", f"{options[name]:%H:%M}"]
    return shlex.join(words)
