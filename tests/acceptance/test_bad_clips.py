"""The file is not the clip: for a while, or for good. Either way nothing is rendered again for it unasked."""

from __future__ import annotations

from typing import get_args

from tests.emulator import BadClip, Cdn, Emulator, Plan
from tests.emulator.plan import BadKind

from .conftest import Nights, following

KINDS: tuple[BadKind, ...] = get_args(BadKind)


def bad_clips(emu: Emulator, first: int) -> list[BadClip]:
    """Every kind for one of the next generations."""
    return [
        BadClip(kind, nth=[number], first=first) for kind, number in zip(KINDS, following(emu, len(KINDS)), strict=True)
    ]


def test_a_bad_file_that_gets_better_is_fetched_again(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, bad_clips=bad_clips(emu, 1)))
    night = nights(emu, len(KINDS) + 1, submit__max_in_flight=16)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=len(KINDS) + 1)


def test_a_file_that_stays_bad_fails_its_row_alone(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, bad_clips=bad_clips(emu, 1_000_000)))
    night = nights(emu, len(KINDS) + 1, submit__max_in_flight=16)
    ended = night.run()
    assert ended.code == 1, ended.text
    rows = night.rows()
    failed = {row: told["error"]["code"] for row, told in rows.items() if told["status"] == "failed"}
    assert set(failed.values()) == {"bad_media"}, rows
    assert len(failed) == len(KINDS)
    assert not any((night.out / f"{row}.mp4").exists() for row in failed)
    assert len(night.generations()) == len(KINDS) + 1
    # What is paid for is asked for at most a few times.
    assert max(one["downloads"] for one in night.generations()) <= 3
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=len(KINDS) + 1)


def test_a_digest_that_never_fits_fails_the_row_and_keeps_the_file(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, cdn=Cdn(digests=["repr-digest"], wrong_digest_first=1_000_000)))
    night = nights(emu, 1)
    assert night.run().code == 1
    assert night.rows()["r1"]["error"]["code"] in {"bad_media", "download"}
    assert not (night.out / "r1.mp4").exists()
    emu.set_plan(Plan(render_s=0.1))
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=1)
