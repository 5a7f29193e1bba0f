"""Renders what is queued: one slot a core, each with an executor of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import BrokenExecutor, Executor
from typing import Any, TypeVar

from pipeline.studio import queue
from pipeline.studio.home import Home
from pipeline.studio.options import Quality
from pipeline.studio.queue import Generation
from pipeline.studio.render import RenderError, RenderTask
from pipeline.studio.store import Store
from pipeline.studio.workers import Produced, produce, stop

__all__ = ["MOST_CRASHES", "Farm", "insist"]

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_CRASHES = 3
"""A clip whose render process has died so often is given up: it is the clip's fault, not chance."""

_INSIST_EVERY_S = 1.0


async def insist(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Record something that has happened and can't be undone, until the disk takes it (it may be full for a while)."""
    while True:
        try:
            return await attempt()
        except sqlite3.OperationalError as error:
            log.warning("the queue can't be written (%s): trying again", error)
            await asyncio.sleep(_INSIST_EVERY_S)


class Farm:
    """Takes generations out of the queue, oldest first, and sees each to its end.

    :meth:`ring` once for every generation that is queued; :meth:`run` until cancelled, which leaves what is being
    rendered in the queue for the next start.
    """

    def __init__(
        self, store: Store, home: Home, *, slots: int, executor: Callable[[], Executor], quality: Quality, strict: bool
    ) -> None:
        self._store = store
        self._home = home
        self._slots = slots
        self._make_executor = executor
        self._quality = quality
        self._strict = strict
        self._queued = asyncio.Semaphore(0)

    def ring(self, count: int = 1) -> None:
        """Say that so many more generations are queued."""
        for _ in range(count):
            self._queued.release()

    async def run(self) -> None:
        """Render until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._slots):
                group.create_task(self._slot())

    async def _slot(self) -> None:
        with contextlib.ExitStack() as stack:
            executor: Executor | None = None
            while True:
                await self._queued.acquire()
                generation = await insist(lambda: self._store.write(queue.take))
                if generation is None:
                    continue
                if executor is None:
                    executor = self._make_executor()
                    stack.callback(stop, executor)
                if not await self._see_through(generation, executor):
                    stack.close()
                    executor = None

    async def _see_through(self, generation: Generation, executor: Executor) -> bool:
        """Render one generation and record its end; False if the executor broke."""
        started = time.monotonic()
        try:
            produced = await asyncio.get_running_loop().run_in_executor(executor, produce, self._task(generation))
        except RenderError as error:
            await self._fail(generation, "RenderError", str(error))
        except BrokenExecutor:
            await self._crashed(generation)
            return False
        except Exception:
            log.exception("generation %s: the renderer failed", generation.id)
            await self._fail(generation, "InternalError", "the renderer failed; the studio's log says why")
        else:
            await self._complete(generation, produced)
            took_s = time.monotonic() - started
            log.info("generation %s: %.1f s of clip in %.1f s", generation.id, produced.report.duration_s, took_s)
        return True

    def _task(self, generation: Generation) -> RenderTask:
        frame = generation.frame
        if frame is None:
            raise RuntimeError("a generation was queued without its frame")
        return RenderTask(
            picture=self._home.picture(generation.id),
            voice=self._home.voice(generation.id),
            prompt=generation.prompt,
            width=frame.width,
            height=frame.height,
            fps=frame.fps,
            quality=self._quality,
            strict=self._strict,
            output=self._home.clip(generation.id),
        )

    async def _complete(self, generation: Generation, produced: Produced) -> None:
        await insist(
            lambda: self._store.write(
                queue.complete, generation, time.time(), produced.size_bytes, produced.sha256, produced.report.notes
            )
        )
        await asyncio.to_thread(self._home.drop_media, generation.id)

    async def _fail(self, generation: Generation, name: str, message: str) -> None:
        log.warning("generation %s failed: %s", generation.id, message)
        await insist(lambda: self._store.write(queue.fail, generation.id, time.time(), name, message))
        await asyncio.to_thread(self._home.drop_media, generation.id)

    async def _crashed(self, generation: Generation) -> None:
        crashes = generation.crashes + 1
        log.warning("generation %s: its render process died (%d of %d)", generation.id, crashes, MOST_CRASHES)
        if crashes >= MOST_CRASHES:
            await self._fail(generation, "InternalError", f"its render process died {crashes} times")
        else:
            await insist(lambda: self._store.write(queue.put_back, generation.id))
            self.ring()
