"""``audit``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import NoReturn

import click

from pipeline.audit import audit_job
from pipeline.commands.job_command import JobCall, job_command
from pipeline.exit_code import ExitCode
from pipeline.settings import api_key_from

__all__ = ["audit"]


@job_command
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(call: JobCall, as_json: bool) -> NoReturn:
    """Hold the job against the provider's ledger and usage log.

    Every charge has its clip, every clip one charge; exit code 1 when something is off. Next: do what the findings say.
    """
    found = asyncio.run(audit_job(call.job, api_key_from(os.environ)))
    for line in [json.dumps(found.as_json(), ensure_ascii=False)] if as_json else found.lines():
        click.echo(line)
    sys.exit(ExitCode.FAILED_ROWS if found.findings else ExitCode.DONE)
