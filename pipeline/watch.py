"""``avatar-batch watch``: the report's page, live, beside a running or finished job. It reads and never writes."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pipeline.errors import UsageError
from pipeline.interrupts import interrupting
from pipeline.job import Job
from pipeline.listening import cant_listen
from pipeline.watch_feed import Feed

__all__ = ["is_loopback", "serve_watch", "watch_app"]

COOKIE = "avatar_batch_token"
HEARTBEAT_S = 15.0
_FEED = web.AppKey("feed", Feed)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_any(host: str) -> bool:
    """Whether it stands for all addresses of this machine, which no browser elsewhere can open."""
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def serve_watch(job: Job, command: str, *, host: str, port: int, token: str, tell: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        job: whose; its state file must be there.
        command: how people start this job's commands.
        host: beyond loopback a token is needed; one is made up where none is given.
        port: 0 for any free one.
        token: what a browser must bring; empty for none.
        tell: called with the page's address, and with what to put into it for other devices.

    Raises:
        UsageError: there is no state file, or the address can't be listened on.
    """
    if not is_loopback(host):
        token = token or secrets.token_urlsafe(18)
    host = host or "0.0.0.0"
    feed_of_job = Feed(job, command)  # raises before anything listens
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        raise UsageError(cant_listen(host, port, error)) from None
    at = f"[{host}]" if ":" in host else host
    address = f"http://{at}:{listener.getsockname()[1]}/" + (f"?token={quote(token)}" if token else "")
    app = watch_app(feed_of_job, token=token, loopback=is_loopback(host))
    lines = [address]
    if _is_any(host):
        lines.append(f"from another device, put this machine's address or name in place of {at}")
    asyncio.run(_serve(app, listener, lambda: tell("\n".join(lines))))


async def _serve(app: web.Application, listener: socket.socket, tell: Callable[[], None]) -> None:
    interrupt = asyncio.Event()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    async with interrupting(interrupt):
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            # Whoever reads the address may open it or end the page at once: both work from here on.
            tell()
            await interrupt.wait()
        finally:
            await runner.cleanup()


def watch_app(feed: Feed, *, token: str, loopback: bool) -> web.Application:
    """The server around a feed."""
    app = web.Application(middlewares=[_guard(token, loopback)])
    app[_FEED] = feed
    app.cleanup_ctx.append(_looking)
    app.router.add_get("/", _page)
    app.router.add_get("/events", _events)
    app.router.add_get("/report_files/{name}", _picture)
    app.router.add_get("/{path:.+}", _clip)
    return app


async def _looking(app: web.Application) -> AsyncIterator[None]:
    async with aclosing(app[_FEED]) as feed:
        await feed.look()
        task = asyncio.create_task(feed.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _guard(token: str, loopback: bool) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A page of the web may point a name of its own at this machine; the name then stands in Host.
        if loopback and not token and not is_loopback(_host_of(request)):
            raise web.HTTPForbidden(text="this page is for this machine: use its 127.0.0.1 address\n")
        if token and not _same(request.cookies.get(COOKIE, ""), token):
            if request.path != "/" or not _same(request.query.get("token", ""), token):
                raise web.HTTPUnauthorized(
                    text="a token is needed: open the address that `avatar-batch watch` printed\n"
                )
            # The token leaves the address bar, and with it the history and every screenshot.
            answer = web.HTTPSeeOther("/")
            answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
            raise answer
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    return guard


def _host_of(request: web.Request) -> str:
    host = request.headers.get("Host", "")
    return host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


async def _page(request: web.Request) -> web.Response:
    html = await asyncio.to_thread(request.app[_FEED].page)
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-sent events; a browser that lost the line says what it had last, and gets what came since."""
    feed = request.app[_FEED]
    given = request.headers.get("Last-Event-ID") or request.query.get("since", "0")
    # After a restart of the server revisions begin anew: then all is sent.
    since = int(given) if given.isascii() and given.isdigit() and int(given) <= feed.revision else 0
    response = web.StreamResponse(
        headers={**_HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    await response.write(b"retry: 2000\n\n")
    with suppress(ConnectionError):
        while True:
            if not await feed.after(since, HEARTBEAT_S):
                await response.write(b": still here\n\n")
                continue
            revision = feed.revision
            news = json.dumps(await asyncio.to_thread(feed.changes, since), ensure_ascii=False)
            await response.write(f"id: {revision}\nevent: update\ndata: {news}\n\n".encode("utf-8", "replace"))
            since = revision
    return response


async def _picture(request: web.Request) -> web.Response:
    data = await asyncio.to_thread(request.app[_FEED].picture, request.match_info["name"])
    if not data:
        raise web.HTTPNotFound
    # The name is made of what the picture shows, so it can be kept.
    return web.Response(body=data, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


async def _clip(request: web.Request) -> web.FileResponse:
    """Only files that the state file knows as clips, whatever else lies in OUT."""
    path = request.app[_FEED].clip("./" + quote(request.match_info["path"]))
    if path is None or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Content-Type": "video/mp4", **_HEADERS})
