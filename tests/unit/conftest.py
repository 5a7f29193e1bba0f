"""Media once a session: making them is the slow part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.making import make_clip, make_picture, make_voice


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sound media: face.png, voice.wav (2.5 s), voice.mp3, voice.m4a, voice.aac (3 s each)."""
    folder = tmp_path_factory.mktemp("media")
    make_picture(folder / "face.png")
    make_voice(folder / "voice.wav", 2.5)
    for name in ("voice.mp3", "voice.m4a", "voice.aac"):
        make_voice(folder / name, 3.0)
    return folder


@pytest.fixture(scope="session")
def face(media: Path) -> Path:
    return media / "face.png"


@pytest.fixture(scope="session")
def voice(media: Path) -> Path:
    return media / "voice.wav"


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole clip of 2 s, 320x180 at 24 frames a second; not to be changed."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")
