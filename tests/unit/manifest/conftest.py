"""A folder with sound media next to each manifest, and a pen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.clip import Row
from pipeline.errors import Problem
from pipeline.manifest import Looks
from tests.unit.making import read_manifest

Read = Callable[..., tuple[list[Row], list[Problem]]]


@pytest.fixture
def folder(media: Path, tmp_path: Path) -> Path:
    """face.png, voice.wav, voice.mp3 and room for a manifest."""
    for name in ("face.png", "voice.wav", "voice.mp3"):
        shutil.copy(media / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="session")
def looks() -> Looks:
    """One memory of looks for all tests: the media are the same."""
    return Looks()


@pytest.fixture
def read(folder: Path) -> Read:
    """Write a manifest and read it."""

    def write_and_read(
        content: str | bytes, name: str = "job.yaml", **options: object
    ) -> tuple[list[Row], list[Problem]]:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_manifest(path, **options)  # type: ignore[arg-type]

    return write_and_read
