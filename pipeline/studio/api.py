"""The API's handlers: what comes in, handed to the one that knows, and its answer put together."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque

from aiohttp import web
from yarl import URL

from pipeline.studio import answers, ledger, queue
from pipeline.studio.answers import Refusal
from pipeline.studio.cdn import Links
from pipeline.studio.farm import Farm
from pipeline.studio.fetching import Fetcher
from pipeline.studio.home import Home
from pipeline.studio.intake import lay_out
from pipeline.studio.options import StudioOptions
from pipeline.studio.periods import number, window
from pipeline.studio.queue import Order
from pipeline.studio.store import Store
from pipeline.studio.tracing import TRACE, client_request_id, tracing
from pipeline.studio.validation import read_submit

__all__ = ["DEFAULT_BALANCE_USD", "Api"]

DEFAULT_BALANCE_USD = 1000.0

MAX_BODY_BYTES = 24 * 1024 * 1024
"""A picture of 10 MB and a voice of 5 MB, in Base64, and room for the rest."""

_SUBMITS_AT_ONCE = 8
_BODY_TIMEOUT_S = 120.0
_LOG_REQUESTS = 200
_LOG_SPAN_S = 60.0


class Api:
    """The handlers and what they share."""

    def __init__(
        self,
        options: StudioOptions,
        *,
        store: Store,
        home: Home,
        farm: Farm,
        fetcher: Fetcher,
        links: Links,
        cdn_port: int,
    ) -> None:
        self._options = options
        self._store = store
        self._home = home
        self._farm = farm
        self._fetcher = fetcher
        self._links = links
        self._cdn_port = cdn_port
        self._refill_credits = ledger.credits_of_usd(DEFAULT_BALANCE_USD) if options.balance_usd is None else 0
        # A submit is up to 24 MiB: so many are held in memory at once, the others wait in their sockets.
        self._submits = asyncio.Semaphore(_SUBMITS_AT_ONCE)
        self._log_requests: deque[float] = deque()

    def app(self) -> web.Application:
        """The application that serves the API."""
        app = web.Application(middlewares=[tracing(self._options.key)], client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v2/video/generations", self.submit)
        app.router.add_get("/v2/video/generations", self.retrieve)
        app.router.add_get("/v2/logs", self.logs)
        app.router.add_get("/v2/billing", self.billing)
        app.router.add_get("/v2/billing/transactions", self.transactions)
        return app

    async def submit(self, request: web.Request) -> web.Response:
        """``POST /v2/video/generations``. The same submit twice makes two clips, as with the provider."""
        generation_id = str(uuid.uuid4())
        async with self._submits:
            order = await self._order(request, generation_id)
        if not await self._store.write(queue.add, order, self._refill_credits):
            await asyncio.to_thread(self._home.drop_media, generation_id)
            raise Refusal(403, "You have run out of credits: top up the balance or raise the key's limit")
        if order.image_link or order.audio_link:
            self._fetcher.want(generation_id)
        else:
            self._farm.ring()
        public_id = f"{generation_id}:{order.model}"
        return web.json_response(
            answers.submit_body(public_id, order.credits),
            status=201,
            headers=answers.cost_headers(public_id, order.credits),
        )

    async def _order(self, request: web.Request, generation_id: str) -> Order:
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise Refusal(413, "request entity too large", "legacy")
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                raw = await request.read()
        except TimeoutError:
            raise Refusal(408, "the body did not arrive in time", "legacy") from None
        submit = await asyncio.to_thread(read_submit, raw, self._options.models)
        return await asyncio.to_thread(
            lay_out, submit, self._home, generation_id, client_request_id(request.headers), request[TRACE]
        )

    async def retrieve(self, request: web.Request) -> web.Response:
        """``GET /v2/video/generations``. The id is taken with and without its model."""
        asked = request.query.get("generation_id")
        if not asked:
            raise Refusal(400, "generation_id: Expected string, received undefined")
        generation_id, _, model = asked.partition(":")
        generation = await self._store.read(queue.find, generation_id)
        if generation is None or model not in {"", generation.model}:
            raise Refusal(404, "Generation not found", "legacy")
        url = None
        if generation.clip_bytes is not None:
            # The host that the client reached the API by reaches the clips too.
            origin = URL.build(scheme="http", host=request.url.host or self._options.host, port=self._cdn_port)
            url = self._links.sign(origin, generation.id, time.time())
        return web.json_response(
            answers.retrieve_body(generation, url),
            headers=answers.cost_headers(
                generation.public_id, generation.credits if generation.stage == "completed" else None
            ),
        )

    async def logs(self, request: web.Request) -> web.Response:
        """``GET /v2/logs``: the generations that have ended."""
        self._meter()
        query = request.query
        limit, offset = number(query, "limit", 20, 1, 100), number(query, "offset", 0, 0, 10**12)
        start, end = window(query, time.time())
        rows, total = await self._store.read(queue.usage_page, start, end, query.get("model"), limit, offset)
        return web.json_response(answers.usage_body(rows, limit, offset, total))

    def _meter(self) -> None:
        now = time.monotonic()
        while self._log_requests and self._log_requests[0] <= now - _LOG_SPAN_S:
            self._log_requests.popleft()
        if len(self._log_requests) >= _LOG_REQUESTS:
            raise Refusal(429, "Too many requests", "legacy")
        self._log_requests.append(now)

    async def billing(self, request: web.Request) -> web.Response:
        """``GET /v2/billing``."""
        return web.json_response(answers.balance_body(await self._store.read(ledger.balance)))

    async def transactions(self, request: web.Request) -> web.Response:
        """``GET /v2/billing/transactions``: the ledger, newest first; ``cursor`` is the last page's ``next_cursor``."""
        query = request.query
        limit = number(query, "limit", 20, 1, 100)
        before = number(query, "cursor", 0, 1, 10**12) if "cursor" in query else None
        entries, has_more = await self._store.read(ledger.page, before, limit)
        return web.json_response(answers.transactions_body(entries, limit, has_more))
