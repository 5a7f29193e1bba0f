"""Looking steps back while clips pour in, and still looks at them all."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.clip import Clip, Status
from pipeline.errors import DiskFull
from pipeline.inspection import Inspection
from pipeline.settings import Settings
from pipeline.stages import inspect_clips
from pipeline.stages.inspect_clips import InspectStage
from tests.unit.making import a_clip


class Run:
    """A run in which so many clips are finished between two glances of the stage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *finished: int) -> None:
        self.finished = deque(finished)
        self.glances = 0
        self.looked: list[tuple[str, int]] = []
        self.inbox = deque([a_clip("a"), a_clip("b")])
        self.wake = asyncio.Event()
        self.over = threading.Event()
        self.counts = {Status.DONE: 2}

        async def noted(*_: object) -> None: ...

        inbox = SimpleNamespace(get_nowait=self.get_nowait, nudge=self.wake.set, wait=self.wake.wait)
        state = SimpleNamespace(counts=self.counts, inbox=lambda _: inbox, note_inspection=noted)
        self.context: Any = SimpleNamespace(state=state, settings=Settings(), out="out", tell=lambda *_, **__: None)
        monkeypatch.setattr(inspect_clips, "first_of", self.glance)
        monkeypatch.setattr(inspect_clips, "look_at", self.look)

    def get_nowait(self) -> Clip | None:
        self.wake.clear()
        return self.inbox.popleft() if self.inbox else None

    async def glance(self, _: float, *waits: Any) -> None:
        for wait in waits:
            wait.close()
        self.glances += 1
        self.counts[Status.DONE] += self.finished.popleft() if self.finished else 0
        await asyncio.sleep(0)

    def look(self, _: object, output: str, *__: object) -> Inspection:
        self.looked.append((output, self.glances))
        if not self.inbox:
            self.over.set()
        return Inspection()


async def seen_all(stage: InspectStage) -> None:
    running = asyncio.create_task(stage.run())
    await asyncio.wait_for(stage.all_seen(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_looked_at_while_clips_pour_in(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, 9, 9, 2, 1, 0)
    stage = InspectStage(run.context)
    running = asyncio.create_task(stage.run())
    assert await asyncio.to_thread(run.over.wait, 10)
    assert run.looked == [("a.mp4", 4), ("b.mp4", 5)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_when_the_last_one_is_there_all_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, *[9] * 1000)
    await seen_all(InspectStage(run.context))
    assert [output for output, _ in run.looked] == ["a.mp4", "b.mp4"]
    assert run.glances < 10


async def test_a_look_under_way_at_the_end_is_not_wanted_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    begun, go, wanted = threading.Event(), threading.Event(), []

    def look(*words: Any) -> Inspection:
        wanted.append(words[-1]())
        begun.set()
        assert go.wait(10)
        wanted.append(words[-1]())
        ended.set()
        return Inspection()

    ended = threading.Event()
    monkeypatch.setattr(inspect_clips, "look_at", look)
    running = asyncio.create_task(InspectStage(run.context).run())
    assert await asyncio.to_thread(begun.wait, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    go.set()
    assert await asyncio.to_thread(ended.wait, 10)

    assert wanted == [True, False]


async def test_nobody_waits_for_looks_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)

    async def full(*_: object) -> None:
        raise DiskFull("the disk is full")

    run.context.state.note_inspection = full
    stage = InspectStage(run.context)
    await stage.run()

    await asyncio.wait_for(stage.all_seen(), 10)
