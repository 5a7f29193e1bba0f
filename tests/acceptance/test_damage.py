"""A state file that can't be trusted is refused with a way out; nothing is sent, and it is not touched."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import cli
from pipeline.errors import UsageError
from tests.emulator import Emulator, Plan

from .night import Night


@pytest.fixture(scope="module")
def half_done(shared_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A night that was killed: two rows done, one rendering, one pending, and the state's log not folded in yet."""
    emu = shared_emulator
    if not emu.alive:
        emu.restart()
    emu.set_plan(Plan(render_s=0.1))
    night = Night(tmp_path_factory.mktemp("damage") / "night", emu, 4)
    assert night.run("run", "--only", "r1", "--only", "r2").code == 0
    emu.set_plan(Plan(render_s=3600.0))
    with night.start("run", "--only", "r3") as running:
        night.wait_for(lambda: night.generations("r3"))
        night.wait_for(lambda: any(line["action"] == "accepted" and line["row"] == "r3" for line in night.log()))
        running.kill()
    yield night
    emu.finish()


def folded(state: Path) -> None:
    """Everything in one file, as an orderly end leaves it."""
    with closing(sqlite3.connect(state)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")


def cut(state: Path, keep: float) -> None:
    folded(state)
    data = state.read_bytes()
    state.write_bytes(data[: int(len(data) * keep)])


def overwrite(state: Path, start: int, content: bytes) -> None:
    folded(state)
    with state.open("r+b") as file:
        file.seek(start)
        file.write(content)


def other_database(state: Path) -> None:
    folded(state)
    state.unlink()
    with closing(sqlite3.connect(state)) as db:
        db.execute("CREATE TABLE diary(day TEXT)")
        db.commit()


def other_version(state: Path, version: int) -> None:
    folded(state)
    with closing(sqlite3.connect(state)) as db:
        db.execute(f"PRAGMA user_version={version}")


def lost_but_for_its_log(state: Path) -> None:
    assert state.with_name("state.db-wal").stat().st_size
    state.unlink()
    for clip in state.parent.glob("*.mp4"):
        clip.unlink()  # nothing else in OUT tells that there was a night


def a_folder(state: Path) -> None:
    state.unlink()
    state.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": lambda state: cut(state, 0.0),
    "a few bytes": lambda state: cut(state, 0.001),
    "half": lambda state: cut(state, 0.5),
    "last page gone": lambda state: cut(state, 0.95),
    "head overwritten": lambda state: overwrite(state, 0, b"\0" * 100),
    "pages overwritten": lambda state: overwrite(state, 4096, b"\xa5" * 20_000),
    "text": lambda state: overwrite(state, 0, b"this is no database, it is a text" * 200),
    "another database": other_database,
    "a later version": lambda state: other_version(state, 99),
    "version nought": lambda state: other_version(state, 0),
    "gone but for its log": lost_but_for_its_log,
    "a folder": a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_file_is_refused(half_done: Night, damage: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(half_done.out, out)
    state = out / "state.db"
    DAMAGES[damage](state)
    before = state.read_bytes() if state.is_file() else None
    requests = len(half_done.journal())
    night_out, half_done.out = half_done.out, out
    try:
        ended_run = half_done.run()
        told = CliRunner().invoke(cli, ["status", str(half_done.job), "--out", str(out)])
    finally:
        half_done.out = night_out
    assert ended_run.code == 2, ended_run.text
    assert str(state) in ended_run.stderr
    assert len(ended_run.stderr.strip().splitlines()) == 1, ended_run.stderr
    assert isinstance(told.exception, UsageError), told.output
    assert len(half_done.journal()) == requests
    if before is not None:
        assert state.read_bytes() == before
