"""Events to hooks, and the run's log."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from pipeline.events import Event, Events, RunLog
from tests.unit.making import a_clip


def test_hooks_hear_everything_in_order() -> None:
    heard: list[tuple[str, Event]] = []
    events = Events(
        [lambda event: heard.append(("first", event)), lambda event: heard.append(("second", event))],
        clock=lambda: 12.5,
    )

    events.emit("start", job="demo", nothing=None)
    events.emit("done", a_clip("one", client_request_id="r", generation_id=""), output="one.mp4")

    assert heard == [
        ("first", Event(12.5, "start", "", {"job": "demo"})), ("second", Event(12.5, "start", "", {"job": "demo"})),
        ("first", Event(12.5, "done", "one", {"client_request_id": "r", "output": "one.mp4"})),
        ("second", Event(12.5, "done", "one", {"client_request_id": "r", "output": "one.mp4"})),
    ]  # fmt: skip


def test_the_log_is_a_json_object_a_line_and_goes_on(tmp_path: Path) -> None:
    for number in (1, 2):
        log = RunLog(tmp_path / "run.log", opener=lambda path, flags: os.open(path, flags, 0o600))
        log(Event(1_800_000_000.125, "lost", "one", {"message": "né\nlineé \ud800", "path": Path("x"), "n": number}))
        log(Event(1_800_000_000.0, "end"))
        log.close()

    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert '"action": "end"' in text  # as it is grepped for
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {
        "at": "2027-01-15T08:00:00.125+00:00",
        "action": "lost",
        "row": "one",
        "message": "né\nlineé ?",
        "path": "x",
        "n": 1,
    }
    assert lines[1] == {"at": "2027-01-15T08:00:00.000+00:00", "action": "end"}
    assert [line.get("n") for line in lines] == [1, None, 2, None]
    assert (tmp_path / "run.log").stat().st_mode & 0o777 == 0o600


def test_a_line_is_there_at_once_for_whoever_follows(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "run.log")

    log(Event(0.0, "start"))

    assert (tmp_path / "run.log").read_text().endswith("\n")
    log.close()


async def test_lines_of_one_turn_of_the_loop_are_written_together(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    log = RunLog(path)
    for turn in range(2):
        log(Event(0.0, "accepted"))
        log(Event(0.0, "done"))
        assert len(path.read_text().splitlines()) == 2 * turn
        await asyncio.sleep(0)
        assert len(path.read_text().splitlines()) == 2 * turn + 2
    log(Event(0.0, "end"))
    log.close()

    assert [json.loads(line)["action"] for line in path.read_text().splitlines()] == [*["accepted", "done"] * 2, "end"]


def test_a_log_that_can_not_be_written_ends_no_run(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log(Event(0.0, "start"))
    log.close()

    full = RunLog(Path("/dev/full"))
    full(Event(0.0, "start"))
    full.close()
    full(Event(0.0, "after the end"))
