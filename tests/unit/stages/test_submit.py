"""What a stop finds not yet begun is not begun."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.api.assets import SubmitBody
from pipeline.api.wire import Accepted
from pipeline.clip import Clip, Status
from pipeline.errors import ServerTrouble, UnknownFate
from pipeline.stages import submit
from pipeline.stages.submit import SubmitStage
from pipeline.state.store import Arrivals, Inbox
from tests.unit.making import a_clip

ROWS = 500


class Night:
    """A context in which any number may be submitted at once."""

    def __init__(self, out: Path) -> None:
        self.begun: list[Clip] = []
        self.rows = [a_clip(f"r{number}", seq=number, moved=number) for number in range(1, ROWS + 1)]
        arrived = Arrivals()
        arrived.set()
        faults: list[Exception] = []
        self.context: Any = SimpleNamespace(
            state=SimpleNamespace(
                inbox=lambda *_, **__: Inbox(self.read, arrived), counts=dict.fromkeys(Status, 0), tag="t1",
                begin_submit=self.begin_submit,
            ),
            pace=SimpleNamespace(wait_s=lambda *_: 0.0, started=lambda *_: None, window=SimpleNamespace(size=ROWS)),
            learning=SimpleNamespace(plan=lambda *_: None), catalogue={}, out=out, now=lambda: 0.0, airborne=0,
            budget=SimpleNamespace(reserve=lambda *_: None, release=lambda *_: None),
            submitting_over=asyncio.Event(), within_hours=asyncio.Event(), room=asyncio.Event(), faults=faults,
            break_off=faults.append,
        )  # fmt: skip
        self.context.within_hours.set()

    def read(self, after: int, limit: int) -> Sequence[Clip]:
        return [clip for clip in self.rows if clip.moved > after][:limit]

    async def begin_submit(self, clip: Clip, *_: object) -> Clip:
        self.begun.append(clip)
        raise asyncio.CancelledError


async def test_a_stop_while_requests_are_prepared_submits_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path)
    loop = asyncio.get_running_loop()
    prepared: list[Clip] = []

    def prepare_bodies(clips: Sequence[Clip]) -> list[object]:
        loop.call_soon_threadsafe(night.context.submitting_over.set)
        prepared.extend(clips)
        return [SimpleNamespace() for _ in clips]

    monkeypatch.setattr(submit, "prepare_bodies", prepare_bodies)
    await asyncio.wait_for(SubmitStage(night.context).run(), 30)
    assert prepared
    assert not night.begun
    assert not night.context.faults
    assert night.context.airborne == 0


async def test_a_listener_that_fails_before_the_request_leaves_takes_the_intent_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path)
    fault = BrokenPipeError("as of a print that nobody reads")
    taken_back: list[tuple[Clip, bool]] = []

    async def begin_submit(clip: Clip, *_: object) -> Clip:
        return clip

    async def take_back(clip: Clip, *, forget: bool) -> float:
        taken_back.append((clip, forget))
        return 0.0

    def tell(action: str, *_: object, **__: object) -> None:
        if action == "submitting":
            night.context.submitting_over.set()
            raise fault

    del night.rows[1:]
    night.context.state.begin_submit, night.context.state.take_back = begin_submit, take_back
    night.context.tell = tell
    monkeypatch.setattr(submit, "prepare_bodies", lambda clips: [SubmitBody([b"{}"]) for _ in clips])
    await asyncio.wait_for(SubmitStage(night.context).run(), 30)

    assert night.context.faults == [fault]
    assert taken_back == [(night.rows[0], True)]


async def test_a_fault_of_the_loop_leaves_the_submits_in_the_air_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Night(tmp_path)
    fault = sqlite3.OperationalError("disk I/O error")
    in_the_air, answered = asyncio.Event(), asyncio.Event()
    noted: list[str] = []

    async def begin_submit(clip: Clip, *_: object) -> Clip:
        return clip

    async def send(*_: object) -> Accepted:
        in_the_air.set()
        await answered.wait()
        return Accepted("g1", None, None)

    async def accept(clip: Clip, generation_id: str, _: object) -> float:
        noted.append(generation_id)
        return 0.0

    def break_off(error: Exception) -> None:
        night.context.faults.append(error)
        night.context.submitting_over.set()
        answered.set()

    def read(after: int, _: int) -> Sequence[Clip]:
        if after > 0:
            raise fault
        return night.rows[:1]

    arrived = Arrivals()
    night.context.state.inbox = lambda *_, **__: Inbox(read, arrived)
    night.context.state.begin_submit, night.context.state.accept = begin_submit, accept
    night.context.api = SimpleNamespace(submit=send)
    night.context.outage = SimpleNamespace(answered=lambda: None)
    night.context.pace.accepted = night.context.tell = lambda *_, **__: None
    night.context.break_off = break_off
    monkeypatch.setattr(submit, "prepare_bodies", lambda clips: [SimpleNamespace() for _ in clips])
    submitting = asyncio.create_task(SubmitStage(night.context).run())
    await asyncio.wait_for(in_the_air.wait(), 30)

    arrived.set()
    await asyncio.wait_for(submitting, 30)

    assert noted == ["g1"]
    assert night.context.faults == [fault]


def failing_with(error: Exception, rows: int, *, attempts: int = 12) -> tuple[SubmitStage, list[Clip], list[float]]:
    """A stage whose submits all fail so, its rows, and when its pace was told."""
    told: list[float] = []

    async def submit_row(*_: object) -> None:
        raise error

    async def begin_submit(clip: Clip, *_: object) -> Clip:
        return clip

    async def done(*_: object, **__: object) -> float:
        return 0.0

    context: Any = SimpleNamespace(
        state=SimpleNamespace(
            inbox=lambda *_, **__: Inbox(lambda *_: [], Arrivals()), tag="t1", begin_submit=begin_submit, lose=done,
            take_back=done, fail=done,
        ),
        # Polls are answered all the while, so no outage is seen.
        outage=SimpleNamespace(failures=0, failed=lambda *_: False, answered=lambda: None),
        pace=SimpleNamespace(failed=lambda now, *_: told.append(now)), api=SimpleNamespace(submit=submit_row),
        budget=SimpleNamespace(reserve=lambda *_: None, release=lambda *_: None), now=lambda: 0.0,
        submitting_over=asyncio.Event(), tell=lambda *_, **__: None, catalogue={},
        settings=SimpleNamespace(retry=SimpleNamespace(attempts=attempts)),
        backoff=SimpleNamespace(wait_s=lambda *_: 1.0),
    )  # fmt: skip
    stage = SubmitStage(context)
    stage._bodies = SimpleNamespace(do=done)  # type: ignore[assignment]
    return stage, [a_clip(f"r{number}", seq=number) for number in range(1, rows + 1)], told


async def test_an_api_that_loses_answers_is_given_rest() -> None:
    stage, rows, told = failing_with(UnknownFate("502"), 3)
    for row in rows:
        await stage._send(row)
    assert len(told) == 3


async def test_an_api_that_fails_row_after_row_is_given_rest_though_polls_are_answered() -> None:
    stage, rows, told = failing_with(ServerTrouble("503", status=503), 3)
    for row in rows:
        await stage._send(row)
    assert len(told) == 2


async def test_one_row_that_fails_again_and_again_holds_up_no_other() -> None:
    stage, (row,), told = failing_with(ServerTrouble("500", status=500), 1)
    for _ in range(5):
        await stage._send(row)
    assert not told
