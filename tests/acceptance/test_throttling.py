"""429: the account's limits are found, kept, and cost nothing but time."""

from __future__ import annotations

import pytest

from tests.emulator import Action, Emulator, Plan, Rule

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
    night = nights(emu, 5, submit__requests_per_minute=150)
    assert night.run().code == 0
    night.assert_paid_once(generations=5)
    times = [line["at"] for line in night.journal("submit")]
    assert times[-1] - times[0] >= 4 * 0.4 * 0.9


def test_retry_after_is_honoured(emu: Emulator, nights: Nights) -> None:
    later = Action("status", status=429, headers={"Retry-After": "2"})
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", later, nth=[1])]))
    night = nights(emu, 2, submit__max_in_flight=1)
    assert night.run().code == 0
    night.assert_paid_once(generations=2)
    first, second, *_ = [line["at"] for line in night.journal("submit")]
    assert second - first >= 1.8


def test_a_storm_of_429_passes(emu: Emulator, nights: Nights) -> None:
    storm = Action("status", status=429)
    emu.set_plan(Plan(render_s=0.1, rules=[Rule(route, storm, limit=15) for route in ("submit", "retrieve")]))
    night = nights(emu, 4)
    assert night.run().code == 0
    night.assert_paid_once(generations=4)
