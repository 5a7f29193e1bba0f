"""What a run would do: rows, seconds of video, USD, hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.counted import counted
from pipeline.job import Checked, Job
from pipeline.state import Overview, StateView

__all__ = ["Plan", "make_plan"]

ASSUMED_IN_FLIGHT = 8
"""For the hours of a run that has yet to find the account's limit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A check's numbers beside those of the state file.

    Attributes:
        to_render: rows that a run would submit; ``render_s`` and ``render_usd`` are of those.
        hours: that the paid API would take for those.
        in_flight: the number of clips at once that ``hours`` assumes.
        refusal: why a run would refuse this OUT, whose clips then don't count; empty if it would not.
    """

    checked: Checked
    overview: Overview | None
    to_render: int
    render_s: float
    render_usd: float
    hours: float
    in_flight: int
    provider: str
    refusal: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        rows = {str(status): count for status, count in self.overview.rows.items()} if self.overview else {}
        return {
            "rows": {"total": self.checked.rows, **rows}, "to_render": self.to_render,
            "render_s": round(self.render_s, 3), "estimated_usd": round(self.render_usd, 4),
            "unknown_length": self.checked.unknown_length, "hours": round(self.hours, 3), "in_flight": self.in_flight,
            "spent_usd": round(self.overview.spent_usd, 4) if self.overview else 0.0,
            "needs_other_out": bool(self.refusal),
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{counted(self.checked.rows, 'row')}, {self.checked.voice_s:.1f} s of video in all"
        if self.refusal:
            yield f"as for a fresh --out: {self.refusal}"
        if self.overview:
            yield ", ".join(f"{count} {status}" for status, count in self.overview.rows.items() if count)
            yield f"{self.overview.spent_usd:.2f} USD spent so far"
        if not self.to_render:
            yield "a run would submit nothing: there is no row that waits"
            return
        yield f"a run would render {counted(self.to_render, 'row')}: {self.render_s:.1f} s of video"
        if self.checked.unknown_length:
            yield f"{counted(self.checked.unknown_length, 'voice')} by link, of a length and so a price that is not known"
        where, free = ("", "") if self.provider == "aimlapi" else (" on the paid API", " (this run is local and free)")
        yield (
            f"about {self.render_usd:.2f} USD and {self.hours:.1f} hours{where} with {counted(self.in_flight, 'clip')} at once{free}"
        )


def make_plan(job: Job) -> Plan:
    """Check the job, and hold it against its state file where there is one that a run would go on with.

    Raises:
        UsageError: as ``Job.check``.
    """
    to_render = Checked()
    checked, overview, refusal = None, None, ""
    if job.state_path.exists():
        with StateView(job.state_path) as view:
            refusal = job.refusal_of(view.provider())
            if not refusal:
                checked = job.check(see=lambda row: to_render.add(row) if view.is_pending(row.id) else None)
                overview = view.overview()
    if checked is None:
        checked = to_render = job.check()
    setting = job.settings.submit.max_in_flight
    in_flight = ASSUMED_IN_FLIGHT if setting == "auto" else setting
    catalogue = job.settings.catalogue
    in_all_s = sum(catalogue[model].expected_s * rows for model, rows in to_render.by_model.items())
    return Plan(
        checked, overview, to_render.rows, to_render.voice_s, to_render.estimated_usd,
        in_all_s / min(in_flight, max(1, to_render.rows)) / 3600, in_flight, job.settings.api.provider, refusal,
    )  # fmt: skip
