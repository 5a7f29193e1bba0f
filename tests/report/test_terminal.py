"""The terminal's view: true, calm, and fit for any width and any place."""

from __future__ import annotations

import io
import os
import pty
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clip import Clip, Status
from pipeline.events import Event
from pipeline.job import Opened
from pipeline.progress import SAID_OF_A_KIND, Progress
from pipeline.progress_line import Standing, duration, line
from pipeline.state import Overview
from pipeline.state.intake import Intake


def standing(**values: Any) -> Standing:
    counts = dict.fromkeys(Status, 0) | {Status.DONE: 89, Status.RENDERING: 12, Status.PENDING: 137, Status.FAILED: 2}
    known: dict[str, Any] = {
        "counts": counts, "done_s": 720.0, "voice_s": 1980.0, "spent_usd": 10.7, "estimated_usd": 29.0, "in_flight": 12,
        "limit": 12, "polls_per_s": 1.23, "bytes_per_s": 3.4e6, "left_s": 5700.0,
    }  # fmt: skip
    return Standing(**(known | values))


def test_a_wide_line_tells_everything_in_a_steady_order() -> None:
    assert line(standing(), 200) == (
        "89 of 240 done · 12.0 of 33.0 min · $10.70 of $29.00 · 2 failed · 12 of 12 in flight · 1.2 polls/s · 3.4 MB/s · 1 h 35 min left"
    )


def test_in_sixty_columns_what_matters_stays() -> None:
    assert line(standing(), 52) == "89 of 240 done · 2 failed · 1 h 35 min left"


@given(st.integers(10, 250), st.integers(0, 10**6), st.floats(0, 1e6) | st.none())
def test_no_line_is_wider_than_its_place(columns: int, failed: int, left_s: float | None) -> None:
    counts = dict.fromkeys(Status, 10**6) | {Status.FAILED: failed}
    made = line(standing(counts=counts, left_s=left_s), columns)
    assert len(made) <= columns or " · " not in made


@pytest.mark.parametrize(("seconds", "words"), [(4, "4 s"), (89, "89 s"), (700, "12 min"), (5700, "1 h 35 min")])
def test_durations_are_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def _failure(number: int, code: str = "generation_error") -> Event:
    return Event(random.random(), "failed", f"row-{number}", {"code": code, "message": "no face"})


def test_the_first_failures_are_told_with_the_remedy_and_a_thousand_alike_are_not() -> None:
    stream = io.StringIO()
    progress = Progress(stream=stream)
    for number in range(1000):
        progress.on_event(_failure(number))
    progress.on_event(_failure(1001, "bad_request"))
    said = stream.getvalue().splitlines()
    assert said[0] == "row-0: failed: generation_error: no face"
    assert "not billed" in said[1]
    assert said[-2] == "row-1001: failed: bad_request: no face"
    assert len(said) == SAID_OF_A_KIND + 1 + 1 + 2


def test_rows_asked_for_are_named_before_anything_is_sent() -> None:
    stream = io.StringIO()
    opened = Opened(Intake(), (), 0, (), frozenset(), None, 0)
    overview = Overview(dict.fromkeys(Status, 0) | {Status.PENDING: 20}, 4.8, 0.0, 0.0, 40.0, 0.0)

    Progress(stream=stream, only=[f"r{number}" for number in (1, *range(1, 13))]).opened(opened, overview)

    assert "20 to render" in stream.getvalue()
    rows = ", ".join(f"r{number}" for number in range(1, 11))
    assert f"only these rows are submitted, unless they are done: {rows} and 2 more\n" in stream.getvalue()


def test_verbose_tells_each() -> None:
    stream = io.StringIO()
    progress = Progress(stream=stream, verbose=True)
    for number in range(100):
        progress.on_event(_failure(number))
    assert stream.getvalue().count("no face") == 100


def test_a_pipe_gets_no_control_characters_and_a_foreign_encoding_no_strange_ones() -> None:
    for encoding in ("utf-8", "ascii"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        progress = Progress(stream=stream)
        progress.rows_read(5000)
        progress.on_event(_failure(1))
        stream.flush()
        written = stream.buffer.getvalue()
        assert b"\r" not in written
        assert b"\x1b" not in written


def test_a_terminal_is_asked_for_its_width() -> None:
    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w", closefd=False) as stream:
            progress = Progress(stream=stream)
            assert progress._columns() >= 20
    finally:
        os.close(master)
        os.close(slave)
    assert Progress(stream=io.StringIO())._columns() == 80


def test_a_clip_is_no_row_of_the_line() -> None:
    """The line is made of counts alone, so that it costs the same at four rows and at four thousand."""
    assert not any(isinstance(value, Clip) for value in vars(Standing).values())
