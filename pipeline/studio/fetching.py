"""Fetches the media of generations that came with links, beside the rendering of others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import aiohttp

from pipeline.models import Model
from pipeline.studio import queue
from pipeline.studio.assets import AssetError, fetch
from pipeline.studio.farm import insist
from pipeline.studio.home import Home
from pipeline.studio.intake import frame_of, inspect_picture, inspect_voice, price_of
from pipeline.studio.queue import Generation
from pipeline.studio.store import Store

__all__ = ["Fetcher"]

log = logging.getLogger(__name__)

_AT_ONCE = 4


class Fetcher:
    """Takes ids of generations to fetch for, and hands each on to ``arrived`` (or ends it in an error)."""

    def __init__(self, store: Store, home: Home, models: Mapping[str, Model], arrived: Callable[[], None]) -> None:
        self._store = store
        self._home = home
        self._models = models
        self._arrived = arrived
        self._wanted: asyncio.Queue[str] = asyncio.Queue()

    def want(self, generation_id: str) -> None:
        """Fetch for this generation when its turn comes."""
        self._wanted.put_nowait(generation_id)

    async def run(self) -> None:
        """Fetch until cancelled."""
        # The environment's proxies are honoured: a studio behind a company's proxy fetches as a browser there does.
        async with aiohttp.ClientSession(trust_env=True) as session, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._lane(session))

    async def _lane(self, session: aiohttp.ClientSession) -> None:
        while True:
            generation_id = await self._wanted.get()
            generation = await self._store.read(queue.find, generation_id)
            if generation is None or generation.stage != "fetching":
                continue
            try:
                await self._fetch(session, generation)
            except AssetError as error:
                await self._give_up(generation_id, str(error))

    async def _give_up(self, generation_id: str, message: str) -> None:
        log.warning("generation %s failed: %s", generation_id, message)
        await insist(lambda: self._store.write(queue.fail, generation_id, time.time(), "AssetError", message))
        await asyncio.to_thread(self._home.drop_media, generation_id)

    async def _fetch(self, session: aiohttp.ClientSession, generation: Generation) -> None:
        model = self._models.get(generation.model)
        if model is None:
            raise AssetError(f"the model {generation.model} is no longer in the catalogue")
        picture_path, voice_path = self._home.picture(generation.id), self._home.voice(generation.id)
        what = "image_url"
        try:
            if generation.image_link:
                await fetch(session, generation.image_link, picture_path, model.picture.max_bytes)
            picture = await asyncio.to_thread(inspect_picture, picture_path, model)
            what = "audio_url"
            if generation.audio_link:
                await fetch(session, generation.audio_link, voice_path, model.voice.max_bytes)
            voice = await asyncio.to_thread(inspect_voice, voice_path, model)
        except OSError as error:
            raise AssetError(f"{what}: {error.strerror or error}") from None
        except AssetError as error:
            raise AssetError(f"{what}: {error}") from None
        frame = frame_of(model, generation.options, picture)
        await insist(lambda: self._store.write(queue.media_arrived, generation.id, frame, price_of(model, voice)))
        self._arrived()
