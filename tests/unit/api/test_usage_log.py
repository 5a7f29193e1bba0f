"""All since a time is asked for, in windows that the log shows, and each page once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest

from pipeline.api import LogEntry, LogPage
from pipeline.api.usage_log import note_lines, walk_log, windows_since

DAY_S = 86_400.0
NOW = 1_800_000_000.0


def entry(name: str) -> LogEntry:
    return LogEntry(name, name, failed=False, cost_usd=None, created="")


@pytest.mark.parametrize("age_s", [-3 * DAY_S, 0.0, 19 * 3600.0])
def test_what_is_young_is_within_a_day_of_the_server_s_own_clock(age_s: float) -> None:
    assert list(windows_since(NOW - age_s, NOW)) == [{"period": "24h"}]


@pytest.mark.parametrize("days", [0.9, 1, 89, 90, 91, 120, 400])
def test_windows_reach_back_without_a_gap_and_none_is_too_long(days: float) -> None:
    windows = [
        tuple(datetime.fromisoformat(window[name]).timestamp() for name in ("start", "end"))
        for window in windows_since(NOW - days * DAY_S, NOW)
    ]

    assert windows[0][1] >= NOW + 3600
    assert windows[-1][0] <= NOW - days * DAY_S - 3600
    assert all(later[0] == earlier[1] for later, earlier in pairwise(windows))
    assert all(0 < end - start <= 92 * DAY_S for start, end in windows)


async def test_each_window_is_read_to_its_last_page() -> None:
    pages = {
        ("a", 0): LogPage((entry("1"), entry("2")), has_more=True),
        ("a", 2): LogPage((entry("3"),), has_more=False),
        ("b", 0): LogPage((), has_more=True),
        ("c", 0): LogPage((entry("4"),), has_more=False),
    }

    async def ask(window: Mapping[str, str], offset: int) -> LogPage:
        return pages.pop((window["period"], offset))

    walked = walk_log(ask, iter([{"period": name} for name in "abc"]))

    assert [one.inference_id async for page in walked for one in page.entries] == ["1", "2", "3", "4"]
    assert not pages


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_lines_the_one_that_tells_most_is_noted(turned: bool) -> None:
    made, billed = entry("r1"), replace(entry("r2"), inference_id="")
    lines = [
        made, replace(made, inference_id="", failed=True), billed, replace(billed, failed=True), entry("another's"),
    ]  # fmt: skip
    found: dict[str, LogEntry] = {}

    for line in lines[::-1] if turned else lines:
        note_lines(LogPage((line,), has_more=False), {"r1", "r2"}, found)

    assert found == {"r1": made, "r2": billed}
