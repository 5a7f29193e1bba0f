"""Our requests and downloads alone: no manifest, no state, no checks, nothing flushed. What is left is what the rest costs."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec

from benchmarks.clients.task import Task
from pipeline.api.assets import SubmitBody
from pipeline.api.client import ApiClient
from pipeline.stages.fetch import Fetch, Part, fetch

DOWNLOADS = 8
"""At once, as ``download.concurrency`` has it: more would not fit into the memory that is for holding them."""


async def render(
    task: Task, api: ApiClient, how: Fetch, slots: asyncio.Semaphore, downloads: asyncio.Semaphore, row: int
) -> None:
    """One clip."""
    async with slots:
        body = SubmitBody([msgspec.json.encode(task.body(row))[:-1], b"}"])
        accepted = await api.submit(body, f"{task.tag}:{row}")
        while True:
            generation = await api.retrieve(accepted.generation_id)
            if generation.url:
                break
            await asyncio.sleep(task.interval_s)
        path = task.clip(row)
        async with downloads:
            fetched = await fetch(how, generation.url, path, Part(), lambda _: None)
            if fetched.content is not None:
                path.write_bytes(fetched.content)
                how.holding.give_back(len(fetched.content))


async def main() -> None:
    """All rows at once, as many as the semaphore lets through."""
    task = Task.from_arguments()
    slots, downloads = asyncio.Semaphore(task.at_once), asyncio.Semaphore(DOWNLOADS)
    async with (
        ApiClient(task.base_url, "any", 60.0) as api,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as session,
    ):
        how = Fetch(session, 30.0, 1 << 40, 0, allow_private=True, boot="one")
        await asyncio.gather(*(render(task, api, how, slots, downloads, row) for row in range(task.rows)))


if __name__ == "__main__":
    asyncio.run(main())
