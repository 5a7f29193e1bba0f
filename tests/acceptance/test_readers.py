"""Whoever reads the state beside a live run must not harm it: its log and its locks stay as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.emulator import Emulator, Plan

from .conftest import Nights


@pytest.mark.parametrize("words", [("status", "--json"), ("export",), ("plan",), ("check",), ("run",), ("retry",)])
def test_a_run_that_is_looked_at_and_killed_knows_what_it_bought(
    emu: Emulator, nights: Nights, words: tuple[str, ...]
) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 4, submit__requests_per_minute=120)
    with night.start() as running:
        night.wait_for(night.generations)
        assert night.run(*words).code in {0, 2}
        files = [os.readlink(link) for link in Path(f"/proc/{running.process.pid}/fd").iterdir()]
        assert not [name for name in files if "deleted" in name]
        night.wait_for(lambda: sum(line["action"] == "accepted" for line in night.log()) == 4)
        running.kill()
    emu.finish()
    emu.set_plan(Plan(render_s=0.1))
    assert night.run().code == 0
    night.assert_paid_once(generations=4)
