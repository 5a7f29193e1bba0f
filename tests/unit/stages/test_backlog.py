"""Rows that come, and rows that wait for their time, under a clock of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pipeline.clip import Clip
from pipeline.stages.backlog import Backlog, first_of
from pipeline.state.store import Arrivals, Inbox
from tests.unit.making import a_clip


class Source:
    """An inbox over a list, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.rows: list[Clip] = []
        self.event = Arrivals()
        self.now = 0.0
        self.reads = 0
        self.backlog = Backlog(Inbox(self.read, self.event), lambda: self.now)

    def read(self, after: int, limit: int) -> Sequence[Clip]:
        self.reads += 1
        return [clip for clip in self.rows if clip.moved > after][:limit]

    def come(self, *names: str) -> list[Clip]:
        clips = [a_clip(name, seq=len(self.rows) + n, moved=len(self.rows) + n) for n, name in enumerate(names, 1)]
        self.rows += clips
        self.event.set()
        return clips

    async def take(self) -> str:
        return (await asyncio.wait_for(self.backlog.get(), 5)).id


@pytest.fixture
async def source() -> Source:
    return Source()


async def nothing_comes(source: Source) -> asyncio.Task[Clip]:
    getting = asyncio.create_task(source.backlog.get())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not getting.done()
    return getting


async def test_rows_come_in_their_order(source: Source) -> None:
    source.come("a", "b")

    assert [await source.take(), await source.take()] == ["a", "b"]


async def test_a_row_that_is_put_back_comes_after_its_time_and_after_new_ones(source: Source) -> None:
    (a,) = source.come("a")
    await source.take()
    source.backlog.put_back(a, 30.0)
    getting = await nothing_comes(source)
    getting.cancel()

    source.now = 30.0
    source.come("b")

    assert [await source.take(), await source.take()] == ["b", "a"]


async def test_rows_that_wait_come_in_the_order_of_their_times(source: Source) -> None:
    clips = source.come("a", "b", "c")
    for _ in clips:
        await source.take()
    for clip, delay_s in zip(clips, (3.0, 1.0, 2.0), strict=True):
        source.backlog.put_back(clip, delay_s)

    source.now = 5.0

    assert [await source.take() for _ in clips] == ["b", "c", "a"]


async def test_a_row_that_is_held_waits_when_it_comes_in_again(source: Source) -> None:
    (a,) = source.come("a")
    await source.take()
    source.backlog.hold(a.seq, 10.0)
    source.rows.append(a_clip("a", seq=a.seq, moved=9))
    source.event.set()
    getting = await nothing_comes(source)
    getting.cancel()

    source.now = 10.0

    assert await source.take() == "a"


async def test_a_hold_is_for_once(source: Source) -> None:
    (a,) = source.come("a")
    source.backlog.hold(a.seq, 1.0)
    source.now = 1.0
    assert await source.take() == "a"

    source.rows.append(a_clip("a", seq=a.seq, moved=9))
    source.event.set()
    source.now = 0.0

    assert await source.take() == "a"


async def test_a_sleeper_wakes_for_a_row_that_comes_and_for_one_that_is_put_back(source: Source) -> None:
    getting = await nothing_comes(source)
    (a,) = source.come("a")
    assert (await asyncio.wait_for(getting, 5)).id == "a"

    getting = await nothing_comes(source)
    source.backlog.put_back(a, 0.0)
    assert (await asyncio.wait_for(getting, 5)).id == "a"


async def test_a_sleeper_that_is_woken_for_something_else_asks_the_state_file_nothing(source: Source) -> None:
    (a,) = source.come("a")
    await source.take()
    assert source.backlog.get_nowait() is None
    before = source.reads

    source.backlog.put_back(a, 1.0)
    await asyncio.wait_for(source.backlog.wait(), 5)
    assert source.backlog.get_nowait() is None
    assert source.reads == before

    source.come("b")
    source.backlog.put_back(a, 1.0)
    assert await source.take() == "b"


async def test_a_cancelled_sleeper_loses_no_row(source: Source) -> None:
    getting = await nothing_comes(source)
    getting.cancel()
    source.come("a")

    assert await source.take() == "a"


async def test_the_first_of_several_ends_the_wait_and_leaves_no_task() -> None:
    event, never = asyncio.Event(), asyncio.Event()
    event.set()
    before = asyncio.all_tasks()

    await first_of(None, event.wait(), never.wait())
    await first_of(0.001, never.wait())
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
