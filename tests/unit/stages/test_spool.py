"""Every byte once and in order, whatever the pieces, and errors reach whoever goes on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.spool import Spool


@given(st.lists(st.binary(max_size=25), max_size=30), st.integers(0, 12))
def test_every_byte_is_written_once_and_in_order(pieces: list[bytes], capacity: int) -> None:
    written = bytearray()

    async def write(data: bytes | memoryview) -> int:
        came = bytes(data)
        await asyncio.sleep(0)  # whoever fills this buffer meanwhile is caught by the comparison
        assert bytes(data) == came
        written.extend(data)
        return len(data)

    async def spend() -> None:
        spool = Spool(write, capacity)
        for piece in pieces:
            await spool.add(piece)
        await spool.finish()

    asyncio.run(spend())
    assert bytes(written) == b"".join(pieces)


async def test_the_next_pieces_gather_while_a_write_is_under_way() -> None:
    released = asyncio.Event()
    writes: list[bytes] = []

    async def write(data: bytes | memoryview) -> int:
        writes.append(bytes(data))
        await released.wait()
        return len(data)

    spool = Spool(write, 4)
    for piece in (b"aaaa", b"bb", b"bb"):
        await spool.add(piece)
    await asyncio.sleep(0)
    assert writes == [b"aaaa"]
    released.set()
    await spool.finish()
    assert writes == [b"aaaa", b"bbbb"]


async def test_a_write_that_failed_fails_what_follows() -> None:
    async def write(_: bytes | memoryview) -> int:
        raise OSError("no room")

    spool = Spool(write, 2)
    await spool.add(b"aa")
    await spool.add(b"bb")
    with pytest.raises(OSError, match="no room"):
        await spool.add(b"cc")
    with pytest.raises(OSError, match="no room"):
        await spool.finish()


async def test_nothing_is_written_behind_a_gap() -> None:
    written: list[bytes] = []

    async def write(data: bytes | memoryview) -> int:
        if len(written) == 1:
            written.append(b"")
            raise OSError("no room")
        written.append(bytes(data))
        return len(data)

    spool = Spool(write, 2)

    async def fill() -> None:
        for piece in (b"aa", b"bb", b"cc", b"dd", b"ee"):
            await spool.add(piece)

    with pytest.raises(OSError, match="no room"):
        await fill()
    with pytest.raises(OSError, match="no room"):
        await spool.finish()
    assert written == [b"aa", b""]


async def test_whoever_is_cancelled_leaves_no_gap() -> None:
    released = asyncio.Event()
    written: list[bytes] = []

    async def write(data: bytes | memoryview) -> int:
        await released.wait()  # as for a thread that is free, or for the file to be open
        written.append(bytes(data))
        return len(data)

    spool = Spool(write, 2)

    async def fill() -> None:
        try:
            for piece in (b"aa", b"bb", b"cc"):
                await spool.add(piece)
        finally:
            await spool.finish()

    filling = asyncio.create_task(fill())
    await asyncio.sleep(0)  # now it waits for the first write, with the second piece in its buffer
    filling.cancel()
    await asyncio.sleep(0)
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert b"".join(written) in {b"aa", b"aabb"}


@pytest.mark.parametrize("fails", [False, True])
async def test_whoever_is_cancelled_at_the_end_leaves_no_write_under_way(*, fails: bool) -> None:
    released = asyncio.Event()
    written: list[bytes] = []

    async def write(data: bytes | memoryview) -> int:
        await released.wait()
        written.append(bytes(data))
        if fails:
            raise OSError("no room")
        return len(data)

    spool = Spool(write, 2)
    await spool.add(b"aa")
    finishing = asyncio.create_task(spool.finish())
    await asyncio.sleep(0)
    finishing.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not finishing.done()  # the next run may go on with the file, or begin it anew
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert written == [b"aa"]


async def test_a_write_that_is_cancelled_itself_is_a_gap() -> None:
    written: list[bytes] = []

    async def write(data: bytes | memoryview) -> int:
        if not written:
            written.append(b"")
            raise asyncio.CancelledError
        written.append(bytes(data))
        return len(data)

    spool = Spool(write, 2)
    await spool.add(b"aa")
    await spool.add(b"bb")
    with pytest.raises(asyncio.CancelledError):
        await spool.add(b"cc")
    with pytest.raises(asyncio.CancelledError):
        await spool.finish()
    assert written == [b""]
