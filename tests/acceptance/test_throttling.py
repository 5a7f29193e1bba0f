"""429: the account's limits are found, kept, and cost nothing but time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.emulator import Action, Emulator, Plan, Rule
from tests.emulator.plan import Route

from .conftest import Nights


@pytest.mark.parametrize("window", ["auto", 6, 2])
def test_a_concurrency_limit_is_lived_with(own_emu: Emulator, nights: Nights, window: int | str) -> None:
    own_emu.set_plan(Plan(render_s=[0.1, 0.4], max_concurrent=3))
    night = nights(own_emu, 12, submit__max_in_flight=window)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=12)
    totals = own_emu.ledger()["totals"]
    assert totals["peak_rendering"] <= 3
    if window == "auto":
        assert totals["refused"].get("429", 0) <= 12  # the limit is learnt, not battered
    assert [told["attempts"] for told in night.rows().values()] == [1] * 12


def test_submits_that_are_refused_together_name_the_limit(own_emu: Emulator, nights: Nights) -> None:
    own_emu.set_plan(Plan(render_s=[2.0, 2.5], max_concurrent=12))
    night = nights(own_emu, 24)
    assert night.run().code == 0
    night.assert_paid_once(generations=24)
    refused = [
        (datetime.fromisoformat(line["at"]), line["window"]) for line in night.log() if line["action"] == "throttled"
    ]
    burst = [window for at, window in refused if at - refused[0][0] < timedelta(seconds=0.5)]
    assert min(burst) == 12
    assert len(refused) <= 16  # no more than were in the air, and a probe or two


def test_the_next_night_starts_where_this_one_ended(own_emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    # Slow enough that none ends unseen while the limit is looked for: it would seem to be higher.
    own_emu.set_plan(Plan(render_s=[1.0, 1.5], max_concurrent=3))
    refused = []
    for _ in range(2):
        night = nights(own_emu, 9, poll__strategy="adaptive")
        night.cache = str(tmp_path / "cache")
        before = own_emu.ledger()["totals"]["refused"].get("429", 0)
        assert night.run().code == 0
        night.assert_paid_once(generations=9)
        refused.append(own_emu.ledger()["totals"]["refused"].get("429", 0) - before)
    assert refused[0] > 0
    assert refused[1] == 0
    (kept,) = (tmp_path / "cache").iterdir()
    learned = json.loads(kept.read_text())
    assert learned["clips_at_once"] == 3
    assert len(learned["render_times"]) >= 9


def test_the_next_night_keeps_to_a_rate_that_this_one_found(own_emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    own_emu.set_plan(Plan(render_s=0.3))
    first, second = (nights(own_emu, rows, poll__interval_s=0.1) for rows in (2, 16))
    first.cache = second.cache = str(tmp_path / "cache")
    assert first.run().code == 0
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"requests_per_s": 8.0}))

    ended = second.run()

    assert ended.code == 0, ended.text
    second.assert_paid_once(generations=16)
    assert 8.0 <= json.loads(kept.read_text())["requests_per_s"] < 12.0


def test_clips_whose_submit_took_long_teach_as_well(own_emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    own_emu.set_plan(Plan(instant=True, rules=[Rule("submit", Action("slow", seconds=0.3))]))
    night = nights(own_emu, 3, poll__strategy="adaptive", poll__interval_s=0.05)
    night.cache = str(tmp_path / "cache")
    assert night.run().code == 0
    (kept,) = (tmp_path / "cache").iterdir()
    assert len(json.loads(kept.read_text())["render_times"]) == 3


def test_the_budget_of_requests_covers_submits_and_polls(own_emu: Emulator, nights: Nights) -> None:
    own_emu.set_plan(Plan(render_s=1.0))
    night = nights(own_emu, 6, api__requests_per_minute=600, poll__strategy="fixed", poll__interval_s=0.05)
    assert night.run().code == 0
    night.assert_paid_once(generations=6)
    times = sorted(line["at"] for route in ("submit", "retrieve") for line in night.journal(route))
    assert len(times) >= 18
    # A sender that is late may catch up on a tenth of a second. The first request may arrive any time after it was
    # sent, so it is the run's begin that the others are reckoned from.
    assert len(times) - 1 <= 10 * (times[-1] - night.run_began()) + 1


def test_a_fixed_window_is_never_exceeded(own_emu: Emulator, nights: Nights) -> None:
    own_emu.set_plan(Plan(render_s=0.2))
    night = nights(own_emu, 9, submit__max_in_flight=2)
    assert night.run().code == 0
    night.assert_paid_once(generations=9)
    assert own_emu.ledger()["totals"]["peak_rendering"] <= 2


def test_a_rate_limit_is_lived_with(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, requests_per_minute=600, rate_window_s=1.0))
    night = nights(emu, 12)
    assert night.run().code == 0
    night.assert_paid_once(generations=12)


def test_our_own_rate_is_kept(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1))
    night = nights(emu, 7, submit__requests_per_minute=150)
    assert night.run().code == 0
    night.assert_paid_once(generations=7)
    *_, last = (line["at"] for line in night.journal("submit"))
    # The first may arrive any time after it was sent; a sender that is late may catch up on a tenth of a second.
    assert last - night.run_began() >= 6 * 0.4 - 0.1


@pytest.mark.parametrize(
    ("route", "status"), [("submit", 429), ("submit", 503), ("retrieve", 429), ("retrieve", 503), ("download", 503)]
)
def test_retry_after_is_honoured(emu: Emulator, nights: Nights, route: Route, status: int) -> None:
    later = Action("status", status=status, headers={"Retry-After": "2"})
    emu.set_plan(Plan(render_s=0.1, rules=[Rule(route, later, nth=[1])]))
    rows = 1 if route == "download" else 2  # a link's trouble is no other link's
    night = nights(emu, rows, submit__max_in_flight=1)
    assert night.run().code == 0
    night.assert_paid_once(generations=rows)
    first, second, *_ = [line["at"] for line in night.journal(route)]
    assert second - first >= 1.8


def test_a_storm_of_429_passes(emu: Emulator, nights: Nights) -> None:
    storm = Action("status", status=429)
    emu.set_plan(Plan(render_s=0.1, rules=[Rule(route, storm, limit=15) for route in ("submit", "retrieve")]))
    night = nights(emu, 4)
    assert night.run().code == 0
    night.assert_paid_once(generations=4)
