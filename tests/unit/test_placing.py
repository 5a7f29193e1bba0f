"""Whole or not at all, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.placing import put_in_place, write_whole


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
