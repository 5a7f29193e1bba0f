"""Looking at clips that no run has looked at: those of an interrupted run, or of one with looking switched off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from pipeline.errors import OutHeld, UsageError
from pipeline.inspection.look import look_at
from pipeline.job import Job
from pipeline.lock import OutLock
from pipeline.state.inspections import UNSEEN, note_inspection
from pipeline.state.schema import connect

__all__ = ["look_at_rest"]


def look_at_rest(job: Job, tell: Callable[[int, int], None] | None = None) -> int:
    """Look at every finished clip that has not been looked at; how many these were.

    Beside a live run nothing is done: the run looks for itself.

    Args:
        job: whose.
        tell: called with how many have been looked at, and of how many.
    """
    if not job.settings.inspect.enabled or not job.state_path.exists():
        return 0
    try:
        with OutLock(job.out), closing(connect(job.state_path)) as db:
            sql = f"SELECT seq, clip_output, image, audio FROM clips WHERE status = 'done' AND {UNSEEN} ORDER BY seq"
            rows = db.execute(sql).fetchall()
            for number, (seq, output, image, audio) in enumerate(rows):
                if tell:
                    tell(number, len(rows))
                note_inspection(db, seq, look_at(job.out, output, image, audio, job.settings.inspect))
            return len(rows)
    except (OutHeld, UsageError):
        return 0
