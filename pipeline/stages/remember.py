"""What was learned of the API, kept for the next run: now and then, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from pipeline.models import model_named
from pipeline.pacing import Learning, Memory, PollPlan, SubmitPace, cache_folder, poll_plan_for
from pipeline.settings import Settings
from pipeline.stages.context import RunContext

__all__ = ["RememberStage", "learning_of"]

KEEP_EVERY_S = 300.0
"""A run that is killed loses no more of what it has learned than this."""


class RememberStage:
    """Keeps what the run has learned.

    Args:
        context: the run's shared things.
        sleep: waiting; that of the event loop unless a test brings its own.
    """

    def __init__(self, context: RunContext, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._context = context
        self._sleep = sleep

    async def run(self) -> None:
        """Keep until cancelled, and then once more."""
        try:
            while True:
                await self._sleep(KEEP_EVERY_S)
                self._context.learning.keep()
        finally:
            self._context.learning.keep()


def learning_of(settings: Settings, base_url: str, pace: SubmitPace, environ: Mapping[str, str]) -> Learning:
    """What a run learns, from where the last one ended.

    Args:
        settings: of the run.
        base_url: of the API that it speaks to.
        pace: where the limits go that are remembered.
        environ: names the folder of what is kept.
    """
    poll, catalogue = settings.poll, settings.catalogue

    def plan_for(model: str) -> PollPlan:
        expected_s = poll.expected_s or model_named(catalogue, model).expected_s
        return poll_plan_for(poll.strategy, poll.interval_s, expected_s, poll.notice_s)

    # A local studio is another one in each run, and quick to know.
    folder = None if settings.api.provider == "local" else cache_folder(environ)
    return Learning(Memory(base_url, folder), pace, plan_for)
