"""One file from a link to a part file, against a server in this very process."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from pipeline.errors import DiskFull
from pipeline.stages.digests import Digest
from pipeline.stages.fetch import Broken, Fetch, Fetched, LinkExpired, Part, fetch
from tests.unit.stages.download_host import BOOT, CLIP, WHOLE, Cdn, fetched, sends


async def test_a_file_comes_whole_with_what_the_server_promised(how: Fetch, cdn: Cdn, part: Path) -> None:
    received: list[int] = []

    came, noted = await fetched(replace(how, received=received.append), cdn, part)

    assert part.read_bytes() == CLIP
    assert came == Fetched((Digest("sha256", hashlib.sha256(CLIP).hexdigest()),), in_one_piece=True)
    assert noted == [WHOLE]
    assert sum(received) == len(CLIP)
    assert "Range" not in cdn.asked[0]
    assert cdn.asked[0]["Accept-Encoding"] == "identity"
    assert "Authorization" not in cdn.asked[0]


async def test_an_answer_that_does_not_say_how_long_it_is_vouches_for_nothing(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.answer = sends(CLIP, drop=False)

    came, _ = await fetched(how, cdn, part)

    assert part.read_bytes() == CLIP
    assert came == Fetched((), in_one_piece=False)


@pytest.mark.parametrize("length_is_told", [True, False])
async def test_a_file_beyond_the_largest_is_refused(how: Fetch, cdn: Cdn, part: Path, length_is_told: bool) -> None:
    if not length_is_told:
        cdn.answer = sends(CLIP, drop=False)

    with pytest.raises(Broken, match="more"):
        await fetched(replace(how, max_bytes=1000), cdn, part)

    assert not part.exists() or part.stat().st_size <= 1000


async def test_a_file_of_untold_length_is_taken_to_its_end(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.answer = sends(CLIP, drop=False)

    _, noted = await fetched(how, cdn, part)

    assert part.read_bytes() == CLIP
    assert noted == [Part("", None, BOOT)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_link_that_is_no_good_asks_for_a_fresh_one_and_keeps_the_part(
    how: Fetch, cdn: Cdn, part: Path, status: int
) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.answer = sends(b"<Error/>", status=status, drop=False)

    with pytest.raises(LinkExpired, match=f"the link answered {status}"):
        await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP[:1000]


@pytest.mark.parametrize("status", [204, 429, 500, 502, 503])
async def test_a_server_in_trouble_is_tried_again_and_the_part_kept(
    how: Fetch, cdn: Cdn, part: Path, status: int
) -> None:
    part.write_bytes(CLIP[:1000])
    cdn.answer = sends(status=status, drop=False)

    with pytest.raises(Broken, match=f"the link answered {status}"):
        await fetched(how, cdn, part, WHOLE)

    assert part.read_bytes() == CLIP[:1000]


@pytest.mark.parametrize("to", ["/moved.mp4", "//127.0.0.1:{port}/moved.mp4", "moved.mp4"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(how: Fetch, cdn: Cdn, part: Path, to: str, status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/moved.mp4":
            return web.Response(body=CLIP)
        return web.Response(status=status, headers={"Location": to.format(port=request.url.port)})

    cdn.answer = answer

    await fetched(how, cdn, part)

    assert part.read_bytes() == CLIP


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/clip.mp4", "http://[bad", ""])
async def test_a_redirect_to_nowhere_is_a_link_that_is_no_good(how: Fetch, cdn: Cdn, part: Path, to: str) -> None:
    cdn.answer = sends(status=302, drop=False, Location=to)

    with pytest.raises((LinkExpired, Broken)):
        await fetched(how, cdn, part)

    assert not part.exists()


async def test_a_link_into_the_private_network_is_not_followed(how: Fetch, cdn: Cdn, part: Path) -> None:
    with pytest.raises(LinkExpired, match="private network"):
        await fetched(replace(how, allow_private=False), cdn, part)

    assert cdn.asked == []


async def test_a_disk_without_room_ends_it(how: Fetch, cdn: Cdn, part: Path) -> None:
    with pytest.raises(DiskFull, match="is full: free space, then run again"):
        await fetched(replace(how, reserved_bytes=1 << 60), cdn, part)


async def test_a_folder_that_is_gone_is_the_disk_s_matter(how: Fetch, cdn: Cdn, tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="can't be written"):
        await fetched(how, cdn, tmp_path / "gone" / "clip.part")


async def test_nobody_home_is_a_break(how: Fetch, cdn: Cdn, part: Path) -> None:
    url = cdn.url
    await cdn.server.close()

    with pytest.raises(Broken, match="the connection broke"):
        await fetch(how, url, part, Part(), lambda _: None)
