"""What a stop finds not yet begun is not begun."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.clip import Clip, Status
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
