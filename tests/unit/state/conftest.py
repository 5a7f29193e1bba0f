"""State files to work on, and the way of a row through them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.clip import Clip, Failure, FailureCode, Row, Status
from pipeline.manifest import Problems
from pipeline.state import Intake, StateFile, take_in
from pipeline.state.schema import connect, create
from tests.unit.making import rows_named

Drive = Callable[[str, Status], "object"]
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty state file."""
    create(tmp_path / "state.db")
    return tmp_path / "state.db"


@contextmanager
def written(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction, as a run's beginning does it."""
    with closing(connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


def take(path: Path, rows: Sequence[Row]) -> Intake:
    problems = Problems("job.yaml")
    with written(path) as db:
        intake = take_in(db, rows, path.parent, problems)
    problems.raise_if_any()
    return intake


def dump(path: Path) -> list[str]:
    """All that the file holds, but for the count of moves."""
    with closing(sqlite3.connect(path)) as db:
        return [line for line in db.iterdump() if "'moves'" not in line]


@pytest.fixture
async def state(path: Path) -> AsyncIterator[StateFile]:
    """A state file of three pending rows: one, two, three."""
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path, clock=lambda: NOW)
    yield state
    await state.close()


def clip_of(state: StateFile, row_id: str) -> Clip:
    ((seq,),) = state._reader.execute("SELECT seq FROM clips WHERE id = ?", (row_id,)).fetchall()
    return state.clip(seq)


async def bring(state: StateFile, row_id: str, status: Status, notes: Sequence[str] = ()) -> Clip:
    """Lead a pending row to a status by the ordinary way; it has cost 0.5 USD."""
    clip = clip_of(state, row_id)
    if status is Status.PENDING:
        return clip
    clip = await state.begin_submit(clip, f"request:{row_id}:{clip.attempts}", 0.6)
    if status is Status.SUBMITTING:
        return clip
    if status is Status.UNCONFIRMED:
        await state.lose(clip)
        await state.unconfirm(clip, Failure(FailureCode.UNCONFIRMED, "nobody knows"))
        return clip_of(state, row_id)
    await state.accept(clip, f"generation:{row_id}:{clip.attempts}", 0.5)
    clip = clip_of(state, row_id)
    if status is Status.FAILED:
        await state.fail(clip, Failure(FailureCode.GENERATION_ERROR, "no face"), fate="failed")
    elif status is not Status.RENDERING:
        await state.complete(clip, f"https://cdn.example.com/{row_id}.mp4", None, notes)
        if status is Status.DONE:
            await state.finish(clip_of(state, row_id), sha256="ab", size_bytes=3, duration_s=5.0)
    return clip_of(state, row_id)


def fates(state: StateFile) -> list[tuple[str, str]]:
    """Every submit and what became of it."""
    return state._reader.execute("SELECT client_request_id, fate FROM attempts ORDER BY n").fetchall()
