"""The provider's own SDK, its async client under a semaphore, with the retries that it brings along."""

from __future__ import annotations

import asyncio

import aiohttp
from aimlapi import AsyncAIMLAPI  # type: ignore[import-untyped]

from benchmarks.clients.task import Task


async def render(task: Task, sdk: AsyncAIMLAPI, web: aiohttp.ClientSession, slots: asyncio.Semaphore, row: int) -> None:
    """One clip."""
    async with slots:
        for attempt in range(task.tries):
            try:
                payload = await sdk.videos.generate_with_polling(
                    model=task.model,
                    prompt=f"{task.tag}:r{row}",
                    extra_body=task.media(),
                    poll_interval=task.interval_s,
                )
                break
            except Exception:
                await asyncio.sleep(min(5.0, 0.2 * 2**attempt))
        else:
            return
        async with web.get(payload["video"]["url"]) as file:
            task.clip(row).write_bytes(await file.read())


async def main() -> None:
    """All rows."""
    task = Task.from_arguments()
    slots = asyncio.Semaphore(task.at_once)
    async with AsyncAIMLAPI(base_url=f"{task.base_url}/v1", api_key="any") as sdk, aiohttp.ClientSession() as web:
        await asyncio.gather(*(render(task, sdk, web, slots, row) for row in range(task.rows)), return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
