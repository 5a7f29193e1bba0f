"""A bare aiohttp script: one coroutine a row under a semaphore, no state, no checks."""

from __future__ import annotations

import asyncio
import random

import aiohttp

from benchmarks.clients.task import Task

HEADERS = {"Authorization": "Bearer any"}


async def tried(task: Task, session: aiohttp.ClientSession, method: str, **options: object) -> dict[str, object]:
    """A request, again after a while when it fails."""
    url = f"{task.base_url}/v2/video/generations"
    for attempt in range(task.tries):
        try:
            async with session.request(method, url, headers=HEADERS, **options) as answer:  # type: ignore[arg-type]
                answer.raise_for_status()
                found: dict[str, object] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(random.uniform(0, min(5.0, 0.2 * 2**attempt)))
    raise RuntimeError("no more tries")


async def render(task: Task, session: aiohttp.ClientSession, slots: asyncio.Semaphore, row: int) -> None:
    """One clip."""
    async with slots:
        generation = await tried(task, session, "POST", json=task.body(row))
        while True:
            answer = await tried(task, session, "GET", params={"generation_id": generation["id"]})
            if answer["status"] == "completed":
                break
            await asyncio.sleep(task.interval_s)
        video = answer["video"]
        assert isinstance(video, dict)
        async with session.get(video["url"]) as file:
            task.clip(row).write_bytes(await file.read())


async def main() -> None:
    """All rows at once, as many as the semaphore lets through."""
    task = Task.from_arguments()
    slots = asyncio.Semaphore(task.at_once)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(render(task, session, slots, row) for row in range(task.rows)), return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
