"""The write-up of the benchmarks: what its tables say."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.nights import Nights, PollNight
from benchmarks.process import Used
from benchmarks.race import Race, Result
from benchmarks.write_up import write_up
from tests.emulator import Plan

RACE = Race("night", "A night", Plan(), rows=60, sequential_rows=4, at_once=24, interval_s=0.2)


@pytest.fixture
def nights() -> Nights:
    """No more than the charts need."""
    return Nights([PollNight("law", (1.0, 1.0), (1.0, 1.0), 100.0)], [], [(1.0, 2.0)], [(1.0, 2.0)], [0.5, 1.0])


def result(done: int) -> Result:
    return Result("gather", 60, done, Used(20.0, 3.0, 40.0), 1.0, 0.1, 0, 60, 0)


@pytest.mark.parametrize(("done", "cells"), [(60, "3.00 | 5.0"), (15, "0.75 | 20.0"), (0, "0.00 | ")])
def test_rates_and_costs_are_of_the_clips_that_came(tmp_path: Path, nights: Nights, done: int, cells: str) -> None:
    write_up(tmp_path, [RACE], {"night": [result(done)]}, [], [], None, nights)

    assert f"| bare aiohttp gather | 60 | {done} | 20.0 | {cells} | 40 |" in (tmp_path / "benchmarks.md").read_text()


@pytest.mark.parametrize("there", [[], ["bench-limit.svg"], ["bench-polls.svg", "bench-limit.svg"]])
def test_charts_that_cannot_be_drawn_anew_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nights: Nights, there: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "pictures").mkdir()
    for name in there:
        (tmp_path / "pictures" / name).touch()

    write_up(tmp_path, [], {}, [], [], None, nights)

    text = (tmp_path / "benchmarks.md").read_text()
    assert re.findall(r"\(pictures/(.*)\)", text) == there


def test_the_extra_that_the_charts_need_is_one_that_there_is_and_is_installed() -> None:
    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [one for one in extras["bench"] if one.startswith("matplotlib")]
    assert "--editable '.[dev,bench]'" in (root / "Makefile").read_text()


def test_a_part_measures_that_part_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "downloads"])
    monkeypatch.setattr(program, "measure_downloads", lambda _: ["quick"])
    for name in ("precompile", "simulated_nights", "measure_crowd", "run_race", "write_up"):
        monkeypatch.setattr(program, name, lambda *_, name=name: None if name == "precompile" else pytest.fail(name))

    program.main()

    assert capsys.readouterr().out == "quick\na part only: docs/benchmarks.md is left as it is\n"
