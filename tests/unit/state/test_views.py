"""The state file as people and scripts see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.clip import Failure, FailureCode, Status
from pipeline.errors import StateRefused, UsageError
from pipeline.state import StateFile, StateView
from pipeline.state.upkeep import retry
from tests.unit.making import a_row, rows_named
from tests.unit.state.conftest import bring, clip_of, take, written


async def test_the_numbers_are_those_of_the_rows(path: Path) -> None:
    names = [str(status) for status in Status]
    take(path, rows_named([*names, "gone", "gone-done"]))
    state = StateFile(path)
    for status in Status:
        await bring(state, str(status), status)
    await bring(state, "gone", Status.RENDERING)
    await bring(state, "gone-done", Status.DONE)
    await state.close()
    take(path, rows_named(names))

    with StateView(path) as view:
        overview = view.overview()

    # One row of each status, and one that left the manifest and still renders.
    assert overview.rows == dict.fromkeys(Status, 1) | {Status.RENDERING: 2}
    assert overview.total == 8
    assert overview.estimated_usd == pytest.approx(7 * 0.6)
    assert overview.spent_usd == pytest.approx(3 * 0.5), "completed: done, downloading, and the one that left"
    assert overview.reserved_usd == pytest.approx(3 * 0.5 + 2 * 0.5 + 0.6 + 0.6), (
        "and rendering, submitting, unconfirmed"
    )
    assert (overview.voice_s, overview.done_s) == (35.0, 5.0)


def test_an_empty_state_has_zeros_for_all(path: Path) -> None:
    with StateView(path) as view:
        assert view.overview().rows == dict.fromkeys(Status, 0)
        assert list(view.records()) == []


async def test_a_row_as_a_status_has_the_keys_that_scripts_read(path: Path) -> None:
    take(path, rows_named(["done", "new", "bad"]))
    state = StateFile(path, clock=lambda: 1_800_000_000.25)
    await bring(state, "done", Status.DONE)
    await state.fail(await bring(state, "bad", Status.RENDERING), Failure(FailureCode.TIMEOUT, "too late"))
    await state.close()

    with StateView(path) as view:
        done, new, bad = (record.as_status() for record in view.records())

    assert done == {
        "id": "done", "status": "done", "attempts": 1, "client_request_id": "request:done:0", "generation_id": "generation:done:1",
        "output": str(path.parent / "done.mp4"), "sha256": "ab", "bytes": 3, "duration_s": 5.0, "cost_usd": 0.5, "error": None,
        "submitted_at": "2027-01-15T08:00:00.250+00:00", "finished_at": "2027-01-15T08:00:00.250+00:00",
    }  # fmt: skip
    assert new == dict.fromkeys(done) | {"id": "new", "status": "pending", "attempts": 0}
    assert bad["error"] == {"code": "timeout", "message": "too late"}
    assert json.loads(json.dumps(bad)) == bad


async def test_what_the_rows_cost_is_what_is_spent(path: Path) -> None:
    names = [str(status) for status in Status]
    take(path, rows_named([*names, "again", "failed-again", "no-word"]))
    state = StateFile(path)
    for status in Status:
        await bring(state, str(status), status)
    await bring(state, "again", Status.DONE)
    await bring(state, "failed-again", Status.DONE)
    clip = await state.begin_submit(clip_of(state, "no-word"), "request:no-word", 0.6)
    await state.accept(clip, "generation:no-word", None)
    await state.complete(clip_of(state, "no-word"), "u", None)
    await state.close()
    with written(path) as db:
        retry(db, ["again", "failed-again"])
    state = StateFile(path)
    await bring(state, "again", Status.DONE)
    await bring(state, "failed-again", Status.FAILED)
    await state.close()

    with StateView(path) as view:
        costs = {record.id: record.as_export()["cost_usd"] for record in view.records()}
        spent_usd = view.overview().spent_usd

    paid = {"downloading": 0.5, "done": 0.5, "again": 1.0, "failed-again": 0.5, "no-word": 0.6}
    assert costs == dict.fromkeys(names) | paid
    assert spent_usd == pytest.approx(sum(paid.values()))


async def test_what_is_under_way_costs_what_it_was_told_else_what_is_held_back(path: Path) -> None:
    take(path, rows_named([str(status) for status in Status]))
    state = StateFile(path)
    for status in Status:
        await bring(state, str(status), status)
    await state.close()

    with StateView(path) as view:
        assert view.under_way_usd() == {"submitting": 0.6, "rendering": 0.5}


async def test_an_exported_row_is_flat_and_holds_its_meta(path: Path) -> None:
    take(path, [a_row("one", meta={"meta_lang": "en"}, prompt="hi")])
    state = StateFile(path)
    await state.fail(await bring(state, "one", Status.RENDERING), Failure(FailureCode.DOWNLOAD, "cut"))
    await state.close()

    with StateView(path) as view:
        (record,) = view.records()

    flat = record.as_export()
    assert (flat["error_code"], flat["error_message"], flat["meta_lang"], flat["prompt"], flat["inputs_changed"]) == (
        "download",
        "cut",
        "en",
        "hi",
        False,
    )
    assert all(not isinstance(value, dict | list) for value in flat.values())


async def test_records_of_one_status_are_picked(path: Path) -> None:
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path)
    await bring(state, "two", Status.FAILED)
    await state.close()

    with StateView(path) as view:
        assert [record.id for record in view.records(status=Status.FAILED)] == ["two"]
        assert [record.id for record in view.records(status=Status.PENDING)] == ["one", "three"]
        assert list(view.records(status=Status.DONE)) == []


async def test_a_live_run_is_seen_as_it_stands(path: Path) -> None:
    take(path, rows_named(["one"]))
    state = StateFile(path)
    with StateView(path) as view:
        await bring(state, "one", Status.RENDERING)
        assert view.overview().rows[Status.RENDERING] == 1
        await state.complete(clip_of(state, "one"), "u", None)
        assert view.overview().rows[Status.DOWNLOADING] == 1
    await state.close()


def test_a_job_that_has_not_begun_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="isn't there: start the job with `avatar-batch run`"):
        StateView(tmp_path / "state.db")


def test_a_damaged_state_is_refused_with_a_way_out(path: Path) -> None:
    take(path, rows_named([f"row-{number}" for number in range(200)]))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StateRefused, match="bring back a copy"), StateView(path) as view:
        view.overview()
