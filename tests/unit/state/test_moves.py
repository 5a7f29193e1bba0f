"""Moves: each from its own status only, whole or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.state import StateFile
from pipeline.state.moves import IllegalMove
from pipeline.state.rows import counts_by_status
from tests.unit.making import rows_named
from tests.unit.state.conftest import NOW, bring, clip_of, dump, fates, take

FAILURE = Failure(FailureCode.SERVER, "trouble")
Move = Callable[[StateFile, Clip], Awaitable[object]]

MOVES: dict[str, tuple[Move, set[Status]]] = {
    "begin_submit": (lambda state, clip: state.begin_submit(clip, "again", 0.6), {Status.PENDING}),
    "take_back": (lambda state, clip: state.take_back(clip, forget=False), {Status.SUBMITTING}),
    "forget": (lambda state, clip: state.take_back(clip, forget=True), {Status.SUBMITTING}),
    "lose": (lambda state, clip: state.lose(clip), {Status.SUBMITTING}),
    "accept": (lambda state, clip: state.accept(clip, "g", 1.0), {Status.SUBMITTING}),
    "resubmit": (lambda state, clip: state.resubmit(clip), {Status.SUBMITTING}),
    "complete": (lambda state, clip: state.complete(clip, "u", 1.0), {Status.RENDERING}),
    "relink": (lambda state, clip: state.relink(clip), {Status.DOWNLOADING}),
    "finish": (lambda state, clip: state.finish(clip, sha256="x", size_bytes=1, duration_s=1.0), {Status.DOWNLOADING}),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(("move", "legal"), MOVES.values(), ids=MOVES)
async def test_a_move_is_made_from_its_own_status_only(
    path: Path, state: StateFile, move: Move, legal: set[Status], status: Status
) -> None:
    clip = await bring(state, "two", status)
    if status is Status.PENDING:
        await state.take_back(await bring(state, "two", Status.SUBMITTING), forget=False)
        clip = clip_of(state, "two")
    before, counts = dump(path), dict(state.counts)

    if status in legal:
        await move(state, clip)
        assert dump(path) != before
    else:
        # The stage's own copy of the row says what it must, the table doesn't.
        with pytest.raises(IllegalMove):
            await move(state, replace(clip, status=next(iter(legal))))
        assert dump(path) == before
        assert state.counts == counts
    assert state.counts == counts_by_status(state._reader)


@pytest.mark.parametrize("status", [Status.SUBMITTING, Status.RENDERING, Status.DOWNLOADING])
async def test_a_stage_with_an_old_copy_of_a_row_changes_nothing(path: Path, state: StateFile, status: Status) -> None:
    old = await bring(state, "one", status)
    await state.fail(old, FAILURE)
    before = dump(path)

    with pytest.raises(IllegalMove):
        await state.fail(old, FAILURE, fate="failed")
    with pytest.raises(IllegalMove):
        await state.unconfirm(old, FAILURE)

    assert dump(path) == before


async def test_the_ordinary_way_of_a_row_is_kept(state: StateFile) -> None:
    clip = clip_of(state, "one")
    sent = await state.begin_submit(clip, "request:1", 0.6)
    assert replace(sent, moved=0) == replace(clip_of(state, "one"), moved=0), (
        "the copy a stage goes on with is the row on disk"
    )
    await state.accept(sent, "g:1", None)
    rendering = clip_of(state, "one")
    assert (rendering.status, rendering.generation_id, rendering.submitted_at, rendering.attempts) == (
        Status.RENDERING,
        "g:1",
        NOW,
        1,
    )
    more_usd = await state.complete(rendering, "https://cdn/1", 0.9)
    assert more_usd == pytest.approx(0.3)
    downloading = clip_of(state, "one")
    assert (downloading.video_url, downloading.completed_at) == ("https://cdn/1", NOW)
    state.note_part(downloading, '{"boot":"b"}')
    await state.relink(downloading)
    await state.complete(clip_of(state, "one"), "https://cdn/2", None)
    downloading = clip_of(state, "one")
    assert (downloading.video_url, downloading.part) == ("https://cdn/2", '{"boot":"b"}')
    await state.finish(downloading, sha256="ab", size_bytes=3, duration_s=5.0)

    done = clip_of(state, "one")
    assert (done.status, done.part) == (Status.DONE, "")
    assert state.reserved_usd() == pytest.approx(0.9)
    assert fates(state) == [("request:1", "completed")]


async def test_a_request_that_never_left_leaves_no_trace(path: Path, state: StateFile) -> None:
    before = clip_of(state, "one")

    await state.take_back(await state.begin_submit(before, "request:1", 0.6), forget=True)

    after = clip_of(state, "one")
    assert replace(after, moved=before.moved) == before
    assert fates(state) == []
    assert state.reserved_usd() == 0


async def test_a_request_that_never_left_gives_back_the_attempt_before_it(path: Path, state: StateFile) -> None:
    await state.take_back(await state.begin_submit(clip_of(state, "one"), "request:1", 0.6), forget=False)
    await state.take_back(await state.begin_submit(clip_of(state, "one"), "request:2", 0.6), forget=True)

    clip = clip_of(state, "one")
    assert (clip.client_request_id, clip.attempts) == ("request:1", 1)
    assert fates(state) == [("request:1", "refused")]


@pytest.mark.parametrize(("fate", "reserved"), [("failed", 0.0), ("refused", 0.0), (None, 0.5)])
async def test_a_failure_frees_what_it_settles(state: StateFile, fate: str | None, reserved: float) -> None:
    clip = await bring(state, "one", Status.RENDERING)

    freed = await state.fail(clip, FAILURE, fate=fate)

    assert freed == pytest.approx(0.5 - reserved)
    assert state.reserved_usd() == pytest.approx(reserved)


async def test_what_may_be_paid_stays_in_the_books(state: StateFile) -> None:
    await bring(state, "one", Status.UNCONFIRMED)
    lost = await bring(state, "two", Status.SUBMITTING)
    await state.lose(lost)
    await state.resubmit(clip_of(state, "two"))

    assert state.reserved_usd() == pytest.approx(1.2)
    assert fates(state) == [("request:one:0", "unconfirmed"), ("request:two:0", "unconfirmed")]


async def test_an_adopted_row_goes_by_the_id_that_retrieve_knows(state: StateFile) -> None:
    clip = await bring(state, "one", Status.RENDERING)

    state.rename(clip, "another-form")
    await bring(state, "two", Status.SUBMITTING)

    assert clip_of(state, "one").generation_id == "another-form"


async def test_a_correlation_id_is_never_used_twice(path: Path, state: StateFile) -> None:
    await state.begin_submit(clip_of(state, "one"), "request:1", 0.6)
    before = dump(path)

    with pytest.raises(Exception, match="UNIQUE"):
        await state.begin_submit(clip_of(state, "two"), "request:1", 0.6)

    assert dump(path) == before
    assert clip_of(state, "two").status is Status.PENDING


async def test_a_part_is_only_noted_while_it_is_loaded(state: StateFile) -> None:
    clip = await bring(state, "one", Status.DONE)

    state.note_part(replace(clip, status=Status.DOWNLOADING), "{}")
    await bring(state, "two", Status.SUBMITTING)

    assert clip_of(state, "one").part == ""


@pytest.mark.parametrize("end", ["finish", "take_back", "fail"])
async def test_counts_are_those_of_the_table_also_for_rows_that_left_the_manifest(path: Path, end: str) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path, clock=lambda: NOW)
    await bring(state, "two", Status.DOWNLOADING if end == "finish" else Status.SUBMITTING)
    await state.close()
    take(path, rows_named(["one"]))

    state = StateFile(path, clock=lambda: NOW)
    clip = clip_of(state, "two")
    try:
        if end == "finish":
            await state.finish(clip, sha256="ab", size_bytes=3, duration_s=5.0)
        elif end == "take_back":
            await state.take_back(clip, forget=True)
        else:
            await state.fail(clip, FAILURE, fate="refused")

        assert state.counts == counts_by_status(state._reader)
    finally:
        await state.close()
