"""What a run or a retry asks of many rows at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.clip import Failure, FailureCode, Status
from pipeline.errors import UsageError
from pipeline.state import StateFile
from pipeline.state.upkeep import changed_rows, forget_lost_files, known_ids, recover, rerender, resubmit, retry
from tests.unit.making import a_row, rows_named
from tests.unit.state.conftest import bring, clip_of, fates, take, written


async def after(path: Path, state: StateFile, act: Callable[[sqlite3.Connection], Any]) -> tuple[Any, StateFile]:
    """Close the state, act on it as the beginning of a run does, open it again."""
    await state.close()
    with written(path) as db:
        result = act(db)
    return result, StateFile(path)


def statuses_in(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT id, status FROM clips").fetchall())


async def failed(state: StateFile, row_id: str, status: Status, code: FailureCode, fate: str | None = None) -> None:
    await state.fail(await bring(state, row_id, status), Failure(code, "why"), fate=fate)


@pytest.fixture
async def reopened(path: Path) -> Any:
    """Reopen a state after an act on it; closed at the end."""
    opened: list[StateFile] = []

    async def reopen(state: StateFile, act: Callable[[sqlite3.Connection], Any]) -> tuple[Any, StateFile]:
        result, again = await after(path, state, act)
        opened.append(again)
        return result, again

    yield reopen
    for state in opened:
        await state.close()


RETRY = [
    # what failed, the failure, the fate, where plain retry puts it, where retry by name puts it
    (Status.SUBMITTING, FailureCode.BAD_REQUEST, "refused", Status.PENDING, Status.PENDING),
    (Status.SUBMITTING, FailureCode.SERVER, "refused", Status.PENDING, Status.PENDING),
    (Status.RENDERING, FailureCode.GENERATION_ERROR, "failed", Status.PENDING, Status.PENDING),
    (Status.RENDERING, FailureCode.TIMEOUT, None, Status.RENDERING, Status.RENDERING),
    (Status.DOWNLOADING, FailureCode.DOWNLOAD, None, Status.RENDERING, Status.RENDERING),
    (Status.DOWNLOADING, FailureCode.BAD_MEDIA, None, Status.RENDERING, Status.PENDING),
    (Status.RENDERING, FailureCode.NOT_FOUND, None, Status.RENDERING, Status.PENDING),
    (Status.RENDERING, FailureCode.GENERATION_ERROR, None, Status.RENDERING, Status.PENDING),
]


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize(("status", "code", "fate", "plain", "named"), RETRY)
async def test_a_retry_fetches_what_is_paid_and_buys_again_only_what_is_named(
    path: Path,
    reopened: Any,
    status: Status,
    code: FailureCode,
    fate: str | None,
    plain: Status,
    named: Status,
    by_name: bool,
) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await failed(state, "one", status, code, fate)

    retried, state = await reopened(state, lambda db: retry(db, ["one"] if by_name else []))

    expected = named if by_name else plain
    assert clip_of(state, "one").status is expected
    assert (retried.to_submit, retried.to_fetch, retried.left) == (
        (["one"], [], []) if expected is Status.PENDING else ([], ["one"], [])
    )
    assert clip_of(state, "two").status is Status.PENDING


async def test_a_named_row_that_is_done_is_rendered_again(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", Status.DONE)

    retried, state = await reopened(state, lambda db: retry(db, ["one"]))

    assert (retried.to_submit, clip_of(state, "one").status) == (["one"], Status.PENDING)


@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.SUBMITTING, Status.RENDERING, Status.DOWNLOADING, Status.UNCONFIRMED]
)
async def test_what_neither_failed_nor_is_done_is_left_alone(path: Path, reopened: Any, status: Status) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", status)

    retried, state = await reopened(state, lambda db: retry(db, ["one"]))

    assert (retried.left, retried.to_submit, retried.to_fetch) == (["one"], [], [])
    assert clip_of(state, "one").status is status


async def test_a_plain_retry_takes_failed_rows_and_no_others(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path)
    await bring(state, "one", Status.DONE)
    await failed(state, "two", Status.SUBMITTING, FailureCode.BAD_REQUEST, "refused")

    retried, state = await reopened(state, lambda db: retry(db, []))

    assert (retried.to_submit, retried.to_fetch, retried.left) == (["two"], [], [])
    assert clip_of(state, "one").status is Status.DONE


async def test_a_render_that_was_asked_for_and_could_not_be_sent_is_asked_for_again(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one"]))
    state = StateFile(path)
    await bring(state, "one", Status.DONE)
    _, state = await reopened(state, lambda db: retry(db, ["one"]))
    await state.fail(clip_of(state, "one"), Failure(FailureCode.BAD_REQUEST, "the voice is gone"))

    retried, state = await reopened(state, lambda db: retry(db, []))

    assert (retried.to_submit, retried.to_fetch) == (["one"], [])


def test_unknown_ids_are_named_at_once(path: Path) -> None:
    take(path, rows_named(["one", "two"]))
    with written(path) as db:
        known_ids(db, ["one", "two"])
        with pytest.raises(UsageError, match=r"no row of this job: three, four; `avatar-batch export` lists them"):
            retry(db, ["one", "three", "four"])


async def test_a_row_that_left_the_manifest_is_not_known(path: Path) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await failed(state, "one", Status.SUBMITTING, FailureCode.SERVER, "refused")
    await state.close()
    take(path, rows_named(["two"]))

    with written(path) as db:
        assert retry(db, []).to_submit == []
        with pytest.raises(UsageError, match="no row of this job: one"):
            known_ids(db, ["one"])


async def test_after_a_kill_what_was_in_the_air_is_lost_and_never_sent_again(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path)
    await bring(state, "one", Status.SUBMITTING)
    await bring(state, "two", Status.RENDERING)

    _, state = await reopened(state, recover)

    assert fates(state) == [("request:one:0", "lost"), ("request:two:0", "accepted")]
    assert [clip.id for clip in iter(state.inbox(Status.SUBMITTING).get_nowait, None)] == ["one"]
    assert [clip.id for clip in iter(state.inbox(Status.PENDING).get_nowait, None)] == ["three"]


async def test_what_is_unconfirmed_is_looked_for_once_more(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", Status.UNCONFIRMED)
    await state.unconfirm(await bring(state, "two", Status.RENDERING), Failure(FailureCode.NOT_FOUND, "404"))

    _, state = await reopened(state, recover)

    one, two = clip_of(state, "one"), clip_of(state, "two")
    assert (one.status, two.status) == (Status.SUBMITTING, Status.RENDERING)
    assert fates(state) == [("request:one:0", "lost"), ("request:two:0", "accepted")]
    assert state.reserved_usd() == pytest.approx(0.6 + 0.5)


async def test_resubmitting_is_for_generations_that_the_api_does_not_know(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", Status.UNCONFIRMED)
    await state.unconfirm(await bring(state, "two", Status.RENDERING), Failure(FailureCode.NOT_FOUND, "404"))

    one = clip_of(state, "one").seq

    to_look_for, state = await reopened(state, resubmit)

    assert to_look_for == {one}
    assert (clip_of(state, "one").status, clip_of(state, "two").status) == (Status.UNCONFIRMED, Status.PENDING)
    assert state.reserved_usd() == pytest.approx(0.6 + 0.5), "both may be paid for"


async def test_resubmitting_leaves_rows_alone_that_left_the_manifest(path: Path) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await state.unconfirm(await bring(state, "two", Status.RENDERING), Failure(FailureCode.NOT_FOUND, "404"))
    await state.close()
    take(path, rows_named(["one"]))

    with written(path) as db:
        assert resubmit(db) == frozenset()
        assert statuses_in(db) == {"one": "pending", "two": "unconfirmed"}


async def test_changed_rows_are_told_and_rendered_only_when_asked(path: Path, reopened: Any) -> None:
    names = ["done", "rendering", "failed", "pending", "same"]
    take(path, rows_named(names))
    state = StateFile(path)
    await bring(state, "done", Status.DONE)
    await bring(state, "same", Status.DONE)
    await bring(state, "rendering", Status.RENDERING)
    await bring(state, "failed", Status.FAILED)
    await state.close()
    take(path, [a_row(name, prompt="" if name == "same" else "another") for name in names])

    with written(path) as db:
        assert [(row_id, status) for _, row_id, status in changed_rows(db)] == [
            ("done", Status.DONE),
            ("rendering", Status.RENDERING),
        ]
        assert rerender(db) == 1
        assert [row_id for _, row_id, _ in changed_rows(db)] == ["rendering"]

    state = StateFile(path)
    try:
        assert (clip_of(state, "done").status, clip_of(state, "same").status) == (Status.PENDING, Status.DONE)
    finally:
        await state.close()


@pytest.mark.parametrize("ids", [[], ["one", "two"]])
async def test_a_retry_takes_none_that_only_leaves_out(path: Path, reopened: Any, ids: list[str]) -> None:
    take(path, rows_named(["one", "two", "three"]))
    state = StateFile(path)
    for name in ("one", "two", "three"):
        await bring(state, name, Status.FAILED)

    retried, state = await reopened(state, lambda db: retry(db, ids, ["two", "three"]))

    taken = ["two"] if ids else ["two", "three"]
    assert (retried.to_submit, retried.to_fetch, retried.left) == (taken, [], [])
    assert [clip_of(state, name).error_code for name in ("one", "two")] == ["generation_error", ""]


async def test_a_retry_of_none_among_only_is_no_retry_of_all(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", Status.FAILED)
    await bring(state, "two", Status.FAILED)

    retried, state = await reopened(state, lambda db: retry(db, ["one"], ["two"]))

    assert (retried.to_submit, retried.to_fetch, retried.left) == ([], [], [])


async def test_only_holds_for_what_is_resubmitted_and_rendered_again(path: Path) -> None:
    names = ["log-1", "log-2", "denied-1", "denied-2", "done-1", "done-2"]
    take(path, rows_named(names))
    state = StateFile(path)
    for number in ("1", "2"):
        await bring(state, f"log-{number}", Status.UNCONFIRMED)
        await state.unconfirm(
            await bring(state, f"denied-{number}", Status.RENDERING), Failure(FailureCode.NOT_FOUND, "")
        )
        await bring(state, f"done-{number}", Status.DONE)
    first = clip_of(state, "log-1").seq
    await state.close()
    take(path, [a_row(name, prompt="another") for name in names])

    only = ["log-1", "denied-1", "done-1"]
    with written(path) as db:
        assert resubmit(db, only) == {first}
        assert rerender(db, only) == 1
        assert statuses_in(db) == {
            "log-1": "unconfirmed", "log-2": "unconfirmed", "denied-1": "pending", "denied-2": "unconfirmed",
            "done-1": "pending", "done-2": "done",
        }  # fmt: skip


async def test_a_clip_that_is_gone_from_out_is_fetched_and_not_bought_again(path: Path, reopened: Any) -> None:
    take(path, rows_named(["one", "two"]))
    state = StateFile(path)
    await bring(state, "one", Status.DONE)
    await bring(state, "two", Status.DONE)
    (path.parent / "two.mp4").touch()

    lost, state = await reopened(state, lambda db: forget_lost_files(db, path.parent))

    one = clip_of(state, "one")
    assert lost == ["one"]
    assert (one.status, one.generation_id, clip_of(state, "two").status) == (
        Status.RENDERING,
        "generation:one:1",
        Status.DONE,
    )
    assert one.completed_at, "so the poll asks at once"
