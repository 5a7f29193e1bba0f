"""Whole or not at all, durably, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.placing import Finished, create_new, put_all_in_place, put_in_place, write_whole


def test_content_is_flushed_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, path = tmp_path / "clip.part", tmp_path / "clip.mp4"
    part.write_bytes(b"clip")
    seen: list[tuple[bool, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append((part.exists(), path.exists())))

    put_in_place(part, path)

    assert seen == [(True, False), (False, True)]
    assert path.read_bytes() == b"clip"


def test_many_share_the_flush_of_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    files = [Finished(tmp_path / f"{name}.part", tmp_path / name, name.encode()) for name in ("a", "b", "c")]
    (tmp_path / "b.part").write_bytes(b"what was there before, and longer")

    assert put_all_in_place(files) == [None, None, None]

    assert flushed == [path.stat().st_ino for path in (*(file.path for file in files), tmp_path)]
    assert [(tmp_path / name).read_bytes() for name in "abc"] == [b"a", b"b", b"c"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b", "c"]


def test_one_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    gone, taken, good = (Finished(tmp_path / f"{name}.part", tmp_path / name) for name in ("gone", "taken", "good"))
    for file in (taken, good):
        file.part.write_bytes(b"clip")
    taken.path.mkdir()

    errors = put_all_in_place([gone, taken, good])

    assert [type(error) for error in errors] == [FileNotFoundError, IsADirectoryError, type(None)]
    assert good.path.read_bytes() == b"clip"


def test_a_folder_that_can_not_be_flushed_fails_the_files_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [Finished(tmp_path / f"{n}.part", tmp_path / folder / str(n), b"clip") for n, folder in enumerate("xyx")]
    for folder in "xy":
        (tmp_path / folder).mkdir()
    broken = (tmp_path / "x").stat().st_ino

    def fsync(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == broken:
            raise OSError("worn out")

    monkeypatch.setattr(os, "fsync", fsync)

    errors = put_all_in_place(files)

    assert [error is None for error in errors] == [False, True, False]


def test_a_new_file_takes_the_place_of_an_old_one_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "old").write_bytes(b"old")

    for path in (tmp_path / "link", tmp_path / "old", tmp_path / "some" / "folder" / "new"):
        with open(create_new(path), "wb") as file:
            file.write(b"x")

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()
    assert [(tmp_path / name).read_bytes() for name in ("link", "old", "some/folder/new")] == [b"x"] * 3


def test_what_can_not_be_written_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    write_whole(path, b"old")

    def full(_: Path, data: bytes) -> int:
        raise OSError("no room")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no room"):
        write_whole(path, b"new")

    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert path.read_bytes() == b"old"
