"""The download host: signed links, ranges, checksums, and everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
from email.utils import formatdate, parsedate_to_datetime

from aiohttp import web

from . import faults
from .answers import Reply
from .clips import Clips
from .generation import Generation
from .links import Links
from .plan import BadKind, Cdn
from .wire import Flow, close, send, stream, stream_endless
from .world import Entry, World

RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
LARGE = 1_000_000


class Downloads:
    """Serves clips on the CDN listener, and on the elsewhere listener that it may redirect to."""

    def __init__(self, world: World, clips: Clips, links: Links) -> None:
        self._world = world
        self._clips = clips
        self._links = links
        self._etags = itertools.count(1)
        self._making = asyncio.Lock()
        self.elsewhere_url = ""

    async def serve(self, request: web.BaseRequest, entry: Entry, generation: Generation | None) -> web.StreamResponse:
        """One request for a clip."""
        cdn = self._world.plan.cdn
        if generation is None or request.method not in ("GET", "HEAD"):
            return send(_xml(404, "NoSuchKey", "The specified key does not exist."), entry)
        entry.generation_id = generation.id
        first_host, get = entry.listener == "cdn", request.method == "GET"
        if first_host and get:
            generation.downloads += 1
            self._world.touch(generation)
        turn = generation.downloads
        problem = self._links.check(generation.bare_id, request.query, use=first_host and get)
        if problem is not None:
            return send(_expired(cdn, problem), entry)
        if first_host and get and turn <= cdn.fail_first:
            return send(_xml(cdn.fail_status, "SlowDown", "Please reduce your request rate."), entry)
        if first_host and get and turn <= cdn.redirect_first:
            target = f"{self.elsewhere_url}{request.path_qs}"
            return send(Reply(302, b"", "text/plain", {"Location": target}), entry)
        if get and turn <= cdn.endless_first:
            start = (await self.clip(generation))[:256]
            return await stream_endless(request, Reply(200, start, "video/mp4"), entry, cdn.endless_bytes)
        bad = faults.bad_clip(self._world.plan, generation.number, turn)
        body = await self.clip(generation, bad)
        kind = "text/html" if bad == "html" else "video/mp4"
        reply = self._reply(request, generation, Reply(200, body, kind), turn, bad or "good")
        if not get:
            reply.headers["Content-Length"] = str(len(reply.body))
            reply.body = b""
            return send(reply, entry)
        flow = _flow(cdn, turn)
        if flow == Flow() and len(reply.body) <= LARGE:
            return send(reply, entry)
        if flow.cut_after == 0 and flow.cut_how == "close":
            return await close(request, entry)
        return await stream(request, reply, entry, flow)

    async def clip(self, generation: Generation, bad: BadKind | None = None) -> bytes:
        """The file that a generation's download gives."""
        one, made = generation, self._clips.clip
        if bad is None and self._clips.quick(one.seconds, one.output, one.pad_bytes) and not self._making.locked():
            return made(one.bare_id, one.seconds, one.output, one.pad_bytes)
        async with self._making:  # one at a time: encoding takes a whole core
            return await asyncio.to_thread(made, one.bare_id, one.seconds, one.output, one.pad_bytes, bad)

    def _reply(self, request: web.BaseRequest, generation: Generation, whole: Reply, turn: int, kind: str) -> Reply:
        cdn, body = self._world.plan.cdn, whole.body
        etag = self._etag(cdn, f"{generation.bare_id[:13]}-{len(body):x}-{kind}")
        stored = (generation.ready_at or generation.created) - (0 if kind == "good" else 60)
        modified = formatdate(stored, usegmt=True)
        headers = _digests(cdn, body, wrong=turn <= cdn.wrong_digest_first)
        if etag:
            headers["ETag"] = etag
        if cdn.last_modified:
            headers["Last-Modified"] = modified
        if not cdn.ranges:
            return Reply(200, body, whole.content_type, headers)
        headers["Accept-Ranges"] = "bytes"
        span = _span(request.headers.get("Range"), len(body))
        condition = request.headers.get("If-Range")
        if span is None or (condition and not _same(condition, etag, modified if cdn.last_modified else "")):
            return Reply(200, body, whole.content_type, headers)
        start, end = span
        if start >= len(body):
            reply = _xml(416, "InvalidRange", "The requested range is not satisfiable")
            reply.headers["Content-Range"] = f"bytes */{len(body)}"
            return reply
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
        headers.pop("Content-MD5", None)  # that one speaks of the bytes of its own answer
        return Reply(206, body[start:end], whole.content_type, headers)

    def _etag(self, cdn: Cdn, name: str) -> str:
        if cdn.etag == "none":
            return ""
        if cdn.etag == "changing":
            return f'"{name}-{next(self._etags)}"'
        return f'W/"{name}"' if cdn.etag == "weak" else f'"{name}"'


def _flow(cdn: Cdn, turn: int) -> Flow:
    cuts = cdn.cut_after_bytes is not None and turn <= cdn.cut_first
    stalls = cdn.stall_after_bytes is not None and turn <= cdn.stall_first
    return Flow(
        chunked=cdn.chunked,
        cut_after=cdn.cut_after_bytes if cuts else None,
        cut_how=cdn.cut_how if cuts else "reset",
        stall_after=cdn.stall_after_bytes if stalls else None,
        stall_s=cdn.stall_s if stalls else 0.0,
        bytes_per_s=cdn.bytes_per_s,
    )


def _span(text: str | None, length: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None: the whole file."""
    match = RANGE.match(text or "")
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        return max(0, length - int(match[2])), length
    start, end = int(match[1]), min(length, int(match[2]) + 1) if match[2] else length
    return None if match[2] and int(match[2]) < start else (start, end)


def _same(condition: str, etag: str, modified: str) -> bool:
    if condition.startswith(('"', "W/")):
        # If-Range compares strongly: a weak tag never matches.
        return condition == etag and not etag.startswith("W/")
    try:
        return bool(modified) and parsedate_to_datetime(condition) == parsedate_to_datetime(modified)
    except ValueError:
        return False


def _digests(cdn: Cdn, body: bytes, *, wrong: bool) -> dict[str, str]:
    if not cdn.digests:
        return {}
    seen = body + b"!" if wrong else body
    sha = base64.b64encode(hashlib.sha256(seen).digest()).decode()
    forms = {
        "content-md5": ("Content-MD5", base64.b64encode(hashlib.md5(seen, usedforsecurity=False).digest()).decode()),
        "digest": ("Digest", f"sha-256={sha}"),
        "repr-digest": ("Repr-Digest", f"sha-256=:{sha}:"),
        "x-amz-checksum-sha256": ("x-amz-checksum-sha256", sha),
    }
    return dict(forms[name] for name in cdn.digests)


def _expired(cdn: Cdn, problem: str) -> Reply:
    if cdn.expired_body == "html":
        return Reply(403, b"<html><body><h1>403 Forbidden</h1>This link has expired.</body></html>", "text/html")
    return _xml(403, "AccessDenied", problem)


def _xml(status: int, code: str, message: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, text.encode(), "application/xml")
