"""What renderers say of clips is kept with the attempt that made them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.clip import Status
from pipeline.state import StateFile, StateView
from pipeline.state.notes import HAS_TABLE
from pipeline.state.schema import connect
from pipeline.state.upkeep import retry
from tests.unit.making import rows_named
from tests.unit.state.conftest import bring, clip_of, take, written


def told(path: Path) -> dict[str, tuple[str, ...]]:
    with StateView(path) as view:
        return {record.id: record.notes for record in view.records()}


async def test_notes_are_those_of_the_clip_that_stands_in_out(state: StateFile, path: Path) -> None:
    await bring(state, "one", Status.DONE, ["face not found", "2 damaged packets"])
    await bring(state, "two", Status.DOWNLOADING, ["face not found"])
    await bring(state, "three", Status.DONE)

    assert told(path) == {"one": ("face not found", "2 damaged packets"), "two": (), "three": ()}
    with StateView(path) as view:
        assert view.noted() == [("2 damaged packets", 1), ("face not found", 1)]
        assert [record.as_export()["notes"] for record in view.records()] == [
            "face not found; 2 damaged packets",
            "",
            "",
        ]
        assert all("notes" not in record.as_status() for record in view.records())


async def test_a_fresh_link_of_the_same_clip_keeps_its_notes(state: StateFile, path: Path) -> None:
    clip = await bring(state, "one", Status.DOWNLOADING, ["face not found"])
    await state.relink(clip)
    await state.complete(clip_of(state, "one"), "https://cdn.example.com/again", None)
    await state.finish(clip_of(state, "one"), sha256="ab", size_bytes=3, duration_s=5.0)

    assert told(path)["one"] == ("face not found",)


async def test_a_clip_that_is_rendered_again_has_notes_of_its_own(path: Path) -> None:
    take(path, rows_named(["one"]))
    state = StateFile(path)
    await bring(state, "one", Status.DONE, ["face not found"])
    await state.close()
    with written(path) as db:
        retry(db, ["one"])
    assert told(path)["one"] == ()

    state = StateFile(path)
    await bring(state, "one", Status.DONE)
    await state.close()

    assert told(path)["one"] == ()


@pytest.mark.parametrize("text", ["{", "3", '["a", 3]', '{"a": "b"}', ""])
async def test_what_a_later_version_wrote_is_passed_over(state: StateFile, path: Path, text: str) -> None:
    await bring(state, "one", Status.DONE, ["face not found"])
    with closing(connect(path)) as db:
        db.execute("UPDATE notes SET said = ?", (text,))

    assert told(path)["one"] == ()


async def test_a_state_file_of_before_is_read_and_gets_its_table_when_written(state: StateFile, path: Path) -> None:
    await bring(state, "one", Status.DONE)
    await state.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE notes")

    assert told(path)["one"] == ()
    with StateView(path) as view:
        assert view.noted() == []
    connect(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(HAS_TABLE).fetchone() == (1,)
