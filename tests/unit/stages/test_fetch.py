"""One file from a link to a part file, against a server in this very process."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.errors import DiskFull
from pipeline.stages.digests import Digest
from pipeline.stages.fetch import Broken, Fetch, Fetched, LinkExpired, Part, fetch
from pipeline.stages.part_file import LARGEST_HELD_BYTES, Holding

CLIP = bytes(range(256)) * 12_000  # three writes and a rest
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


def test_memory_is_taken_and_given_back_and_no_file_takes_all_of_it() -> None:
    holding = Holding(2 * LARGEST_HELD_BYTES)
    assert not holding.likely
    assert not holding.take(LARGEST_HELD_BYTES + 1)
    assert [(holding.take(LARGEST_HELD_BYTES), holding.likely) for _ in range(3)] == [(True, True)] * 2 + [
        (False, False)
    ]
    holding.give_back(LARGEST_HELD_BYTES)
    assert holding.take(1)
    assert holding.left_bytes == LARGEST_HELD_BYTES - 1


async def test_a_small_file_that_comes_whole_is_given_back_and_not_written(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.content = CLIP[:500_000]
    received: list[int] = []

    came, noted = await fetched(replace(how, received=received.append), cdn, part)

    digest = Digest("sha256", hashlib.sha256(cdn.content).hexdigest())
    assert came == Fetched((digest,), in_one_piece=True, content=cdn.content)
    assert not part.exists()
    assert noted == []
    assert sum(received) == 500_000
    assert how.holding.left_bytes == HELD_BYTES - 500_000, "whoever has the content gives its memory back"


async def test_a_file_for_which_no_memory_is_left_is_written(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.content = CLIP[:500_000]
    assert how.holding.take(HELD_BYTES - 499_999)

    came, _ = await fetched(how, cdn, part)

    assert came.content is None
    assert part.read_bytes() == cdn.content
    assert how.holding.left_bytes == 499_999


async def test_a_file_that_comes_slowly_is_written_as_it_comes(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.content = CLIP[:500_000]
    how.holding.patience_s = 0.0

    came, noted = await fetched(how, cdn, part)

    assert (came.in_one_piece, came.content) == (True, None)
    assert part.read_bytes() == cdn.content
    assert noted == [msgspec.structs.replace(WHOLE, total_bytes=500_000)]
    assert how.holding.left_bytes == HELD_BYTES


async def test_an_empty_file_is_held_too(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.content = b""

    came, _ = await fetched(how, cdn, part)

    assert came.content == b""
    assert not part.exists()


async def test_what_comes_of_a_small_file_that_is_cut_is_kept(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.content = CLIP[:500_000]
    cdn.answer = sends(cdn.content[:200_000], Content_Length="500000", ETag=ETAG)
    noted: list[Part] = []
    with pytest.raises(Broken, match="the connection broke"):
        await fetch(how, cdn.url, part, Part(), noted.append)
    assert part.read_bytes() == cdn.content[:200_000]
    assert noted == [msgspec.structs.replace(WHOLE, total_bytes=500_000)]
    assert how.holding.left_bytes == HELD_BYTES
    cdn.answer = None

    came, _ = await fetched(how, cdn, part, noted[0])

    assert part.read_bytes() == cdn.content
    assert (came.in_one_piece, came.content) == (False, None)


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


async def test_an_answer_that_does_not_say_how_long_it_is_vouches_for_nothing(how: Fetch, cdn: Cdn, part: Path) -> None:
    cdn.answer = sends(CLIP, drop=False)

    came, _ = await fetched(how, cdn, part)

    assert part.read_bytes() == CLIP
    assert came == Fetched((), in_one_piece=False)


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
