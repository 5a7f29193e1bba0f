"""What came of a download is kept, and gone on with where it is a beginning of the same file."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.stages.fetch import WRITE_BYTES, Broken, Fetch, Part, fetch
from pipeline.stages.part_file import Holding
from tests.unit.stages.download_host import BOOT, CLIP, ETAG, WHOLE, Cdn, fetched, sends


async def test_a_link_in_the_part_file_s_place_is_not_followed(how: Fetch, cdn: Cdn, part: Path) -> None:
    precious = part.with_name("precious")
    precious.write_bytes(CLIP[:1_000_000])
    part.symlink_to(precious)

    await fetched(how, cdn, part, WHOLE)

    assert precious.read_bytes() == CLIP[:1_000_000]
    assert not part.is_symlink()
    assert part.read_bytes() == CLIP


async def test_a_cut_download_keeps_what_came_and_goes_on_from_there(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.answer = sends(CLIP[:2_000_000], Content_Length=str(len(CLIP)), ETag=ETAG)
    noted: list[Part] = []
    with pytest.raises(Broken, match="the connection broke"):
        await fetch(how, cdn.url, part, Part(), noted.append)
    assert part.read_bytes() == CLIP[:2_000_000]
    cdn.answer = None

    came, _ = await fetched(how, cdn, part, noted[0])

    assert part.read_bytes() == CLIP
    assert not came.in_one_piece
    assert (cdn.asked[1]["Range"], cdn.asked[1]["If-Range"]) == ("bytes=2000000-", ETAG)


async def test_a_stall_is_a_break_and_keeps_what_came(how: Fetch, cdn: Cdn, part: Path) -> None:
    over = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(CLIP))})
        await response.prepare(request)
        await response.write(CLIP[:5000])
        await over.wait()
        return response

    cdn.answer = stall
    with pytest.raises(Broken, match=r"no byte for 0\.2 s"):
        await fetched(how, cdn, part)
    over.set()

    assert part.read_bytes() == CLIP[:5000]


@pytest.mark.parametrize("begun", [0, 500_000])
async def test_what_a_stopped_download_leaves_is_a_beginning_of_the_file(
    how: Fetch, cdn: Cdn, part: Path, begun: int
) -> None:
    part.write_bytes(CLIP[:begun])
    both_buffers_full, free = asyncio.Event(), threading.Event()
    received: list[int] = []

    def count(size: int) -> None:
        received.append(size)
        if sum(received) > 2 * WRITE_BYTES:
            both_buffers_full.set()

    asyncio.get_running_loop().set_default_executor(only := ThreadPoolExecutor(1))
    only.submit(free.wait)  # the disk is at something else
    slow = dataclasses.replace(how, holding=Holding(0), received=count)
    fetching = asyncio.create_task(fetch(slow, cdn.url, part, WHOLE if begun else Part(), lambda _: None))
    await both_buffers_full.wait()
    await asyncio.sleep(0)

    fetching.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await fetching

    left = part.read_bytes()
    assert len(left) > begun
    assert CLIP.startswith(left)


async def test_a_server_that_ends_early_without_a_word_is_found_out(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.answer = sends(CLIP[1000:5000], status=206, Content_Range=f"bytes 1000-{len(CLIP) - 1}/{len(CLIP)}", drop=False)
    part.write_bytes(CLIP[:1000])

    with pytest.raises(Broken, match="early"):
        await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP[:5000]


@pytest.mark.parametrize(
    "known", [Part(), Part(ETAG, len(CLIP), "another-boot"), Part("", None, BOOT), Part(ETAG, len(CLIP), "")]
)
async def test_a_part_of_which_nothing_is_known_is_not_trusted(how: Fetch, cdn: Cdn, part: Path, known: Part) -> None:
    part.write_bytes(b"x" * 1000)

    await fetched(how, cdn, part, known)

    assert part.read_bytes() == CLIP
    assert "Range" not in cdn.asked[0]


async def test_a_part_that_is_whole_costs_one_byte(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP)

    came, _ = await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP
    assert cdn.asked[0]["Range"] == f"bytes={len(CLIP) - 1}-"
    assert came.digests
    assert not came.in_one_piece


async def test_a_part_that_is_more_than_whole_is_begun_anew(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP + b"more")

    await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP
    assert "Range" not in cdn.asked[0]


async def test_another_file_behind_the_link_is_taken_from_its_beginning(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.content, cdn.etag = CLIP[::-1], '"v2"'

    _, noted = await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP[::-1]
    assert noted == [Part('"v2"', len(CLIP), BOOT)]


async def test_a_server_without_ranges_sends_it_all_again(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.ranges = False

    await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP


ANEW: dict[str, tuple[dict[str, Any], str]] = {
    "another range": ({"Content_Range": f"bytes 0-{len(CLIP) - 1}/{len(CLIP)}"}, "another range than was asked for"),
    "no range": ({}, "another range than was asked for"),
    "nonsense": ({"Content_Range": "pages 1-2"}, "another range than was asked for"),
    "another length": ({"Content_Range": f"bytes 1000-{len(CLIP)}/{len(CLIP) + 1}"}, "another length now"),
    "another tag": ({"Content_Range": f"bytes 1000-{len(CLIP) - 1}/{len(CLIP)}", "ETag": '"v2"'}, "is another one now"),
}


@pytest.mark.parametrize(("headers", "words"), ANEW.values(), ids=ANEW)
async def test_a_rest_that_does_not_fit_costs_the_part_file_and_nothing_more(
    how: Fetch, cdn: Cdn, part: Path, headers: dict[str, Any], words: str
) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.answer = sends(CLIP[1000:], status=206, **headers)

    with pytest.raises(Broken, match=words):
        await fetched(how, cdn, part, WHOLE)

    assert not part.exists()


async def test_a_range_that_the_server_does_not_have_costs_the_part_file(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.content = CLIP[:500]

    with pytest.raises(Broken, match="no such range"):
        await fetched(how, cdn, part, WHOLE)

    assert not part.exists()


async def test_more_bytes_than_promised_are_not_kept(how: Fetch, cdn: Cdn, part: Path) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.answer = sends(
        CLIP[1000:] + b"more", status=206, Content_Range=f"bytes 1000-{len(CLIP) - 1}/{len(CLIP)}", drop=False
    )

    with pytest.raises(Broken, match="more bytes than the file has"):
        await fetched(how, cdn, part, WHOLE)

    assert not part.exists()
