"""The farm's seam: any executor of concurrent.futures renders."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.studio import ledger, queue
from pipeline.studio.farm import Farm
from pipeline.studio.home import Home
from pipeline.studio.queue import Frame, Generation, Order
from pipeline.studio.store import Store

from .living import DEADLINE_S


class Breaking(Executor):
    """An executor whose worker dies of whatever it is given."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("the worker died"))
        return future


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path / "studio")
    with home.held():
        yield home


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    store = Store(home.database)
    await store.write(ledger.open_account, ledger.credits_of_usd(10), time.time())
    yield store
    store.close()


async def order(store: Store, home: Home, picture: Path, voice: Path) -> str:
    """Queue a small clip."""
    clip_id = str(uuid.uuid4())
    shutil.copy(picture, home.picture(clip_id))
    shutil.copy(voice, home.voice(clip_id))
    wanted = Order(
        id=clip_id,
        model="some/model",
        prompt="",
        options={},
        image_link=None,
        audio_link=None,
        frame=Frame(320, 180, 25),
        credits=1_000_000,
        client_request_id=None,
        request_id="r",
        created_at=time.time(),
    )
    assert await store.write(queue.add, wanted, 0)
    return clip_id


async def end_of(farm: Farm, store: Store, clip_id: str) -> Generation:
    """Run a farm until a generation has ended."""
    running = asyncio.create_task(farm.run())
    farm.ring()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                generation = await store.read(queue.find, clip_id)
                if generation and generation.ended_at is not None:
                    return generation
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def farm_of(store: Store, home: Home, executor: Callable[[], Executor]) -> Farm:
    return Farm(store, home, slots=1, executor=executor, quality="draft", strict=False)


async def test_a_foreign_executor_renders(store: Store, home: Home, picture: Path, voice: Path) -> None:
    clip_id = await order(store, home, picture, voice)

    generation = await end_of(farm_of(store, home, lambda: ThreadPoolExecutor(1)), store, clip_id)

    assert generation.stage == "completed"
    assert generation.clip_bytes == home.clip(clip_id).stat().st_size
    assert await store.read(ledger.balance) == ledger.credits_of_usd(10) - 1_000_000
    assert not home.picture(clip_id).exists()


async def test_a_broken_executor_is_made_anew_at_most_three_times(
    store: Store, home: Home, picture: Path, voice: Path
) -> None:
    clip_id = await order(store, home, picture, voice)
    made: list[Executor] = []

    def executor() -> Executor:
        made.append(Breaking())
        return made[-1]

    generation = await end_of(farm_of(store, home, executor), store, clip_id)

    assert generation.stage == "error"
    assert len(made) == 3
    assert await store.read(ledger.balance) == ledger.credits_of_usd(10)


async def test_the_second_try_may_succeed(store: Store, home: Home, picture: Path, voice: Path) -> None:
    clip_id = await order(store, home, picture, voice)
    executors = iter([Breaking(), ThreadPoolExecutor(1)])

    generation = await end_of(farm_of(store, home, lambda: next(executors)), store, clip_id)

    assert (generation.stage, generation.crashes) == ("completed", 1)


async def test_a_clip_is_charged_once_at_most(store: Store, home: Home, picture: Path, voice: Path) -> None:
    clip_id = await order(store, home, picture, voice)
    generation = await end_of(farm_of(store, home, lambda: ThreadPoolExecutor(1)), store, clip_id)

    with pytest.raises(Exception, match="UNIQUE"):
        await store.write(queue.complete, generation, time.time(), 1, "00", ())
    assert await store.read(ledger.balance) == ledger.credits_of_usd(10) - 1_000_000
