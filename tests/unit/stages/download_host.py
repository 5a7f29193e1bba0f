"""A host of downloads in this very process, and a file to fetch from it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.stages.fetch import Fetch, Fetched, Part, fetch

CLIP = Random(1).randbytes(3_072_000)  # two writes and a rest; no two places of it are alike
ETAG = '"v1"'
BOOT = "this-boot"
WHOLE = Part(ETAG, len(CLIP), BOOT)
HELD_BYTES = 1_000_000


@dataclass
class Cdn:
    """A server that does as it is told, and remembers what it was asked."""

    server: TestServer
    asked: list[dict[str, str]] = field(default_factory=list)
    content: bytes = CLIP
    etag: str = ETAG
    ranges: bool = True
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    @property
    def url(self) -> str:
        return str(self.server.make_url("/clip.mp4"))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        if self.answer is not None:
            return await self.answer(request)
        headers = {
            "ETag": self.etag,
            "Repr-Digest": f"sha-256=:{b64encode(hashlib.sha256(self.content).digest()).decode()}:",
        }
        wanted = request.headers.get("Range", "")
        if wanted and self.ranges and request.headers.get("If-Range", self.etag) == self.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                return web.Response(status=416)
            headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            return web.Response(status=206, body=self.content[start:], headers=headers)
        return web.Response(body=self.content, headers=headers)


async def fetched(how: Fetch, cdn: Cdn, part: Path, known: Part | None = None) -> tuple[Fetched, list[Part]]:
    noted: list[Part] = []
    came = await fetch(how, cdn.url, part, known or Part(), noted.append)
    return came, noted


def sends(
    *pieces: bytes, status: int = 200, drop: bool = True, **headers: Any
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """An answer in pieces, which ends by hanging up."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if drop and request.transport is not None:
            request.transport.close()
        return response

    return answer
