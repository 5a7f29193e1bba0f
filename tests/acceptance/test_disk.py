"""The disk is full, broken or read-only: a clear line, an early end, and nothing lost or bought again."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.emulator import Action, Cdn, Emulator, Plan, Rule

from .conftest import Nights

MB = 1_000_000


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own; for an ordinary user there is none to be had, then None."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount; elsewhere the limits of a process stand in for those of a disk."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if probe.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    return probe.returncode == 0


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("needs the right to mount; the limits of a process are tested below in any case")
    emu.set_plan(Plan(render_s=0.1, pad_bytes=1 * MB))
    with disk(tmp_path / "disk", "6m") as folder:
        night = nights(emu, 8, out=folder / "out")
        ended = night.run()
        assert ended.code == 3, ended.text
        assert "full" in ended.text
        made = len(night.generations())
        assert 0 < made <= 8
        assert any(state != "done" for state in night.states().values())
        # Full it stays: nothing more is bought.
        assert night.run().code == 3
        assert len(night.generations()) == made
        remount(folder, "size=64m")
        assert night.run().code == 0
        night.assert_paid_once(generations=8)


def test_a_disk_too_full_for_the_state_file_spends_nothing(emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("needs the right to mount; the limits of a process are tested below in any case")
    with disk(tmp_path / "disk", "16k") as folder:
        night = nights(emu, 2, out=folder / "out")
        ended = night.run()
        assert ended.code in {2, 3}, ended.text
        assert len(ended.stderr.strip().splitlines()) == 1
        assert not night.journal("submit")
        remount(folder, "size=64m")
        assert night.run().code == 0
        night.assert_paid_once(generations=2)


def fill(folder: Path) -> None:
    """Leave no byte of a file system."""
    with (folder / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_disk_without_a_byte_left_is_told_from_a_damaged_state_file(
    emu: Emulator, nights: Nights, tmp_path: Path
) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("needs the right to mount; what is said is tested below in any case")
    emu.set_plan(Plan(render_s=1.0))
    with disk(tmp_path / "disk", "16m") as folder:
        night = nights(emu, 3, out=folder / "out", submit__max_in_flight=1)
        with night.start() as running:
            night.wait_for(night.generations)
            fill(folder)
            assert running.wait().code == 3
        for verb in ("run", "retry", "report"):
            fill(folder)
            ended = night.run(verb)
            assert ended.code == 3, f"{verb}: {ended.text}"
            assert "free space" in ended.text.lower(), f"{verb}: {ended.text}"
            assert "rescue" not in ended.text
        fill(folder)
        for verb in ("status", "export", "plan"):
            assert night.run(verb).code == 0, verb
        (folder / "filler").unlink()
        assert night.run().code == 0
        night.assert_paid_once(generations=3)


def test_a_read_only_out_spends_nothing(emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    emu.set_plan(Plan(render_s=0.1))
    out = tmp_path / "disk"
    if os.geteuid() == 0 and can_mount(tmp_path / "probe"):
        with disk(out, "16m"):
            night = nights(emu, 2, out=out)
            assert night.run("run", "--only", "r1").code == 0
            remount(out, "ro")
            ended = night.run()
            assert ended.code == 2, ended.text
            assert str(out) in ended.stderr
            assert len(night.journal("submit")) == 1
            assert night.states() == {"r1": "done", "r2": "pending"}  # status reads there all the same
            remount(out, "rw")
            assert night.run().code == 0
            night.assert_paid_once(generations=2)
        return
    night = nights(emu, 2, out=out)
    assert night.run("run", "--only", "r1").code == 0
    out.chmod(0o500)
    try:
        ended = night.run()
        assert ended.code == 2, ended.text
        assert len(night.journal("submit")) == 1
    finally:
        out.chmod(0o700)


@pytest.mark.parametrize("limit", [300_000, 60_000])
def test_writes_that_fail_for_real_end_the_run(emu: Emulator, nights: Nights, limit: int) -> None:
    # A limit on the size of files makes the kernel refuse writes: to a clip first, or already to the state's log.
    emu.set_plan(Plan(render_s=0.5, pad_bytes=500_000))
    night = nights(emu, 4)
    assert night.run("run", "--only", "r1").code == 0
    with night.start() as running:
        night.wait_for(lambda: night.journal("submit"))
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        ended = running.wait()
    assert ended.code == 3, ended.text
    assert "can't be written" in ended.text
    assert "Traceback" not in ended.text
    assert "fault of this program" not in ended.text
    assert night.run().code == 0
    night.assert_paid_once(generations=4)


PLACES = ["move:begin_submit", "move:accept", "move:complete", "place", "fsync", "move:finish"]
LARGE_PAD_BYTES = 9_000_000
"""Clips that may be held in memory are written when they are whole, others piece by piece."""


@pytest.mark.parametrize(("pad_bytes", "places"), [(4096, PLACES), (LARGE_PAD_BYTES, [*PLACES, "write"])])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_at_one_step_after_the_other_ends_each_run(
    emu: Emulator, nights: Nights, code: int, pad_bytes: int, places: list[str]
) -> None:
    emu.set_plan(Plan(render_s=0.1, pad_bytes=pad_bytes))
    night = nights(emu, len(places) + 2, submit__max_in_flight=2)
    for place in places:
        ended = night.run(hook={"fail": [place, code, 1, 1_000]})
        assert ended.code == 3, f"{place}: {ended.text}"
        assert "can't be written" in ended.text or "full" in ended.text
        assert not [row for row in night.ids if len(night.generations(row)) > 1], place
    assert night.run().code == 0
    night.assert_paid_once(generations=len(night.ids))


def test_a_state_file_found_damaged_midway_is_said(emu: Emulator, nights: Nights) -> None:
    night = nights(emu, 6, submit__max_in_flight=2)
    for place in ("move:begin_submit", "move:accept", "move:finish"):
        ended = night.run(hook={"fail": [place, errno.EPERM, 1, 1_000]})
        assert ended.code in {2, 3}, f"{place}: {ended.text}"
        assert "state.db" in ended.text
    assert night.run().code == 0
    night.assert_paid_once(generations=6)


def test_a_submit_in_the_air_when_the_run_breaks_is_answered_and_noted(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", Action("slow", seconds=1.0), nth=[2])]))
    night = nights(emu, 2, submit__max_in_flight=2)

    ended = night.run(hook={"fail": ["move:accept", errno.EPERM, 1, 1]})

    assert ended.code in {2, 3}, ended.text
    assert sorted(night.states().values()) == ["rendering", "submitting"]
    assert night.run().code == 0
    night.assert_paid_once(generations=2)


def test_an_endless_download_does_not_fill_the_disk(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(instant=True, cdn=Cdn(endless_first=1_000_000)))
    night = nights(emu, 1, download__max_bytes=1 * MB, retry__attempts=3)
    with night.start() as running:
        most = 0
        while running.alive:
            with suppress(FileNotFoundError):
                most = max(most, (night.out / "r1.mp4.part").stat().st_size)
            time.sleep(0.002)
        assert running.wait().code == 1
    assert most <= 4 * MB
    assert night.rows()["r1"]["error"]["code"] in {"download", "bad_media"}
    emu.set_plan(Plan(instant=True))
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=1)
