"""Nothing goes wrong: every clip once, and a second run has nothing to do."""

from __future__ import annotations

import json

import pytest

from tests.emulator import Emulator, Plan

from .conftest import Nights


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_every_row_is_paid_once_and_whole(emu: Emulator, nights: Nights, form: str) -> None:
    night = nights(emu, 8, form=form)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=8)
    night.assert_spend_agrees()
    told = night.status()
    assert told["rows"] == {
        "total": 8, "pending": 0, "submitting": 0, "rendering": 0, "downloading": 0, "done": 8, "failed": 0, "unconfirmed": 0,
    }  # fmt: skip
    assert [clip["attempts"] for clip in told["clips"]] == [1] * 8
    assert len({clip["client_request_id"] for clip in told["clips"]}) == 8


def test_a_second_run_asks_nobody_anything(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 3)
    assert night.run().code == 0
    before = len(night.journal())
    stamps = {file.name: file.stat().st_mtime_ns for file in night.out.glob("*.mp4")}
    ended = night.run()
    assert ended.code == 0
    assert len(night.journal()) == before
    assert {file.name: file.stat().st_mtime_ns for file in night.out.glob("*.mp4")} == stamps
    night.assert_paid_once(generations=3)


def test_status_reads_beside_a_live_run(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=600.0))
    night = nights(emu, 4)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 4)
        ended = night.run("status", "--json")
        emu.finish()
        assert running.alive
        assert ended.code == 0
        told = json.loads(ended.stdout)
        assert told["rows"]["total"] == 4
        assert told["rows"]["done"] == 0
        assert told["state_file"] == str(night.out / "state.db")
        assert {clip["status"] for clip in told["clips"]} <= {"submitting", "rendering", "downloading"}
        assert running.wait().code == 0
    night.assert_paid_once(generations=4)


def test_a_lost_file_is_fetched_again_not_bought_again(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 3)
    assert night.run().code == 0
    (night.out / "r2.mp4").unlink()
    assert night.run().code == 0
    night.assert_paid_once(generations=3)


def test_urls_of_other_models_and_old_answers_work(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, answer_style="mixed", statuses=["waiting", "active", "warming"], id_suffix=False))
    night = nights(emu, 4, model="klingai/avatar-standard")
    assert night.run().code == 0
    night.assert_paid_once(generations=4)
    night.assert_spend_agrees()
