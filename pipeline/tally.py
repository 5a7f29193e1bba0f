"""Counting a run as it goes, from its events: what a line about it needs, without asking the state file again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from pipeline.clip import Status
from pipeline.eta import Eta
from pipeline.events import Event
from pipeline.progress_line import Standing
from pipeline.stages import RunContext
from pipeline.state import Overview, StateView
from pipeline.studio.options import slots_for
from pipeline.trouble import Trouble

__all__ = ["Tally"]

OVER_S = 10.0
"""Rates are of the last so many seconds."""


class Tally:
    """Begins with the job as it stands, so that a resumed run goes on where the earlier one was.

    Args:
        context: the run's shared things.
        overview: the job before this run.
        trouble: what stands between the run and the API; it gets the events from elsewhere.
        only: ids of the rows that the run submits; all, if empty.
    """

    def __init__(self, context: RunContext, overview: Overview, trouble: Trouble, only: Sequence[str] = ()) -> None:
        self._context = context
        self._only = only
        self._trouble = trouble
        self._overview = overview
        self._spent_usd = overview.spent_usd
        self._done_s = overview.done_s
        self._samples: deque[tuple[float, int, int]] = deque([(context.now(), 0, 0)])
        self._eta = Eta(since=time.time())
        self._announced = self._begin(context)

    def _begin(self, context: RunContext) -> dict[str, float]:
        """Learn what is under way; what that is to cost."""
        with StateView(context.out / "state.db") as view:
            if context.settings.api.provider == "local":
                self._eta.workers = slots_for(context.settings.studio.workers)
            else:
                pending = next(view.records(status=Status.PENDING), None)
                model = context.catalogue.get(pending.model) if pending else None
                remembered_s = context.learning.typical_s(model.name) if model else 0.0
                expected_s = context.settings.poll.expected_s or (model.expected_s if model else 0.0)
                self._eta.expected_s = remembered_s or expected_s
            for record in view.records(status=Status.RENDERING):
                if record.completed_at is None and record.accepted_at is not None:
                    self._eta.accepted(record.id, record.accepted_at)
            return view.under_way_usd()

    def take(self, event: Event) -> None:
        """Count what happened."""
        if event.action in {"accepted", "adopted"}:
            self._eta.accepted(event.row, event.at)
            if "cost_usd" in event.details:
                self._announced[event.row] = event.details["cost_usd"]
        elif event.action == "completed":
            if event.details.get("again"):
                return
            self._eta.ended(event.row, event.at)
            announced = self._announced.pop(event.row, self._overview.estimated_usd / max(1, self._overview.total))
            self._spent_usd += event.details.get("cost_usd", announced)
        elif event.action in {"failed", "unconfirmed"} and "generation_id" in event.details:
            self._eta.ended(event.row, event.at)
        elif event.action == "done":
            self._done_s += event.details.get("duration_s", 0.0)

    def standing(self) -> Standing:
        """How the run stands now."""
        context = self._context
        counts = dict(context.state.counts)
        now = context.now()
        self._samples.append((now, context.polls, context.bytes_received))
        while len(self._samples) > 2 and self._samples[1][0] < now - OVER_S:
            self._samples.popleft()
        then, polls, received = self._samples[0]
        passed = max(0.5, now - then)
        in_flight = counts[Status.RENDERING] + counts[Status.SUBMITTING]
        # A full window is how a run that was throttled goes on: nothing is the matter.
        held = self._trouble.is_outage or in_flight < context.pace.window.size
        waiting = 0 if context.stop_reason else self._waiting()
        looking = not (in_flight or waiting or counts[Status.DOWNLOADING])
        # Of downloads alone nothing is foreseen, nor of a run that waits for its hours.
        is_foreseen = context.within_hours.is_set() if waiting else in_flight > 0
        is_foreseen = is_foreseen and not self._trouble.is_outage
        return Standing(
            counts=counts,
            done_s=self._done_s,
            voice_s=self._overview.voice_s,
            spent_usd=self._spent_usd,
            estimated_usd=self._overview.estimated_usd,
            in_flight=in_flight,
            limit=context.pace.window.size,
            polls_per_s=(context.polls - polls) / passed,
            bytes_per_s=(context.bytes_received - received) / passed,
            left_s=self._eta.left_s(time.time(), waiting, context.pace.places) if is_foreseen else None,
            trouble=self._trouble.words(time.time()) if held else "",
            stopping=context.stop_reason is not None,
            looking=looking,
        )

    def _waiting(self) -> int:
        """Rows that this run has yet to submit."""
        state = self._context.state
        return state.pending_estimate(only=self._only).rows if self._only else state.counts[Status.PENDING]
