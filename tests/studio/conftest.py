"""Media once a session, a shared studio once a session, and a client for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from .living import Client, Studio
from .media import make_picture, make_voice


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of media: picture.jpeg, voice.mp3 (2.5 s), long.mp3 (8 s)."""
    directory = tmp_path_factory.mktemp("media")
    make_picture(directory / "picture.jpeg")
    make_voice(directory / "voice.mp3", 2.5)
    make_voice(directory / "long.mp3", 8, bits_per_s=32_000)
    return directory


@pytest.fixture(scope="session")
def picture(media: Path) -> Path:
    return media / "picture.jpeg"


@pytest.fixture(scope="session")
def voice(media: Path) -> Path:
    return media / "voice.mp3"


@pytest.fixture(scope="session")
def long_voice(media: Path) -> Path:
    """Long enough that its rendering can be caught under way."""
    return media / "long.mp3"


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio for tests that leave it as they found it, but for more clips."""
    with Studio(tmp_path_factory.mktemp("shared") / "studio", "--quality", "draft") as studio:
        yield studio


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Starts studios for this test alone, all in one directory."""
    started: list[Studio] = []

    def start(*flags: str) -> Studio:
        studio = Studio(tmp_path / "studio", "--quality", "draft", *flags)
        started.append(studio)
        return studio.start()

    yield start
    for studio in started:
        if studio.process.poll() is None:
            studio.kill()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@pytest.fixture
def client(shared_studio: Studio, session: aiohttp.ClientSession, picture: Path) -> Client:
    """A client of the shared studio."""
    return Client(shared_studio, session, picture)


@pytest.fixture
def client_of(session: aiohttp.ClientSession, picture: Path) -> Callable[[Studio], Client]:
    """Makes clients of other studios."""
    return lambda studio: Client(studio, session, picture)
