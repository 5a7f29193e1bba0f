"""A manifest's rows over those of the state: new, changed, gone, back again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.clip import Status
from pipeline.errors import ManifestError
from pipeline.manifest import Looks
from pipeline.manifest.looks import stamp_of
from pipeline.media import Picture, Voice
from pipeline.state import Intake, StateFile, StateView
from pipeline.state.intake import StoredLooks
from pipeline.state.schema import connect
from tests.unit.making import a_row, make_picture, rows_named
from tests.unit.state.conftest import bring, clip_of, dump, take


def statuses(path: Path) -> dict[str, str]:
    with StateView(path) as view:
        return {record.id: str(record.status) for record in view.records()}


def test_new_rows_are_pending_in_the_order_of_the_manifest(path: Path) -> None:
    intake = take(path, rows_named(["c", "a", "b"]))

    assert intake == Intake(rows=3, added=3, dropped=0)
    assert list(statuses(path)) == ["c", "a", "b"]
    assert set(statuses(path).values()) == {"pending"}


def test_the_same_manifest_again_changes_nothing(path: Path) -> None:
    take(path, rows_named(["a", "b"]))
    before = dump(path)

    assert take(path, rows_named(["a", "b"])) == Intake(rows=2, added=0, dropped=0)
    assert dump(path) == before


def test_rows_that_were_never_sent_are_forgotten_when_they_leave(path: Path) -> None:
    take(path, rows_named(["a", "b"]))

    intake = take(path, rows_named(["b"]))

    assert (intake.added, intake.dropped) == (0, 0)
    assert statuses(path) == {"b": "pending"}
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM clips").fetchone() == (1,)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
async def test_rows_that_were_sent_are_set_aside_and_come_back_as_they_were(path: Path, status: Status) -> None:
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await bring(state, "a", status)
    await state.close()

    assert take(path, rows_named(["b"])).dropped == 1
    assert take(path, rows_named(["b"])).dropped == 0
    assert take(path, rows_named(["a", "b"])) == Intake(rows=2, added=0, dropped=0)

    assert statuses(path)["a"] == status


async def test_a_row_that_was_refused_once_is_not_forgotten(path: Path) -> None:
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await state.take_back(await bring(state, "a", Status.SUBMITTING), forget=False)
    await state.close()

    assert take(path, rows_named(["b"])).dropped == 1
    take(path, rows_named(["a", "b"]))
    assert statuses(path) == {"a": "pending", "b": "pending"}


async def test_changed_inputs_are_taken_and_the_clip_stays(path: Path) -> None:
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await bring(state, "a", Status.DONE)
    await state.close()

    intake = take(path, [a_row("a", prompt="another", meta={"meta_x": "1"}), a_row("b", prompt="new")])

    assert (intake.added, intake.dropped) == (0, 0)
    with StateView(path) as view:
        a, b = view.records()
    assert (a.status, a.prompt, a.changed, a.meta) == (Status.DONE, "another", True, {"meta_x": "1"})
    assert (b.status, b.prompt, b.changed) == (Status.PENDING, "new", False)


async def test_a_file_that_was_only_copied_is_not_changed(path: Path) -> None:
    take(path, rows_named(["a"]))
    state = StateFile(path)
    await bring(state, "a", Status.DONE)
    await state.close()

    take(path, [a_row("a", image="/elsewhere/face.png", image_stamp="1:2", output="elsewhere/a.mp4")])

    with StateView(path) as view:
        (record,) = view.records()
    assert not record.changed
    assert record.output == str(path.parent / "a.mp4"), "the clip stands where it was put"


def test_a_file_that_stands_in_the_way_is_not_written_over(path: Path) -> None:
    (path.parent / "a.mp4").write_bytes(b"someone's")
    (path.parent / "b.mp4").symlink_to("nowhere")

    with pytest.raises(ManifestError, match="stands there already and this job knows nothing of it") as caught:
        take(path, rows_named(["a", "b", "c"]))

    assert [problem.row for problem in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize("status", list(Status))
async def test_a_known_row_that_gets_another_name_does_not_write_over_a_file_of_somebody(
    path: Path, status: Status
) -> None:
    take(path, rows_named(["a"]))
    state = StateFile(path)
    await bring(state, "a", status)
    await state.close()
    (path.parent / "theirs.mp4").write_bytes(b"someone's")

    with pytest.raises(ManifestError, match=r"theirs\.mp4 stands there already and this job knows nothing of it"):
        take(path, [a_row("a", output="theirs.mp4")])


async def test_a_new_row_does_not_write_to_the_file_of_one_that_still_renders(path: Path) -> None:
    take(path, [a_row("old", output="clip.mp4")])
    state = StateFile(path)
    await bring(state, "old", Status.RENDERING)
    await state.close()

    with pytest.raises(ManifestError, match=r"clip\.mp4"):
        take(path, [a_row("new", output="clip.mp4")])


async def done(path: Path, row_ids: list[str]) -> None:
    """Rows of these ids, the clip of each in OUT under its own name."""
    take(path, rows_named(row_ids))
    state = StateFile(path)
    for row_id in row_ids:
        await bring(state, row_id, Status.DONE)
        (path.parent / f"{row_id}.mp4").write_bytes(b"mp4")
    await state.close()


async def test_known_rows_that_swap_their_names_do_not_write_over_each_other(path: Path) -> None:
    await done(path, ["a", "b", "c"])

    with pytest.raises(
        ManifestError, match=r"b\.mp4 is the clip of row 'b'.*another file name, or move that"
    ) as caught:
        take(path, [a_row("a", output="b.mp4"), a_row("b", output="a.mp4"), a_row("c")])

    assert [problem.row for problem in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.DONE])
async def test_a_row_whose_clip_is_to_come_keeps_off_the_name_of_a_finished_one(path: Path, status: Status) -> None:
    await done(path, ["a"])
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await bring(state, "b", status)
    await state.close()

    with pytest.raises(ManifestError, match=r"a\.mp4 is the clip of row 'a'"):
        take(path, [a_row("a", output="moved.mp4"), a_row("b", output="a.mp4")])


async def test_a_name_is_free_when_its_clip_was_moved_away(path: Path) -> None:
    await done(path, ["a", "b"])
    for name in ("a.mp4", "b.mp4"):
        (path.parent / name).rename(path.parent / f"old-{name}")

    assert take(path, [a_row("a", output="b.mp4"), a_row("b", output="a.mp4")]).added == 0


async def test_a_clip_may_get_its_old_name_back(path: Path) -> None:
    await done(path, ["a", "b"])
    take(path, [a_row("a", output="new.mp4"), a_row("b")])

    assert take(path, rows_named(["a", "b"])).added == 0


async def test_a_known_row_does_not_take_the_file_of_one_that_left_and_still_renders(path: Path) -> None:
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await bring(state, "b", Status.RENDERING)
    await state.close()

    with pytest.raises(ManifestError, match="the file of row 'b', which left the manifest and still renders"):
        take(path, [a_row("a", output="b.mp4")])


async def test_names_may_move_on_among_rows_that_are_to_come(path: Path) -> None:
    take(path, rows_named(["a", "b"]))
    state = StateFile(path)
    await bring(state, "a", Status.RENDERING)
    await state.close()

    rows = [a_row("new", output="a.mp4"), a_row("a", output="b.mp4"), a_row("b", output="c.mp4")]
    assert take(path, rows).added == 1


def test_options_and_texts_of_all_scripts_come_back(path: Path) -> None:
    row = a_row(
        "a", prompt="né \U0001f600 'quoted' \x00", options={"seed": 7, "deep": [1, {"é": None}]}, meta={"meta_名": "値"}
    )
    take(path, [row])

    state = StateView(path)
    (record,) = state.records()
    state.close()
    assert (record.prompt, record.meta) == (row.prompt, row.meta)


def test_the_fingerprint_is_that_of_the_row(path: Path) -> None:
    row = a_row("a", options={"b": 1, "a": 2})
    take(path, [row])

    with closing(connect(path)) as db:
        assert db.execute("SELECT fingerprint FROM clips").fetchone() == (row.fingerprint,)
    assert replace(row, options={"a": 2, "b": 1}).fingerprint == row.fingerprint
    changes: list[dict[str, Any]] = [
        *({field: "x"} for field in ("prompt", "model", "provider", "image_digest", "audio_digest")), {"options": {}},
    ]  # fmt: skip
    for change in changes:
        assert replace(row, **change).fingerprint != row.fingerprint


# --- looks -------------------------------------------------------------------------------------------------------


def test_a_look_outlives_the_process(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    face = make_picture(tmp_path / "face.png")
    with closing(connect(path)) as db:
        first = Looks(StoredLooks(db)).picture(str(face))

    monkeypatch.setattr("pipeline.media.pictures.look_at_picture", None)
    with closing(connect(path)) as db:
        assert Looks(StoredLooks(db)).picture(str(face)) == first


def test_a_look_is_of_one_file_at_one_time_as_one_kind(path: Path) -> None:
    picture, voice = Picture("png", 1, 2, 3, "d"), Voice("mp3", 1.5, 3, "d")
    with closing(connect(path)) as db:
        memory = StoredLooks(db)
        memory.remember("a", "1:1", picture)
        memory.remember("b", "1:1", voice)
        assert (memory.recall("a", "1:1"), memory.recall("b", "1:1")) == (picture, voice)
        assert (memory.recall("a", "1:2"), memory.recall("c", "1:1")) == (None, None)
        memory.remember("a", "1:2", voice)
        assert (memory.recall("a", "1:1"), memory.recall("a", "1:2")) == (None, voice)


def test_a_bad_file_is_looked_at_again(path: Path, tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(b"no picture")
    with closing(connect(path)) as db:
        assert isinstance(Looks(StoredLooks(db)).picture(str(tmp_path / "face.png")), str)
        make_picture(tmp_path / "face.png")
        look = Looks(StoredLooks(db)).picture(str(tmp_path / "face.png"))

    assert isinstance(look, tuple)
    assert look[1] == stamp_of(tmp_path / "face.png")


async def test_a_clip_is_read_with_the_attempt_it_stands_by(state: StateFile) -> None:
    clip = await bring(state, "two", Status.RENDERING)

    assert (clip.client_request_id, clip.generation_id, clip.attempt, clip.attempts) == (
        "request:two:0",
        "generation:two:1",
        1,
        1,
    )
    assert clip_of(state, "one").client_request_id == ""
