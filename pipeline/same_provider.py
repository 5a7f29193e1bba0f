"""Whose clips an OUT holds, for commands that only look: the studio's and the paid API's don't go together."""

from __future__ import annotations

from contextlib import closing

from pipeline.job import Job
from pipeline.state.schema import connect_reader

__all__ = ["refuse_other_provider"]


def refuse_other_provider(job: Job) -> None:
    """Refuse what ``run`` would refuse: an OUT whose clips are those of another ``api.provider``.

    Raises:
        UsageError: it is such an OUT.
        StateRefused: the state file can't be read.
    """
    with closing(connect_reader(job.state_path)) as db:
        if db.execute("SELECT 1 FROM job WHERE name = 'provider'").fetchone():
            job._refuse_other_provider(db)  # noqa: SLF001 - the one place that knows; without a provider it would write
