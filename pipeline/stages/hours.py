"""Operating hours: nothing is submitted before a time, nothing from another on; what renders goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pipeline.errors import HoursOver
from pipeline.pacing.hours import Hours
from pipeline.stages.context import RunContext

__all__ = ["HoursStage"]

GLANCE_S = 1.0
"""How often the wall clock is looked at: it may jump, and a machine that slept has not counted the seconds."""


class HoursStage:
    """Opens the way for submits, and closes it.

    Args:
        context: the run's shared things.
        hours: when submits may go.
        clock, sleep: the wall clock, and waiting; those of the machine unless a test brings its own.
    """

    def __init__(
        self,
        context: RunContext,
        hours: Hours,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._hours = hours
        self._clock = clock
        self._sleep = sleep
        if hours.start is None:
            context.within_hours.set()

    async def run(self) -> None:
        """Keep the hours; over when there is none left to keep."""
        if self._hours.start is not None:
            self._context.tell("waits", until=_words(self._hours.start))
            await self._until(self._hours.start)
            self._context.within_hours.set()
        if self._hours.end is not None:
            await self._until(self._hours.end)
            self._context.stop_submitting(
                HoursOver(f"it is {_words(self._hours.end)}: nothing more is submitted. Run again when it may be")
            )

    async def _until(self, moment: datetime) -> None:
        while (left_s := (moment - self._clock()).total_seconds()) > 0:
            await self._sleep(min(left_s, GLANCE_S))


def _words(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M")
