"""Small files stay in memory until they are whole, as long as there is memory for them and they come soon."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from pipeline.stages.digests import Digest
from pipeline.stages.fetch import Broken, Fetch, Fetched, Part, fetch
from pipeline.stages.part_file import LARGEST_HELD_BYTES, Holding
from tests.unit.stages.download_host import CLIP, ETAG, HELD_BYTES, WHOLE, Cdn, fetched, sends


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
