"""One emulator for all tests that can share it, and nights to spend with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.emulator import Emulator, Plan

from .night import Night

QUICK_PLAN = Plan(render_s=0.2)


@pytest.fixture(scope="session")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One process for all tests that ask for nothing but its plan."""
    with Emulator(tmp_path_factory.mktemp("emulator"), QUICK_PLAN) as one:
        yield one


@pytest.fixture
def emu(shared_emulator: Emulator) -> Emulator:
    """The shared emulator, with a quick and faultless plan."""
    if not shared_emulator.alive:
        shared_emulator.restart()
    shared_emulator.set_plan(QUICK_PLAN)
    return shared_emulator


@pytest.fixture
def own_emu(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator of the test's own: for plans that count generations, and for killing it."""
    with Emulator(tmp_path / "emulator", QUICK_PLAN) as one:
        yield one


def following(emu: Emulator, count: int = 1) -> list[int]:
    """The numbers of the next generations, for plans that name them on an emulator that has made some already."""
    made = len(emu.generations())
    return list(range(made + 1, made + count + 1))


class Nights:
    """Makes nights in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def __call__(self, emu: Emulator, rows: Any = 3, **options: Any) -> Night:
        self._made += 1
        return Night(self._folder / f"night-{self._made}", emu, rows, **options)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """A maker of nights."""
    return Nights(tmp_path)


TABLE_WORKERS = 3
"""Cases of a table that run at once: they wait more than they work."""


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], None]]:
    """The module's ``spend(case, folder)`` for all its cases that were asked for, several at a time."""
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    params = [item.callspec.params for item in items if hasattr(item, "callspec")]
    names = [one["case"] for one in params if "case" in one]
    pool = ThreadPoolExecutor(TABLE_WORKERS)
    futures = {name: pool.submit(request.module.spend, name, tmp_path_factory.mktemp("case")) for name in names}
    yield lambda name: futures[name].result()
    pool.shutdown(cancel_futures=True)
