"""``run`` and ``retry``: what is left of a wrong call, and the words to go on with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.commands import render
from pipeline.errors import UsageError
from pipeline.exit_code import ExitCode
from pipeline.job import Job, Wishes
from pipeline.run import RunResult
from pipeline.state import StateView
from tests.unit.commands.conftest import Run


def test_nothing_is_left_of_a_call_that_was_wrong(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text("id,image,audio\none,gone.png,voice.wav\n")

    code, _, err = run("run", "bad.csv")

    assert code == 2
    assert "bad.csv:2: row 'one': image: gone.png: no such file: check the path" in err
    assert "1 problem; nothing was sent, nothing was spent" in err
    assert not (folder / "out" / "bad" / "state.db").exists()


@pytest.mark.parametrize("path", ["gone.csv", "gone.yaml", "gone.txt", "gone/", "face.png"])
def test_a_mistyped_manifest_leaves_nothing_behind(run: Run, folder: Path, path: str) -> None:
    before = sorted(folder.rglob("*"))

    for command in ("run", "retry"):
        assert run(command, path)[0] == 2

    assert sorted(folder.rglob("*")) == before


def test_the_way_on_keeps_what_bounds_money_and_hours(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(job: Job, wishes: Wishes, **_: object) -> RunResult:
        job.out.mkdir(parents=True, exist_ok=True)
        opened = job.open(wishes)
        with StateView(job.state_path) as view:
            return RunResult(ExitCode.INTERRUPTED, None, opened, view.overview())

    monkeypatch.setattr(render, "run_job", interrupted)
    bounds = ["--only", "one", "--only", "two", "--budget", "60", "--max-in-flight", "5", "--start-at", "22:00", "--until", "06:00"]  # fmt: skip

    for command in ("run", "retry"):
        _, out, _ = run(command, "job.csv", *bounds, "--yes", "--set", "report.after_run=false")
        assert f"avatar-batch run job.csv --set report.after_run=false {' '.join(bounds)} goes on from here" in out
    assert " run job.csv goes on" in run("run", "job.csv")[1]


def test_a_state_file_that_a_browser_of_databases_holds_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job.at(Path("job.csv"))
    job.out.mkdir(parents=True)
    job.open(Wishes())
    with closing(sqlite3.connect(job.state_path, isolation_level=None)) as browser:
        browser.execute("BEGIN IMMEDIATE")
        connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, **options | {"timeout": 0}))

        with pytest.raises(UsageError, match="is held by another program, such as a database browser: close it there"):
            job.open(Wishes())
