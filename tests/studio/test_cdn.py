"""Where the clips are downloaded from."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from yarl import URL

from pipeline.studio.ranges import Part, choose

from .living import DEADLINE_S, Client, Studio

ETAG, DATE = '"abc"', "Sun, 22 Nov 2026 08:34:06 GMT"


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ({}, Part(200, 0, 100)),
        ({"Range": "bytes=0-"}, Part(206, 0, 100)),
        ({"Range": "bytes=0-0"}, Part(206, 0, 1)),
        ({"Range": "bytes=10-19"}, Part(206, 10, 10)),
        ({"Range": "bytes=90-1000"}, Part(206, 90, 10)),
        ({"Range": "bytes=-10"}, Part(206, 90, 10)),
        ({"Range": "bytes=-1000"}, Part(206, 0, 100)),
        ({"Range": "bytes=100-"}, Part(416, 0, 0)),
        ({"Range": "bytes=-0"}, Part(416, 0, 0)),
        ({"Range": "bytes=20-10"}, Part(200, 0, 100)),
        ({"Range": "bytes=-"}, Part(200, 0, 100)),
        ({"Range": "bytes=0-1,5-6"}, Part(200, 0, 100)),
        ({"Range": "rows=0-1"}, Part(200, 0, 100)),
        ({"Range": "bytes=50-", "If-Range": ETAG}, Part(206, 50, 50)),
        ({"Range": "bytes=50-", "If-Range": DATE}, Part(206, 50, 50)),
        ({"Range": "bytes=50-", "If-Range": '"other"'}, Part(200, 0, 100)),
        ({"Range": "bytes=50-", "If-Range": f"W/{ETAG}"}, Part(200, 0, 100)),
        ({"Range": "bytes=50-", "If-Range": "Sun, 22 Nov 2026 08:34:07 GMT"}, Part(200, 0, 100)),
        ({"If-None-Match": ETAG}, Part(304, 0, 0)),
        ({"If-None-Match": f'"x", W/{ETAG}'}, Part(304, 0, 0)),
        ({"If-None-Match": '"x"'}, Part(200, 0, 100)),
        ({"If-Match": '"x"'}, Part(412, 0, 0)),
        ({"If-Match": "*", "Range": "bytes=1-1"}, Part(206, 1, 1)),
    ],
)
def test_the_right_bytes_are_chosen(headers: dict[str, str], part: Part) -> None:
    assert choose(headers, 100, ETAG, DATE) == part


async def test_a_download_is_resumed_byte_for_byte(client: Client, voice: Path) -> None:
    url = (await client.until(await client.submit(voice), "completed"))["video"]["url"]
    async with client.session.get(url) as response:
        whole = await response.read()
        etag = response.headers["ETag"]
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.content_type == "video/mp4"
        assert response.content_length == len(whole)
        digest = base64.b64encode(hashlib.sha256(whole).digest()).decode()
        assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    async with client.session.head(url) as response:
        assert (response.status, response.content_length, response.headers["ETag"]) == (200, len(whole), etag)
        assert await response.read() == b""

    half = len(whole) // 2
    headers = {"Range": f"bytes={half}-", "If-Range": etag}
    async with client.session.get(url, headers=headers) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes {half}-{len(whole) - 1}/{len(whole)}"
        assert whole[:half] + await response.read() == whole
    async with client.session.get(url, headers=headers | {"If-Range": '"another"'}) as response:
        assert response.status == 200
        assert await response.read() == whole
    async with client.session.get(url, headers={"Range": f"bytes={len(whole)}-"}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == f"bytes */{len(whole)}"
    async with client.session.get(url, headers={"If-None-Match": etag}) as response:
        assert response.status == 304


async def test_a_link_holds_only_as_it_was_signed(client: Client, voice: Path) -> None:
    first, second = [await client.submit(voice) for _ in range(2)]
    url = URL((await client.until(first, "completed"))["video"]["url"])
    await client.until(second, "completed")
    later = str(int(url.query["expires"]) + 1)

    for forged, status in (
        (url.with_query(None), 403),
        (url.update_query(expires=later), 403),
        (url.update_query(expires="never"), 403),
        (url.update_query(signature="0" * 64), 403),
        (url.update_query(signature="é"), 403),
        (url.with_path(f"/clips/{second.partition(':')[0]}.mp4").with_query(url.query), 403),
        (url.with_path("/clips/..%2fsecret.mp4", encoded=True).with_query(url.query), 404),
        (url.with_path("/secret"), 404),
        (url.with_path("/"), 404),
    ):
        async with client.session.get(forged) as response:
            assert response.status == status, forged
    async with client.session.get(url) as response:
        assert response.status == 200


async def test_an_expired_link_is_refused_and_a_fresh_one_holds(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], voice: Path
) -> None:
    client = client_of(own_studio("--link-ttl-s", "0.5"))
    clip_id = await client.submit(voice)
    old = (await client.until(clip_id, "completed"))["video"]["url"]

    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with client.session.get(old) as response:
                if response.status == 403:
                    break
            await asyncio.sleep(0.02)
    async with client.session.get((await client.retrieve(clip_id))["video"]["url"]) as response:
        assert response.status == 200


async def test_old_clips_are_swept_and_say_so(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], voice: Path
) -> None:
    client = client_of(own_studio("--keep-s", "1"))
    clip_id = await client.submit(voice)
    url = (await client.until(clip_id, "completed"))["video"]["url"]

    swept = await client.until_not(clip_id, "completed")
    assert swept["status"] == "error"
    assert swept["error"]["name"] == "Expired"
    assert swept["video"] is None
    async with client.session.get(url) as response:
        assert response.status == 404
    assert not list((client.studio.directory / "clips").iterdir())
    assert (await client.get("/v2/logs"))["data"][0]["status"] == "succeeded"
