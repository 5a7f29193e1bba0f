"""Files that came, in memory and on disk: in place for good, or refused and kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import DiskFull
from pipeline.models import builtin_catalogue
from pipeline.stages.digests import Digest
from pipeline.stages.fetch import Fetched
from pipeline.stages.verify import SMALL_BYTES, Arrival, Refused, Verifier

FABRIC = builtin_catalogue()["veed/fabric-1.0"]


@pytest.fixture
def verifier(tmp_path: Path) -> Iterator[Verifier]:
    one = Verifier(tmp_path, 2, 0)
    yield one
    one.close()


def arrival(tmp_path: Path, fetched: Fetched, voice_s: float = 2.0, name: str = "r1") -> Arrival:
    return Arrival(tmp_path / f"{name}.mp4.part", tmp_path / f"{name}.mp4", fetched, FABRIC, voice_s)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("in_one_piece", [True, False])
@pytest.mark.parametrize("small_bytes", [SMALL_BYTES, 0])
async def test_a_clip_is_put_in_place(
    verifier: Verifier, tmp_path: Path, clip_file: Path, in_memory: bool, in_one_piece: bool, small_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("pipeline.stages.verify.SMALL_BYTES", small_bytes)
    content = clip_file.read_bytes()
    one = arrival(tmp_path, Fetched((), in_one_piece, content if in_memory else None))
    if not in_memory:
        one.part.write_bytes(content)

    verified = await verifier.verify(one)

    assert one.output.read_bytes() == content
    assert not one.part.exists()
    assert verified.sha256 == hashlib.sha256(content).hexdigest()
    assert (verified.facts.width, verified.facts.height, verified.facts.size_bytes) == (320, 180, len(content))


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_file_that_is_not_the_clip_is_refused_and_kept(
    verifier: Verifier, tmp_path: Path, clip_file: Path, in_memory: bool
) -> None:
    content = clip_file.read_bytes()[:-100]
    one = arrival(tmp_path, Fetched((), in_one_piece=True, content=content if in_memory else None))
    one.part.write_bytes(b"what an earlier download left" if in_memory else content)

    with pytest.raises(Refused, match="is cut short") as refused:
        await verifier.verify(one)

    assert refused.value.sha256 == hashlib.sha256(content).hexdigest()
    assert one.part.read_bytes() == content
    assert not one.output.exists()


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_broken_promise_is_refused(
    verifier: Verifier, tmp_path: Path, clip_file: Path, in_memory: bool
) -> None:
    content = clip_file.read_bytes()
    promised = (Digest("md5", "0" * 32),)
    one = arrival(tmp_path, Fetched(promised, in_one_piece=True, content=content if in_memory else None))
    if not in_memory:
        one.part.write_bytes(content)

    with pytest.raises(Refused, match="came damaged: its md5 is"):
        await verifier.verify(one)


async def test_one_that_is_refused_holds_up_no_other(verifier: Verifier, tmp_path: Path, clip_file: Path) -> None:
    content = clip_file.read_bytes()
    good = arrival(tmp_path, Fetched((), in_one_piece=True, content=content), name="good")
    wrong = arrival(tmp_path, Fetched((), in_one_piece=True, content=content), voice_s=60.0, name="wrong")
    homeless = arrival(tmp_path, Fetched((), in_one_piece=True, content=content), name="homeless")
    homeless.output.mkdir()

    outcomes = verifier._place([(one, None) for one in (wrong, good, homeless)])

    assert [type(outcome).__name__ for outcome in outcomes] == ["Refused", "Verified", "IsADirectoryError"]
    assert good.output.read_bytes() == content


@pytest.mark.parametrize("small_bytes", [SMALL_BYTES, 0])
async def test_the_room_that_is_left_alone_is(
    tmp_path: Path, clip_file: Path, small_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.verify.SMALL_BYTES", small_bytes)
    info = os.statvfs(tmp_path)
    verifier = Verifier(tmp_path, 1, info.f_bavail * info.f_frsize * 2)
    one = arrival(tmp_path, Fetched((), in_one_piece=True, content=clip_file.read_bytes()))

    with pytest.raises(DiskFull, match="free space, then run again"):
        await verifier.verify(one)

    assert not list(tmp_path.glob("r1*"))
    verifier.close()
