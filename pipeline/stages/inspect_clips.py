"""done: look at each new clip once. What is seen is noted; nothing else ever follows from it."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from pipeline.clip import Clip, Status
from pipeline.errors import AvatarBatchError, one_line
from pipeline.inspection.look import look_at
from pipeline.stages.backlog import first_of
from pipeline.stages.context import RunContext

__all__ = ["InspectStage"]

STEP_BACK = 10
"""How nice the looking thread is: rendering, downloads and the moves of rows come first."""


CALM_S = 0.25
"""While more than one clip is finished in such a time none is looked at: they pour in, and looking would hold them up."""


class InspectStage:
    """Looks at one clip at a time, in a thread that steps back behind all else."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._inbox = context.state.inbox(Status.DONE)
        self._idle = asyncio.Event()
        self._last = asyncio.Event()
        self._over = False
        self._thread = ThreadPoolExecutor(1, "inspect", initializer=_step_back)

    async def run(self) -> None:
        """Look until cancelled; clips that were not looked at by then are the next run's, or the report's."""
        if not self._context.settings.inspect.enabled:
            self._idle.set()
            return
        try:
            while True:
                clip = self._inbox.get_nowait()
                if clip is not None:
                    await self._calm()
                    await self._look(clip)
                    continue
                self._idle.set()
                await self._inbox.wait()
        except AvatarBatchError as error:
            # A full disk, say. The stages that matter meet it too, and tell.
            self._context.tell("inspection_over", message=str(error))
        finally:
            self._over = True  # which ends a look under way: Python waits for its thread
            self._idle.set()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def all_seen(self) -> None:
        """Wait until there is no clip left to look at, or nobody to look."""
        if self._context.settings.inspect.enabled and not self._over:
            self._last.set()
            self._idle.clear()
            self._inbox.nudge()
            await self._idle.wait()

    async def _calm(self) -> None:
        """Wait while clips pour in, at the most until the last one is there."""
        counts = self._context.state.counts
        while not self._last.is_set():
            before = counts[Status.DONE]
            await first_of(CALM_S, self._last.wait())
            if counts[Status.DONE] <= before + 1:
                return

    def _is_wanted(self) -> bool:
        return not self._over

    async def _look(self, clip: Clip) -> None:
        context = self._context
        work = partial(
            look_at, context.out, clip.output, clip.image, clip.audio, context.settings.inspect, self._is_wanted
        )
        try:
            seen = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            # A look is a courtesy: whatever it stumbles over, the night goes on.
            context.tell("not_looked_at", clip, message=one_line(f"{type(error).__name__}: {error}"))
            return
        await context.state.note_inspection(clip.seq, seen)
        if seen.marks:
            context.tell("marked", clip, marks=" ".join(seen.marks))


def _step_back() -> None:
    """On Linux each thread has its own niceness; elsewhere nothing happens."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), STEP_BACK)
