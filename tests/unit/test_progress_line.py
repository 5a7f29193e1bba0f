"""How a run is told in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clip import Status
from pipeline.progress_line import Standing, duration, line

NOW = Standing(
    counts=dict.fromkeys(Status, 0) | {Status.DONE: 1234, Status.PENDING: 700, Status.RENDERING: 64, Status.FAILED: 2},
    done_s=6170.0, voice_s=10_000.0, spent_usd=740.4, estimated_usd=1200.0, in_flight=64, limit=80, polls_per_s=3.21, bytes_per_s=5.4e6, left_s=3900.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (45, "45 s"),
        (89, "89 s"),
        (90, "2 min"),
        (600, "10 min"),
        (5340, "89 min"),
        (5400, "1 h 30 min"),
        (3900 * 2, "2 h 10 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_all_is_told_where_there_is_room() -> None:
    said = line(NOW, 1000)

    for part in (
        "1,234 of 2,000 done",
        "$740.40 of $1,200.00",
        "2 failed",
        "64 of 80 in flight",
        "65 min left",
        "3.2 polls/s",
        "5.4 MB/s",
        "102.8 of 166.7 min",
    ):
        assert part in said
    assert "unconfirmed" not in said
    assert "downloading" not in said


def test_what_matters_most_stays_longest() -> None:
    assert line(NOW, 19) == "1,234 of 2,000 done"
    assert line(NOW, 30, ", ") == "1,234 of 2,000 done, 2 failed"
    assert line(NOW, 5) == "1,234 of 2,000 done", "that much is always told"


def test_what_can_not_be_said_is_not() -> None:
    said = line(
        replace(
            NOW,
            left_s=None,
            estimated_usd=0.0,
            voice_s=0.0,
            polls_per_s=0.0,
            bytes_per_s=0.0,
            limit=10_000,
            stopping=True,
        ),
        1000,
    )

    assert said == "1,234 of 2,000 done · 2 failed · 64 in flight, none added"


@given(
    columns=st.integers(40, 200),
    counts=st.fixed_dictionaries({status: st.integers(0, 10**6) for status in Status}),
    left_s=st.none() | st.floats(0, 1e7),
)
def test_the_line_never_breaks(columns: int, counts: dict[Status, int], left_s: float | None) -> None:
    assert len(line(replace(NOW, counts=counts, left_s=left_s), columns)) <= columns
