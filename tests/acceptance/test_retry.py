"""What is taken up again, when, and whether it costs."""

from __future__ import annotations

from tests.emulator import BadClip, Emulator, Plan
from tests.emulator.asking import png

from .conftest import Nights, following

PLAIN = Plan(render_s=0.1)


def test_a_generation_error_is_bought_again_by_retry_alone(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, fails=following(emu), fail_message="No face was found."))
    night = nights(emu, 1)
    ended = night.run()
    assert ended.code == 1
    assert night.rows()["r1"]["error"] == {"code": "generation_error", "message": "GenerationError: No face was found."}
    assert night.run().code == 1
    assert len(night.journal("submit")) == 1
    assert night.run("retry").code == 0
    night.assert_paid_once(in_error=1)
    night.assert_spend_agrees()


def test_retry_polls_a_row_that_timed_out_and_does_not_buy_it(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, stuck=following(emu)))
    night = nights(emu, 2, poll__give_up_after_s=1)
    assert night.run().code == 1
    late = [told for told in night.rows().values() if told["status"] == "failed"]
    assert [told["error"]["code"] for told in late] == ["timeout"]
    assert late[0]["generation_id"]
    emu.finish()
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=2)


def test_the_next_run_polls_a_row_that_timed_out_too(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, stuck=following(emu)))
    night = nights(emu, 1, poll__give_up_after_s=0.5)
    assert night.run().code == 1
    emu.finish()
    assert night.run().code == 0
    night.assert_paid_once(generations=1)


def test_retry_has_patience_anew_for_a_clip_that_still_renders(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, stuck=following(emu)))
    night = nights(emu, 1, poll__give_up_after_s=1.5)
    assert night.run().code == 1
    polls = len(night.journal("retrieve"))
    with night.start("retry") as running:
        night.wait_for(lambda: len(night.journal("retrieve")) > polls + 1)
        emu.finish()
        assert running.wait().code == 0
    night.assert_paid_once(generations=1)


def test_a_refused_file_is_fetched_again_and_only_bought_by_name(emu: Emulator, nights: Nights) -> None:
    number = following(emu)
    emu.set_plan(Plan(render_s=0.1, bad_clips=[BadClip("wrong_resolution", nth=number)]))
    night = nights(emu, 2)
    assert night.run().code == 1
    bad = next(row for row, told in night.rows().items() if told["status"] == "failed")
    assert night.rows()[bad]["error"]["code"] == "bad_media"
    loads = len(night.journal("download"))
    assert night.run().code == 1
    assert len(night.journal("download")) == loads
    # Unnamed: another look at what is paid for.
    assert night.run("retry").code == 1
    assert len(night.journal("download")) > loads
    assert len(night.journal("submit")) == 2
    # Named: a new clip.
    assert night.run("retry", bad).code == 0
    assert len(night.generations(bad)) == 2
    second = night.generations(bad)[1]
    assert (night.out / f"{bad}.mp4").read_bytes() == emu.expected_clip(second["id"])
    assert not list(night.out.glob(f"{bad}.mp4.part"))


def test_a_file_that_was_mended_is_fetched_by_retry(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, bad_clips=[BadClip("no_audio", nth=following(emu))]))
    night = nights(emu, 1)
    assert night.run().code == 1
    emu.set_plan(PLAIN)
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=1)


def test_only_submits_the_named_rows(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(PLAIN)
    night = nights(emu, 3)
    assert night.run("run", "--only", "r2").code == 0
    assert night.states() == {"r1": "pending", "r2": "done", "r3": "pending"}
    night.assert_paid_once(["r2"], generations=1)
    requests = len(night.journal())
    for words in (("run", "--only", "r9"), ("retry", "r9")):
        ended = night.run(*words)
        assert ended.code == 2
        assert "r9" in ended.stderr
    assert len(night.journal()) == requests
    assert night.run().code == 0
    night.assert_paid_once(generations=3)


def test_only_bounds_what_a_retry_takes_up(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, fails=following(emu, 2), fail_message="No face was found."))
    night = nights(emu, 2)
    assert night.run().code == 1
    emu.set_plan(PLAIN)
    ended = night.run("retry", "--only", "r2")
    assert night.states() == {"r1": "failed", "r2": "done"}, ended.text
    assert night.rows()["r1"]["error"]["code"] == "generation_error"
    # A run later buys nothing that was left out.
    assert night.run().code == 1
    assert len(night.journal("submit")) == 3


def test_names_that_are_swapped_cost_nobody_a_clip(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(PLAIN)
    night = nights(emu, 2, output__template="{meta_n}.mp4")
    night.write(night.ids, {"r1": {"meta_n": "x"}, "r2": {"meta_n": "y"}})
    assert night.run().code == 0
    night.write(night.ids, {"r1": {"meta_n": "y"}, "r2": {"meta_n": "x"}})
    ended = night.run("retry", "r1")
    assert ended.code == 2, ended.text
    assert "y.mp4 is the clip of row 'r2'" in ended.stderr
    assert len(night.journal("submit")) == 2
    # The old names again: as if nothing had been.
    night.write(night.ids, {"r1": {"meta_n": "x"}, "r2": {"meta_n": "y"}})
    assert night.run().code == 0
    night.assert_paid_once(generations=2)


def test_a_changed_row_is_told_and_kept_until_asked_for(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(PLAIN)
    night = nights(emu, 2)
    assert night.run().code == 0
    before = (night.out / "r1.mp4").read_bytes()
    (night.folder / "other.png").write_bytes(png(400))
    night.write(night.ids, {"r1": {"image": "other.png"}})
    assert night.run().code == 0
    assert len(night.generations()) == 2
    assert (night.out / "r1.mp4").read_bytes() == before
    assert night.run("run", "--rerender-changed").code == 0
    assert len(night.generations("r1")) == 2
    assert len(night.generations("r2")) == 1
    after = (night.out / "r1.mp4").read_bytes()
    assert after == emu.expected_clip(night.generations("r1")[1]["id"]) != before
    assert night.run("run", "--rerender-changed").code == 0
    assert len(night.generations()) == 3


def test_a_clip_is_held_against_the_model_it_was_ordered_from(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=60.0))
    night = nights(emu, 1)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 1)
        night.wait_for(lambda: list(night.states().values()) == ["rendering"])
        running.kill()
    emu.finish()
    night.write(night.ids, {"r1": {"model": "klingai/avatar-standard"}})
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=1)


def test_a_row_that_leaves_the_manifest_is_still_fetched_and_never_bought_again(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=60.0))
    night = nights(emu, 3)
    with night.start() as running:
        night.wait_for(lambda: len(night.generations()) == 3)
        night.wait_for(lambda: list(night.states().values()) == ["rendering"] * 3)
        running.kill()
    emu.finish()
    night.write(["r1", "r2"])
    assert night.run().code == 0
    assert (night.out / "r3.mp4").exists()
    night.assert_paid_once()
    night.write(["r1", "r2", "r3"])
    assert night.run().code == 0
    night.assert_paid_once(generations=3)


def test_a_retry_of_a_row_that_there_is_not_does_nothing(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1))
    night = nights(emu, 1)
    assert night.run().code == 0
    ended = night.run("retry", "nobody")
    assert ended.code == 2, ended.text
    assert "no row of this job: nobody" in ended.stderr
    assert len(night.generations()) == 1
