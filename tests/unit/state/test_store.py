"""Inboxes: rows in the order in which they came, a page at a time, and nobody sleeps through one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clip import Status
from pipeline.state import StateFile
from pipeline.state.store import PendingEstimate
from pipeline.state.upkeep import retry
from tests.unit.making import rows_named
from tests.unit.state.conftest import bring, clip_of, take, written

NAMES = [f"row-{number:03}" for number in range(150)]


@pytest.fixture
async def many(path: Path) -> AsyncIterator[StateFile]:
    """150 pending rows: more than two pages."""
    take(path, rows_named(NAMES))
    state = StateFile(path)
    yield state
    await state.close()


async def test_rows_come_in_the_order_of_the_manifest(many: StateFile) -> None:
    inbox = many.inbox(Status.PENDING)

    assert [(await inbox.get()).id for _ in NAMES] == NAMES
    assert inbox.get_nowait() is None


async def test_only_the_named_rows_come(many: StateFile) -> None:
    inbox = many.inbox(Status.PENDING, only=["row-099", "row-003", "nobody"])

    assert [clip.id for clip in iter(inbox.get_nowait, None)] == ["row-003", "row-099"]


async def test_a_row_that_comes_back_comes_again_last(many: StateFile) -> None:
    inbox = many.inbox(Status.PENDING)
    first = await inbox.get()

    await many.take_back(await many.begin_submit(first, "request:1", 0.6), forget=True)
    seen = [clip.id for clip in iter(inbox.get_nowait, None)]

    assert seen == [*NAMES[1:], "row-000"]


async def test_a_sleeper_is_woken_by_the_row_that_comes(state: StateFile) -> None:
    inbox = state.inbox(Status.RENDERING)
    sleeper = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not sleeper.done()

    await bring(state, "two", Status.RENDERING)

    assert (await asyncio.wait_for(sleeper, 5)).id == "two"


async def test_two_inboxes_of_one_status_each_see_all(state: StateFile) -> None:
    mine, yours = state.inbox(Status.PENDING), state.inbox(Status.PENDING)

    assert (
        [clip.id for clip in iter(mine.get_nowait, None)]
        == [clip.id for clip in iter(yours.get_nowait, None)]
        == ["one", "two", "three"]
    )


async def test_a_submit_under_way_is_no_matter_for_the_usage_log_until_it_is_lost(state: StateFile) -> None:
    inbox = state.inbox(Status.SUBMITTING)
    sent = await bring(state, "one", Status.SUBMITTING)
    assert inbox.get_nowait() is None

    await state.lose(sent)

    clip = inbox.get_nowait()
    assert clip is not None
    assert (clip.id, clip.client_request_id) == ("one", sent.client_request_id)


async def test_rows_that_left_the_manifest_are_not_submitted_but_still_polled(path: Path) -> None:
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path)
    await bring(state, "two", Status.RENDERING)
    await state.take_back(await bring(state, "three", Status.SUBMITTING), forget=False)
    await state.close()
    take(path, rows_named(["one"]))

    state = StateFile(path)
    try:
        assert [clip.id for clip in iter(state.inbox(Status.PENDING).get_nowait, None)] == ["one"]
        assert [clip.id for clip in iter(state.inbox(Status.RENDERING).get_nowait, None)] == ["two"]
        assert state.in_flight == 1
    finally:
        await state.close()


async def test_a_finished_clip_comes_to_be_looked_at(state: StateFile) -> None:
    await bring(state, "one", Status.DONE)

    assert [clip.id for clip in iter(state.inbox(Status.DONE).get_nowait, None)] == ["one"]


async def test_whoever_watches_hears_of_every_move(state: StateFile) -> None:
    state.changed.clear()

    await bring(state, "one", Status.SUBMITTING)

    assert state.changed.is_set()
    assert state.counts[Status.SUBMITTING] == 1
    assert state.in_flight == 1


async def test_what_is_pending_is_estimated(state: StateFile) -> None:
    await bring(state, "one", Status.SUBMITTING)

    assert state.pending_estimate() == PendingEstimate(rows=2, usd=1.2, unknown_length=0)
    assert state.pending_estimate(only=["two", "one"]) == PendingEstimate(rows=1, usd=0.6, unknown_length=0)


async def test_a_row_s_own_voice_holds_until_it_is_sent_and_then_that_of_the_submit(path: Path) -> None:
    rows = rows_named(["one"])
    take(path, rows)
    state = StateFile(path)
    await bring(state, "one", Status.RENDERING)
    await state.close()
    take(path, [replace(rows[0], voice_s=9.0, audio_digest="other")])

    state = StateFile(path)
    try:
        assert clip_of(state, "one").voice_s == 5.0
    finally:
        await state.close()


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.PENDING])
async def test_a_model_that_is_edited_is_that_of_the_next_submit(path: Path, status: Status) -> None:
    sent, unsent = rows_named(["sent", "unsent"])
    take(path, [sent, unsent])
    state = StateFile(path)
    await bring(state, "sent", status)
    await state.close()
    take(path, [replace(sent, model="veed/fabric-1.0"), replace(unsent, model="veed/fabric-1.0")])

    state = StateFile(path)
    try:
        assert clip_of(state, "sent").model == sent.model
        assert clip_of(state, "unsent").model == "veed/fabric-1.0"
    finally:
        await state.close()


async def test_a_row_that_is_rendered_anew_has_the_model_of_the_manifest(path: Path) -> None:
    (row,) = rows_named(["one"])
    take(path, [row])
    state = StateFile(path)
    await bring(state, "one", Status.DONE)
    await state.close()
    take(path, [replace(row, model="veed/fabric-1.0", voice_s=9.0)])
    with written(path) as db:
        retry(db, ["one"])

    state = StateFile(path)
    try:
        clip = clip_of(state, "one")
        assert (clip.model, clip.voice_s) == ("veed/fabric-1.0", 9.0)
    finally:
        await state.close()


async def test_a_voice_of_unknown_length_stays_so_when_another_takes_its_place(path: Path) -> None:
    row = replace(rows_named(["one"])[0], voice_s=None, estimated_usd=None)
    take(path, [row])
    state = StateFile(path)
    await bring(state, "one", Status.RENDERING)
    await state.close()
    take(path, [replace(row, voice_s=9.0, audio_digest="other")])

    state = StateFile(path)
    try:
        assert clip_of(state, "one").voice_s is None
    finally:
        await state.close()
