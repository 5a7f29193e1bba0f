"""The wall clock decides, whatever it does meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from pipeline.errors import HoursOver, StopRun
from pipeline.pacing.hours import Hours
from pipeline.stages.hours import HoursStage

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


class Night:
    """A context, a clock that goes on with each sleep, and what was done when."""

    def __init__(self, *jumps: tuple[int, timedelta]) -> None:
        self.now = NOON
        self.sleeps = 0
        self.jumps = dict(jumps)
        self.begun: datetime | None = None
        self.stopped: list[tuple[datetime, StopRun]] = []
        self.told: list[str] = []
        self.context: Any = SimpleNamespace(
            within_hours=SimpleNamespace(set=self.begin),
            tell=lambda action, **_: self.told.append(action),
            stop_submitting=lambda reason: self.stopped.append((self.now, reason)),
        )

    def begin(self) -> None:
        assert self.begun is None
        self.begun = self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self.now += timedelta(seconds=seconds) + self.jumps.get(self.sleeps, timedelta())

    async def keep(self, start: datetime | None, end: datetime | None) -> None:
        await HoursStage(self.context, Hours(start, end), clock=lambda: self.now, sleep=self.sleep).run()


async def test_without_hours_submitting_begins_at_once_and_has_no_end() -> None:
    night = Night()
    await night.keep(None, None)
    assert night.begun == NOON
    assert (night.stopped, night.told, night.sleeps) == ([], [], 0)


async def test_it_begins_and_ends_on_time() -> None:
    night = Night()
    start, end = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    await night.keep(start, end)
    assert night.told == ["waits"]
    assert night.begun == start
    ((at, reason),) = night.stopped
    assert at == end
    assert isinstance(reason, HoursOver)
    assert "run again" in str(reason).lower()


async def test_a_machine_that_slept_is_not_late() -> None:
    night = Night((10, timedelta(hours=3)))
    start = NOON + timedelta(hours=1)
    await night.keep(start, start + timedelta(hours=5))
    assert night.begun is not None
    assert night.begun - NOON < timedelta(hours=3, seconds=12)
    assert night.stopped[0][0] == start + timedelta(hours=5)


async def test_a_clock_that_is_set_back_waits_on() -> None:
    night = Night((10, timedelta(hours=-1)))
    await night.keep(NOON + timedelta(minutes=1), None)
    assert night.begun == NOON + timedelta(minutes=1)
    assert night.sleeps > 3600
