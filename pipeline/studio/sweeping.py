"""Removes clips that are older than the studio keeps them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

from pipeline.studio import queue
from pipeline.studio.home import Home
from pipeline.studio.store import Store

__all__ = ["sweep"]

log = logging.getLogger(__name__)

_EVERY_S = 3600.0
_LEAST_S = 0.5


async def sweep(store: Store, home: Home, keep_s: float) -> None:
    """Sweep now and every hour (more often where clips are kept for less), until cancelled."""
    while True:
        try:
            for generation_id in await store.read(queue.clips_older_than, time.time() - keep_s):
                # The file first: what is left of it after a kill is swept again. A link given in between gets a 404.
                await asyncio.to_thread(home.clip(generation_id).unlink, missing_ok=True)
                await store.write(queue.forget_clip, generation_id)
                log.info("generation %s: its clip is no longer kept", generation_id)
        except (OSError, sqlite3.OperationalError) as error:
            log.warning("old clips can't be removed (%s): trying again later", error)
        await asyncio.sleep(min(_EVERY_S, max(keep_s, _LEAST_S)))
