"""A content reaches its file whole, whatever the disk makes of writing past the cache."""

from __future__ import annotations

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest

from pipeline import uncached
from pipeline.uncached import BLOCK_BYTES, FROM_BYTES, PIECE_BYTES, write_all

SIZES = (0, 1, FROM_BYTES - 1, FROM_BYTES, FROM_BYTES + 1, PIECE_BYTES + BLOCK_BYTES, 3 * PIECE_BYTES + 5 * 4096 + 7)

write = os.write


def written(path: Path, size_bytes: int) -> bool:
    """Whether a content of so many bytes comes back as it was written."""
    content = random.Random(size_bytes).randbytes(size_bytes)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        before = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        write_all(descriptor, content)
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) == before
    finally:
        os.close(descriptor)
    return path.read_bytes() == content


@pytest.mark.parametrize("size_bytes", SIZES)
def test_every_byte_is_written_whether_blocks_are_filled_or_not(tmp_path: Path, size_bytes: int) -> None:
    assert written(tmp_path / "clip", size_bytes)


@pytest.mark.parametrize("way", [uncached.O_DIRECT, 0])
def test_whole_blocks_of_a_large_one_go_past_the_cache_where_there_is_a_way_and_the_rest_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    direct: list[int] = []
    cached: list[int] = []

    def seen(descriptor: int, data: memoryview) -> int:
        past = fcntl.fcntl(descriptor, fcntl.F_GETFL) & uncached.O_DIRECT
        (direct if past else cached).append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", seen)
    monkeypatch.setattr(uncached, "O_DIRECT", way)

    assert written(tmp_path / "large", 2 * PIECE_BYTES + BLOCK_BYTES + 7)
    if way:
        assert (direct, cached) == ([PIECE_BYTES, PIECE_BYTES, BLOCK_BYTES], [7])
    else:
        assert (direct, cached) == ([], [2 * PIECE_BYTES + BLOCK_BYTES + 7])

    assert written(tmp_path / "small", FROM_BYTES - 1)
    assert cached[1:] == [FROM_BYTES - 1]


@pytest.mark.parametrize("most_bytes", [BLOCK_BYTES, 1000, 70_001])
def test_a_disk_may_take_less_than_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:most_bytes]))

    assert written(tmp_path / "clip", FROM_BYTES + 100_000)


@pytest.mark.parametrize("after", [0, 1])
def test_what_a_disk_does_not_take_that_way_goes_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    taken = 0

    def refusing(descriptor: int, data: memoryview) -> int:
        nonlocal taken
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & uncached.O_DIRECT:
            if taken == after:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            taken += 1
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", refusing)

    assert written(tmp_path / "clip", 3 * PIECE_BYTES + 7)


def test_a_file_system_without_that_way_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def control(descriptor: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & uncached.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(descriptor, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", control)

    assert written(tmp_path / "clip", 2 * PIECE_BYTES)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(OSError, match="No space left"):
        written(tmp_path / "clip", 2 * PIECE_BYTES)
