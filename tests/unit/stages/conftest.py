"""A host to fetch from, and how and where to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.stages.fetch import Fetch
from pipeline.stages.part_file import Holding
from tests.unit.stages.download_host import BOOT, HELD_BYTES, Cdn


@pytest.fixture
async def cdn() -> AsyncIterator[Cdn]:
    app = web.Application()
    server = TestServer(app)
    one = Cdn(server)
    app.router.add_get("/{path:.*}", one.serve)
    async with server:
        yield one


@pytest.fixture
async def how() -> AsyncIterator[Fetch]:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=0.2)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        yield Fetch(session, 0.2, 1 << 30, 0, allow_private=True, boot=BOOT, holding=Holding(HELD_BYTES))


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4.part"
