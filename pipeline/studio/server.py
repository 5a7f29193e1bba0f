"""Wires a studio together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator

from aiohttp import web

from pipeline.listening import cant_listen
from pipeline.studio import ledger, queue
from pipeline.studio.api import DEFAULT_BALANCE_USD, Api
from pipeline.studio.cdn import Links, cdn_app
from pipeline.studio.farm import Farm
from pipeline.studio.fetching import Fetcher
from pipeline.studio.home import Home
from pipeline.studio.lifetime import stop_event
from pipeline.studio.options import StudioOptions, StudioRefused
from pipeline.studio.render import CANT_LOOK, can_look
from pipeline.studio.store import Store
from pipeline.studio.sweeping import sweep
from pipeline.studio.workers import RenderProcess

__all__ = ["serve"]

log = logging.getLogger(__name__)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_EMBEDDED_PATIENCE_S = 10.0
_SHUTDOWN_S = 0.5
"""How long a stop waits for answers and downloads under way."""


def serve(options: StudioOptions) -> int:
    """Run a studio until it is stopped; the exit code.

    The first line on standard output is the API's base URL. 0: stopped by a signal or the end of standard input;
    2: it could not start or go on, and standard error says why in one line.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(asctime)s studio %(levelname)s %(message)s",
    )
    os.umask(0o077)  # what lies in the directory holds people's prompts, faces and voices
    home = Home(options.directory)
    try:
        # An embedded studio follows at once on one whose run was killed, and which needs a moment to notice.
        with home.held(_EMBEDDED_PATIENCE_S if options.exit_with_stdin else 0.0):
            return asyncio.run(_serve(options, home))
    except StudioRefused as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: the studio in {home.directory} can't go on: {error.strerror or error}", file=sys.stderr)
    return 2


async def _serve(options: StudioOptions, home: Home) -> int:
    if options.strict and options.executor is None and not can_look():
        raise StudioRefused(CANT_LOOK)
    stopping = stop_event(exit_with_stdin=options.exit_with_stdin)
    if options.host not in _LOOPBACK and options.key is None:
        log.warning("listening on %s without a key: whoever reaches it can use it", options.host)
    store = Store(home.database)
    try:
        await _open(store, home, options)
        async with _running(options, store, home) as (base_url, tasks):
            print(base_url, flush=True)
            stop = asyncio.create_task(stopping.wait())
            done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping; what is not done stays queued")
            if failed := done - {stop}:
                await failed.pop()
    finally:
        store.close()
    return 0


async def _open(store: Store, home: Home, options: StudioOptions) -> None:
    start_usd = DEFAULT_BALANCE_USD if options.balance_usd is None else options.balance_usd
    await store.write(ledger.open_account, ledger.credits_of_usd(start_usd), time.time())
    home.tidy(set(await store.read(queue.unfinished)))


@contextlib.asynccontextmanager
async def _running(
    options: StudioOptions, store: Store, home: Home
) -> AsyncIterator[tuple[str, list[asyncio.Task[None]]]]:
    """The whole studio at work: the API's base URL, and the tasks that never end by themselves."""
    links = Links(home.secret(), options.link_ttl_s)
    farm = Farm(
        store,
        home,
        slots=options.slots,
        executor=options.executor or RenderProcess,
        quality=options.quality,
        strict=options.strict,
    )
    fetcher = Fetcher(store, home, options.models, farm.ring)
    _, queued = await store.write(queue.recover)
    farm.ring(queued)
    for generation_id in await store.read(queue.unfinished, "fetching"):
        fetcher.want(generation_id)
    async with contextlib.AsyncExitStack() as stack:
        cdn_port = await _listen(stack, cdn_app(store, home, links), options.host, options.cdn_port)
        api = Api(options, store=store, home=home, farm=farm, fetcher=fetcher, links=links, cdn_port=cdn_port)
        port = await _listen(stack, api.app(), options.host, options.port)
        tasks = [asyncio.create_task(work) for work in (farm.run(), fetcher.run(), sweep(store, home, options.keep_s))]
        stack.push_async_callback(_cancel, tasks)
        host = _WILDCARDS.get(options.host, options.host)
        yield (f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"), tasks


async def _listen(stack: contextlib.AsyncExitStack, app: web.Application, host: str, port: int) -> int:
    """Serve an application; the port it got."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, UnicodeError) as error:
        raise StudioRefused(cant_listen(host, port, error)) from None
    return int(runner.addresses[0][1])


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
