"""The test endpoints under /_test/: change the plan, read the truth."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web

from .answers import Reply, json_reply
from .cdn import Downloads
from .money import ledger
from .plan import Plan
from .wire import read_body
from .world import World


class Backdoor:
    """Answers what only tests ask."""

    def __init__(self, world: World, downloads: Downloads) -> None:
        self._world = world
        self._downloads = downloads

    async def serve(self, request: web.BaseRequest) -> tuple[Reply, bool]:
        """The answer, and whether the plan changed."""
        body = await read_body(request)
        name = (request.method, request.path.removeprefix("/_test/"))
        try:
            if name == ("POST", "plan"):
                self._world.set_plan(Plan.from_json(body.decode()))
                return json_reply({"ok": True}), True
            return await self._answer(request, name, body), False
        except ValueError as error:
            return json_reply({"error": str(error)}, 400), False

    async def _answer(self, request: web.BaseRequest, name: tuple[str, str], body: bytes) -> Reply:
        world = self._world
        if name == ("GET", "plan"):
            return Reply(200, world.plan.to_json().encode())
        if name == ("GET", "ledger"):
            return json_reply(ledger(world, time.time()))
        if name == ("GET", "journal"):
            return json_reply(world.journal(request.query.get("route")))
        if name == ("POST", "flush"):
            world.flush()
            return json_reply({"ok": True})
        if name == ("POST", "finish"):
            asked: dict[str, Any] = json.loads(body or b"{}")
            ended = world.finish(list(asked.get("generations", [])), failed=bool(asked.get("failed")))
            return json_reply({"ended": ended})
        if name == ("GET", "clip"):
            generation = world.find(request.query.get("generation_id", ""), any_form=True)
            if generation is not None:
                return Reply(200, await self._downloads.clip(generation), "video/mp4")
        return json_reply({"error": "no such test endpoint, or no such generation"}, 404)
