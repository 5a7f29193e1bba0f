"""Fixtures for the tests of the emulator itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import Emulator, Plan
from .asking import Account

INSTANT = Plan(instant=True)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One process for all tests."""
    with Emulator(tmp_path_factory.mktemp("emulator"), INSTANT) as one:
        yield one


@pytest.fixture
def emu(shared: Emulator) -> Emulator:
    """The shared process with a faultless plan."""
    if not shared.alive:
        shared.restart()
    shared.set_plan(INSTANT)
    return shared


@pytest.fixture
def account(emu: Emulator) -> Account:
    """A key at the shared process."""
    return Account(emu.base_url)
