"""What the line about a run begins with."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import Settings
from pipeline.clip import Status
from pipeline.events import Event
from pipeline.pacing import Backoff, FixedWindow, Learned, Learning, Memory, SubmitPace, poll_plan_for
from pipeline.settings.sections import ApiSettings
from pipeline.state import StateView
from pipeline.state.store import PendingEstimate
from pipeline.tally import Tally
from pipeline.trouble import Trouble
from tests.report.making import MODEL, Fate, make_night

LEARNED = Learned(render_times=tuple((295.0 + n, 305.0 + n, 5.0) for n in range(-20, 21)))


def begun(
    tmp_path: Path, fates: list[Fate], learned: Learned, only: Sequence[str] = (), *, within_hours: bool = True
) -> Tally:
    """A run's tally as it begins, with what earlier runs learned."""
    out = make_night(tmp_path / "out", fates)
    settings = Settings(api=ApiSettings(provider="aimlapi"))
    memory = Memory("https://api.example", tmp_path / "cache")
    memory.keep(MODEL, learned)
    pace = SubmitPace(FixedWindow(4), 0.0, Backoff(1.0, 60.0, random.Random(1)))
    with StateView(out / "state.db") as view:
        overview = view.overview()
    context: Any = SimpleNamespace(
        out=out, settings=settings, catalogue=settings.catalogue, now=lambda: 0.0, polls=0, bytes_received=0, pace=pace,
        learning=Learning(memory, pace, lambda _: poll_plan_for("fixed", 10.0, 0.0)), stop_reason=None,
        state=SimpleNamespace(
            counts=dict.fromkeys(Status, 0) | Counter(Status(fate.end) for fate in fates),
            pending_estimate=lambda *, only: PendingEstimate(len(only), 0.0, 0),
        ),
        within_hours=SimpleNamespace(is_set=lambda: within_hours),
    )  # fmt: skip
    return Tally(context, overview, Trouble(), only)


@pytest.mark.parametrize(("learned", "render_s"), [(LEARNED, 300.0), (Learned(), 530.0)])
def test_the_first_guess_is_what_earlier_nights_took(tmp_path: Path, learned: Learned, render_s: float) -> None:
    tally = begun(tmp_path, [Fate("pending")] * 12, learned)

    left_s = tally.standing().left_s

    assert left_s == pytest.approx(3 * render_s, rel=0.05)  # 12 clips in 4 places


def test_the_time_left_is_of_the_rows_asked_for(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("pending")] * 12, Learned(), ["clip-0001"])

    assert tally.standing().left_s == pytest.approx(530.0)


def test_rows_that_are_not_asked_for_are_not_waited_for(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("done"), Fate("pending")], Learned(), ["clip-0001"])
    state: Any = tally._context.state
    state.pending_estimate = lambda **_: PendingEstimate(0, 0.0, 0)

    assert tally.standing().looking


def test_while_only_downloads_are_left_no_time_is_said(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("done")], Learned())
    counts: Any = tally._context.state.counts
    counts[Status.DOWNLOADING] = 500

    standing = tally.standing()

    assert (standing.left_s, standing.looking) == (None, False)


def test_before_the_hours_nothing_is_foreseen(tmp_path: Path) -> None:
    assert begun(tmp_path, [Fate("pending")] * 12, Learned(), within_hours=False).standing().left_s is None


def test_what_an_earlier_run_submitted_costs_what_it_was_told(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("rendering"), *[Fate("pending")] * 3], Learned())
    with StateView(tmp_path / "out" / "state.db") as view:
        first, *others = view.records()
    assert first.estimated_usd not in {other.estimated_usd for other in others}

    tally.take(Event(1.0, "completed", first.id))

    assert tally.standing().spent_usd == pytest.approx(first.estimated_usd)


def test_a_link_that_is_asked_for_again_is_no_clip_that_rendered(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("pending")] * 12, Learned())
    before = tally.standing().left_s

    tally.take(Event(2.0, "completed", "clip-0001", {"again": True}))

    assert not tally._eta._ends
    assert tally.standing().left_s == before


def test_a_clip_whose_link_is_asked_for_again_is_paid_for_once(tmp_path: Path) -> None:
    tally = begun(tmp_path, [Fate("pending")] * 2, Learned())

    tally.take(Event(1.0, "completed", "r1", {"cost_usd": 0.5}))
    tally.take(Event(2.0, "completed", "r1", {"cost_usd": 0.5, "again": True}))

    assert tally.standing().spent_usd == pytest.approx(0.5)
