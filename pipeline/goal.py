"""What a run is for: whether there is anything left to do, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from pipeline.clip import Status
from pipeline.errors import StopRun
from pipeline.exit_code import ExitCode
from pipeline.job import Job, Wishes
from pipeline.stages import RunContext
from pipeline.state import StateFile
from pipeline.state.rows import among
from pipeline.state.schema import connect_reader

__all__ = ["Goal"]


@dataclass(frozen=True, slots=True)
class Goal:
    """The rows of a job that a run was asked for."""

    job: Job
    wishes: Wishes

    def is_ahead(self, state: StateFile) -> bool:
        """Whether there is anything to do, before the stages start."""
        return state.in_flight > 0 or self.is_to_submit(state.counts)

    def is_to_submit(self, counts: Mapping[Status, int]) -> bool:
        """Whether rows are left to submit, among those that this run is for."""
        if not counts[Status.PENDING] or not self.wishes.only:
            return counts[Status.PENDING] > 0
        return self._any("status = 'pending'")

    def is_reached(self, context: RunContext) -> bool:
        """Whether the stages have nothing left to do, or nothing that they still could."""
        counts = context.state.counts
        waiting = counts[Status.RENDERING] + counts[Status.DOWNLOADING]
        if waiting or context.airborne or counts[Status.SUBMITTING] > context.left_over:
            return False
        return context.submitting_over.is_set() or not self.is_to_submit(counts)

    def exit_code(self, *, interrupted: bool, reason: StopRun | None) -> ExitCode:
        """How the run ended, as the rows stand now."""
        if not self._any("status <> 'done'"):
            return ExitCode.DONE
        if interrupted:
            return ExitCode.INTERRUPTED
        if reason is not None and self._any("status NOT IN ('done', 'failed', 'unconfirmed')"):
            return ExitCode.STOPPED_EARLY
        return ExitCode.FAILED_ROWS

    def _any(self, condition: str) -> bool:
        only = self.wishes.only
        with closing(connect_reader(self.job.state_path)) as db:
            sql = f"SELECT 1 FROM clips WHERE NOT dropped AND {condition}{among(only)} LIMIT 1"
            return db.execute(sql, tuple(only)).fetchone() is not None
