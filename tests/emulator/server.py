"""Three listeners on loopback: the API, the download host, and an elsewhere that redirects lead to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from .answers import Reply, error_reply
from .api import Api, lie
from .backdoor import Backdoor
from .cdn import Downloads
from .clips import Clips
from .faults import Asked
from .links import Links
from .plan import Action
from .wire import TooLargeError, read_half, reset, send
from .world import Entry, World

HOST = "127.0.0.1"
FLUSH_S = 0.01
Handler = Callable[[web.BaseRequest, Entry], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the listeners are."""

    base_url: str
    cdn_url: str
    elsewhere_url: str


class Server:
    """The emulator in one process."""

    def __init__(self, world: World, cache: Path) -> None:
        self._world = world
        links = Links(world)
        self._downloads = Downloads(world, Clips(cache), links)
        self._api = Api(world, links)
        self._backdoor = Backdoor(world, self._downloads)
        self._runners: list[web.ServerRunner] = []
        self._flusher: asyncio.Task[None] | None = None

    async def start(self, ports: tuple[int, int, int]) -> Urls:
        """Listen; a port of 0 means any."""
        handlers = (("api", self._on_api), ("cdn", self._on_download), ("elsewhere", self._on_download))
        urls = []
        for (name, handler), port in zip(handlers, ports, strict=True):
            urls.append(f"http://{HOST}:{await self._listen(name, handler, port)}")
        found = Urls(*urls)
        self._api.cdn_url, self._api.elsewhere_url = found.cdn_url, found.elsewhere_url
        self._downloads.elsewhere_url = found.elsewhere_url
        self._flusher = asyncio.create_task(self._flush())
        return found

    async def stop(self) -> None:
        """Drop every connection and write what is left."""
        if self._flusher is not None:
            self._flusher.cancel()
        for runner in self._runners:
            await runner.cleanup()
        self._world.close()

    async def _listen(self, listener: str, handler: Handler, port: int) -> int:
        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await self._journaled(listener, handler, request)

        server = web.Server(answer, access_log=None, read_bufsize=2**20, lingering_time=1.0)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        for candidate in [port] if port else free_ports():
            with contextlib.suppress(OSError):
                await web.TCPSite(runner, HOST, candidate, backlog=1024).start()
                return candidate
        raise OSError(f"no port to listen on for the {listener}: {port or 'any'} is taken")

    async def _journaled(self, listener: str, handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        if listener == "api" and request.path.startswith("/_test/"):
            reply, changed = await self._backdoor.serve(request)
            if changed:
                self._api.plan_changed()
            return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
        entry = Entry(
            at=asyncio.get_running_loop().time(),  # time.monotonic()
            listener=listener,
            route="other" if listener == "api" else listener,
            method=request.method,
            target=request.path_qs,
            authorization="Authorization" in request.headers,
            client_request_id=request.headers.get("X-Client-Request-Id"),
            headers=None if listener == "api" else visible(request),
        )
        self._world.begin(entry)
        try:
            return await handler(request, entry)
        except (ConnectionError, TooLargeError, web.PayloadAccessError, asyncio.IncompleteReadError):
            entry.fate = "client_gone"
            return web.Response()
        finally:
            self._world.end(entry)

    async def _on_api(self, request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
        return await self._api.serve(request, entry)

    async def _on_download(self, request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
        if not request.path.startswith("/clips/"):
            return await lie(request, entry)
        entry.route = "download"
        generation = self._world.find(request.path.removeprefix("/clips/").removesuffix(".mp4"), any_form=True)
        if self._world.plan.rules and entry.listener == "cdn":
            asked = Asked("download", entry.client_request_id or "", generation.number if generation else 0)
            action = self._world.decide(asked)
            if action is not None:
                entry.fault = action.do
                broken = await self._break(request, entry, action)
                if broken is not None:
                    return broken
        return await self._downloads.serve(request, entry, generation)

    async def _break(self, request: web.BaseRequest, entry: Entry, action: Action) -> web.StreamResponse | None:
        """A rule on the route `download`: what makes sense before a file comes; `Plan.cdn` has the rest."""
        if action.do in ("slow", "hang_before", "do_then_hang"):
            await asyncio.sleep(action.seconds)
        if action.do == "slow":
            return None
        if action.do in ("status", "do_then_status"):
            reply = error_reply(action.status or 503, action.message, "html", request.path, "", 0.0)
            reply.headers.update(action.headers)
            return send(reply, entry)
        if action.do == "redirect":
            target = action.location or f"{self._downloads.elsewhere_url}{request.path_qs}"
            return send(Reply(action.status or 302, b"", "text/plain", {"Location": target}), entry)
        await read_half(request)
        return await reset(request, entry)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            if self._world.unsaved:
                self._world.flush()


def visible(request: web.BaseRequest) -> dict[str, str]:
    """The headers as the journal keeps them: names and values, but no secret."""
    return {
        name.lower(): "***" if name.lower() in ("authorization", "cookie") else value
        for name, value in request.headers.items()
    }


def free_ports() -> list[int]:
    """Ports to try. Below the range of outgoing ones, so that nobody takes them while the emulator is dead.

    (A client that keeps dialling a dead port inside that range can even end up connected to itself.)
    """
    low = 32768
    with contextlib.suppress(OSError, ValueError):
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    dice = random.Random(os.urandom(8))
    return [dice.randrange(max(1024, low - 12_000), low) for _ in range(50)] + [0] if low > 2048 else [0]
