"""Where the clips are downloaded from: another origin than the API's, behind signed links that expire."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from email.utils import formatdate

from aiohttp import web
from yarl import URL

from pipeline.studio import queue
from pipeline.studio.home import Home
from pipeline.studio.ranges import choose
from pipeline.studio.store import Store

__all__ = ["Links", "cdn_app"]

_CHUNK_BYTES = 256 * 1024
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Links:
    """Signs links to clips, and tells which hold."""

    def __init__(self, secret: bytes, ttl_s: float) -> None:
        self._secret = secret
        self._ttl_s = ttl_s

    def sign(self, origin: URL, generation: str, now: float) -> str:
        """A link that is valid from ``now`` (seconds of the Unix epoch) for the time to live."""
        # Whole milliseconds, so that a time to live below a second can be rehearsed too.
        expires = str(round((now + self._ttl_s) * 1000))
        link = origin.with_path(f"/clips/{generation}.mp4")
        return str(link.with_query(expires=expires, signature=self._signature(generation, expires)))

    def trouble(self, generation: str, expires: str, signature: str, now: float) -> str | None:
        """Why a link doesn't hold; None if it does."""
        if not hmac.compare_digest(self._signature(generation, expires).encode(), signature.encode()):
            return "the link's signature is wrong"
        return "the link has expired: ask the API for a fresh one" if now * 1000 >= int(expires) else None

    def _signature(self, generation: str, expires: str) -> str:
        return hmac.new(self._secret, f"{generation}\n{expires}".encode(), hashlib.sha256).hexdigest()


def cdn_app(store: Store, home: Home, links: Links) -> web.Application:
    """The application that serves the clips."""

    async def get_clip(request: web.Request) -> web.StreamResponse:
        generation_id, query = request.match_info["generation_id"], request.query
        trouble = links.trouble(generation_id, query.get("expires", ""), query.get("signature", ""), time.time())
        if trouble:
            raise web.HTTPForbidden(text=trouble)
        generation = await store.read(queue.find, generation_id)
        if generation is None or generation.clip_bytes is None or generation.clip_sha256 is None:
            raise web.HTTPNotFound(text="the clip is not kept here")
        etag = f'"{generation.clip_sha256}"'
        last_modified = formatdate(generation.ended_at, usegmt=True)
        part = choose(request.headers, generation.clip_bytes, etag, last_modified)
        digest = base64.b64encode(bytes.fromhex(generation.clip_sha256)).decode()
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Last-Modified": last_modified,
            "Repr-Digest": f"sha-256=:{digest}:",
            "Cache-Control": "private",
        }
        if part.status in {304, 412}:
            return web.Response(status=part.status, headers=headers)
        if part.status == 416:
            headers["Content-Range"] = f"bytes */{generation.clip_bytes}"
            return web.Response(status=416, headers=headers)
        if part.status == 206:
            headers["Content-Range"] = f"bytes {part.first}-{part.first + part.count - 1}/{generation.clip_bytes}"
        response = web.StreamResponse(status=part.status, headers=headers)
        response.content_type = "video/mp4"
        response.content_length = part.count
        try:
            file = await asyncio.to_thread(home.clip(generation_id).open, "rb")
        except OSError:
            raise web.HTTPNotFound(text="the clip is not kept here") from None
        with file:
            await response.prepare(request)
            left = 0 if request.method == "HEAD" else part.count
            file.seek(part.first)
            while left and (chunk := await asyncio.to_thread(file.read, min(left, _CHUNK_BYTES))):
                await response.write(chunk)
                left -= len(chunk)
        await response.write_eof()
        return response

    app = web.Application()
    # Only an id of our own making gets through; the rest of the path is ours, so nothing received reaches the disk.
    app.router.add_get(f"/clips/{{generation_id:{_ID.pattern}}}.mp4", get_clip)
    return app
