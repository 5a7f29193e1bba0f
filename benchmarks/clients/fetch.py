"""Our downloads alone: ``python -m benchmarks.clients.fetch FOLDER AT_ONCE URL…``; prints the seconds that they took.

In a run the process and its modules are there long before the first clip is, so their start is not counted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aiohttp

from pipeline.stages.fetch import Fetch, Part, fetch
from pipeline.stages.part_file import Holding


async def main() -> None:
    """Every URL to a file in the folder."""
    folder, at_once, urls = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    slots = asyncio.Semaphore(at_once)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        how = Fetch(session, 30.0, 1 << 40, 0, allow_private=True, boot="one", holding=Holding(0))

        async def bring(number: int, url: str) -> None:
            async with slots:
                await fetch(how, url, folder / f"{number}.mp4", Part(), lambda _: None)

        began = time.monotonic()
        await asyncio.gather(*(bring(number, url) for number, url in enumerate(urls)))
        print(time.monotonic() - began)


if __name__ == "__main__":
    asyncio.run(main())
