"""Alone at once, in a crowd together, and each its own result."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from pipeline.stages.together import MOST, Together


class Work:
    """Doubles numbers when it is let go, refuses negative ones, breaks down at 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.at_it, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.at_it.set()
        assert self.go.wait(5)
        if 13 in items:
            raise RuntimeError("broke down")
        return [ValueError(item) if item < 0 else 2 * item for item in items]


@pytest.fixture
def work() -> Iterator[Work]:
    one = Work()
    yield one
    one.go.set()


@pytest.fixture
def together(work: Work) -> Iterator[Together[int, int]]:
    one = Together[int, int](work, "test")
    yield one
    work.go.set()
    one.close()


async def begun(work: Work) -> None:
    assert await asyncio.to_thread(work.at_it.wait, 5)


async def test_alone_it_is_done_at_once(work: Work, together: Together[int, int]) -> None:
    work.go.set()

    assert await together.do(4) == 8
    assert await together.do(5) == 10
    assert work.batches == [[4], [5]]


async def test_what_comes_together_goes_together_and_what_comes_meanwhile_goes_next(
    work: Work, together: Together[int, int]
) -> None:
    first = [asyncio.create_task(together.do(item)) for item in (1, 2)]
    await begun(work)
    meanwhile = [asyncio.create_task(together.do(item)) for item in (3, -4, 5)]
    await asyncio.sleep(0)
    work.go.set()

    assert await asyncio.gather(*first) == [2, 4]
    three, four, five = await asyncio.gather(*meanwhile, return_exceptions=True)
    assert (three, five) == (6, 10)
    assert isinstance(four, ValueError)
    assert work.batches == [[1, 2], [3, -4, 5]]


async def test_a_crowd_goes_in_batches(work: Work, together: Together[int, int]) -> None:
    work.go.set()

    results = await asyncio.gather(*(together.do(item) for item in range(20, 20 + 2 * MOST + 1)))

    assert results == [2 * item for item in range(20, 20 + 2 * MOST + 1)]
    assert [len(batch) for batch in work.batches] == [MOST, MOST, 1]


async def test_work_that_breaks_down_fails_its_batch_and_no_other(work: Work, together: Together[int, int]) -> None:
    work.go.set()

    one, thirteen = await asyncio.gather(together.do(1), together.do(13), return_exceptions=True)

    assert isinstance(one, RuntimeError)
    assert isinstance(thirteen, RuntimeError)
    assert await together.do(2) == 4


async def test_who_no_longer_waits_is_not_begun_and_takes_nothing_back(
    work: Work, together: Together[int, int]
) -> None:
    under_way = asyncio.create_task(together.do(1))
    await begun(work)
    waiting, other = (asyncio.create_task(together.do(item)) for item in (2, 3))
    await asyncio.sleep(0)
    under_way.cancel()
    waiting.cancel()
    work.go.set()

    assert await other == 6
    assert work.batches == [[1], [3]]
