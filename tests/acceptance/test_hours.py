"""``--start-at`` and ``--until``: nothing is sent before or after, and what renders is finished."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.emulator import Emulator, Plan

from .conftest import Nights


def wall(minutes: float) -> str:
    """A time of day so far from now."""
    return (datetime.now().astimezone() + timedelta(minutes=minutes)).strftime("%H:%M")


def test_nothing_is_sent_before_its_time(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1))
    night = nights(emu, 2)
    with night.start("run", "--start-at", wall(90), hook={"clock": [2 * 3600, 4.0]}) as running:
        night.wait_for(lambda: any(line["action"] == "waits" for line in night.log()))
        assert not night.journal("submit")
        ended = running.wait()
    assert ended.code == 0, ended.text
    assert "nothing is submitted before" in ended.stderr
    night.assert_paid_once(generations=2)


def test_what_renders_when_the_time_is_over_is_finished_and_the_rest_stays(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 4, submit__max_in_flight=2)
    with night.start("run", "--until", wall(90), hook={"clock": [2 * 3600, 3.0]}) as running:
        night.wait_for(lambda: any(line["action"] == "stop_submitting" for line in night.log()))
        emu.finish()
        ended = running.wait()
    assert ended.code == 3, ended.text
    assert "nothing more is submitted" in ended.stderr
    assert sorted(night.states().values()) == ["done", "done", "pending", "pending"]
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("run", "--until", wall(90)).code == 0
    night.assert_paid_once(generations=4)


def test_what_is_no_time_of_day_is_said_so(emu: Emulator, nights: Nights) -> None:
    ended = nights(emu, 1).run("run", "--until", "6am")
    assert ended.code == 2
    assert "'6am' isn't a time of day such as 06:00" in ended.stderr
