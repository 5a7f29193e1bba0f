"""What is kept for the next night."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from pipeline.pacing import AdaptiveWindow, Backoff, SubmitPace, poll_plan_for
from pipeline.pacing.memory import CACHE_VARIABLE, Learned, Memory, cache_folder
from pipeline.pacing.render_times import Observation

LEARNED = Learned(clips_at_once=24, requests_per_s=5.0, render_times=((500.0, 510.0, 6.0),))


def test_what_was_kept_is_recalled_by_address_and_model(tmp_path: Path) -> None:
    Memory("https://api.example/", tmp_path / "cache").keep("m", LEARNED)
    memory = Memory("https://api.example", tmp_path / "cache")
    assert memory.recall("m") == LEARNED
    assert memory.recall("m").observations[0].by_s == 510.0
    assert memory.recall("another") == Learned()
    assert Memory("https://other.example", tmp_path / "cache").recall("m") == Learned()


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    memory = Memory("https://api.example", tmp_path)
    for _ in range(3):
        memory.keep("m", LEARNED)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 99}',
        b'{"clips_at_once": -4}',
        b'{"clips_at_once": 1' + b"0" * 400 + b"}",
        b'{"requests_per_s": 0.0}',
        b'{"clips_at_once": 4, "submits_per_s": 1e-9}',
        b"\xff\xfe",
        b'{"version": "x"}',
    ],
)
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    memory = Memory("https://api.example", tmp_path)
    memory.keep("m", LEARNED)
    next(tmp_path.iterdir()).write_bytes(content)
    assert memory.recall("m").clips_at_once is None


def test_nonsense_among_the_render_times_is_left_out(tmp_path: Path) -> None:
    assert Learned(
        render_times=(
            (5.0, 4.0, 1.0),
            (-1.0, 1.0, 1.0),
            (0.0, 5e-324, 1.0),
            (0.0, 1e300, 1.0),
            (0.0, 2e6, 1.0),
            (1.0, 2.0, 1.0),
        )
    ).observations == (Observation(1.0, 2.0, 1.0),)


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory("https://api.example", tmp_path / "file" / "cache")
    memory.keep("m", LEARNED)
    assert memory.recall("m") == Learned()


def test_without_a_folder_nothing_is_kept() -> None:
    memory = Memory("https://api.example", None)
    memory.keep("m", LEARNED)
    assert memory.recall("m") == Learned()


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"HOME": "/h"}, "linux", Path("/h/.cache/avatar-batch")),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "linux", Path("/x/avatar-batch")),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "linux", Path("/h/.cache/avatar-batch")),
        ({"HOME": "/h"}, "darwin", Path("/h/Library/Caches/avatar-batch")),
        ({"HOME": "/h", CACHE_VARIABLE: "/c"}, "linux", Path("/c")),
        ({"HOME": "/h", CACHE_VARIABLE: ""}, "linux", None),
        ({}, "linux", None),
    ],
)
def test_the_folder_is_where_the_platform_keeps_caches(
    environ: dict[str, str], platform: str, folder: Path | None
) -> None:
    assert cache_folder(environ, platform) == folder


def test_a_night_starts_where_the_last_one_ended(tmp_path: Path) -> None:
    memory = Memory("https://api.example", tmp_path)
    plan = poll_plan_for("adaptive", 1.0, 5.0)
    for number in range(60):
        plan.renders(number, 0.0, 5.0)
        plan.renders(number, 500.0 + number, 5.0)
        plan.ready(number, 510.0 + number, 5.0)
    pace = SubmitPace(AdaptiveWindow(limit=24), 0.0, Backoff(1.0, 60.0, random.Random(1)))
    pace.submits.learned_per_s = 2.0
    memory.keep("m", pace.learned(plan.observations))

    learned = memory.recall("m")
    tomorrow = SubmitPace(AdaptiveWindow(), 0.0, Backoff(1.0, 60.0, random.Random(1)))
    tomorrow.recall(learned)
    next_plan = poll_plan_for("adaptive", 1.0, 5.0)
    next_plan.learn(learned.observations)

    assert isinstance(tomorrow.window, AdaptiveWindow)
    assert tomorrow.window.limit == 24
    assert tomorrow.window.size < 24  # grown to, not jumped to
    assert tomorrow.submits.learned_per_s == 2.0
    assert tomorrow.requests.learned_per_s == math.inf
    assert 250 < next_plan.gap_s(0.0, 5.0) < 520
