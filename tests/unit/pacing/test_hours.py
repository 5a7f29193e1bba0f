"""The next 06:00, also on the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pacing.hours import Hours, hours_from, next_at, parse_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "wall"), [("06:00", time(6)), ("6:00", time(6)), (" 22:30 ", time(22, 30)), ("24:00", time(0))]
)
def test_times_of_day_are_read(text: str, wall: time) -> None:
    assert parse_time(text) == wall


@pytest.mark.parametrize("text", ["", "6", "25:00", "24:01", "12:60", "6am", "06:00:00", "-1:00"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time of day"):
        parse_time(text)


@pytest.mark.parametrize(
    ("now", "wall", "then"),
    [
        ("2026-01-10T22:00+01:00", "06:00", "2026-01-11T06:00+01:00"),
        ("2026-01-10T05:59+01:00", "06:00", "2026-01-10T06:00+01:00"),
        ("2026-01-10T06:00+01:00", "06:00", "2026-01-11T06:00+01:00"),
        ("2026-03-28T22:00+01:00", "06:00", "2026-03-29T06:00+02:00"),  # an hour is skipped on the way
        ("2026-03-28T22:00+01:00", "02:30", "2026-03-29T03:00+02:00"),  # 02:30 itself is
        ("2026-10-25T00:00+02:00", "02:30", "2026-10-25T02:30+02:00"),  # 02:30 comes twice
        ("2026-10-25T02:30+02:00", "02:30", "2026-10-25T02:30+01:00"),
        ("2026-10-24T22:00+02:00", "06:00", "2026-10-25T06:00+01:00"),
    ],
)
def test_the_next_time_is_the_one_that_clocks_will_show(now: str, wall: str, then: str) -> None:
    found = next_at(parse_time(wall), datetime.fromisoformat(now), BERLIN)
    # Not compared as they are: in the hour that comes twice, times of two zones are never equal (PEP 495).
    assert found.timestamp() == datetime.fromisoformat(then).timestamp()


@pytest.mark.parametrize(
    ("now", "start_at", "until", "start", "end"),
    [
        ("12:00", "22:00", None, "10T22:00", None),
        ("12:00", None, "06:00", None, "11T06:00"),
        ("12:00", "22:00", "06:00", "10T22:00", "11T06:00"),
        ("23:00", "22:00", "06:00", None, "11T06:00"),  # the night has begun
        ("05:59", "22:00", "06:00", None, "10T06:00"),
        ("06:00", "22:00", "06:00", "10T22:00", "11T06:00"),
        ("09:00", "08:00", "18:00", None, "10T18:00"),
        ("19:00", "08:00", "18:00", "11T08:00", "11T18:00"),
        ("12:00", "06:00", "06:00", None, "11T06:00"),  # all day
        ("12:00", None, None, None, None),
    ],
)
def test_a_run_keeps_its_hours(
    now: str, start_at: str | None, until: str | None, start: str | None, end: str | None
) -> None:
    def wall(text: str | None) -> time | None:
        return parse_time(text) if text else None

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(f"2026-01-{text}+01:00") if text else None

    began = datetime.fromisoformat(f"2026-01-10T{now}+01:00")
    found = hours_from(began, wall(start_at), wall(until), BERLIN)
    assert found == Hours(moment(start), moment(end))


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
)
def test_it_is_always_within_a_day_and_a_bit(now: datetime, wall: time, zone: str) -> None:
    moment = now.replace(tzinfo=UTC)
    found = next_at(wall, moment, ZoneInfo(zone))
    assert moment < found <= moment + timedelta(hours=25, minutes=1)


def test_without_a_zone_it_is_this_machines() -> None:
    found = next_at(time(6), datetime.now(UTC))
    assert found.tzinfo is not None
    assert (found.astimezone().hour, found.astimezone().minute) == (6, 0)
