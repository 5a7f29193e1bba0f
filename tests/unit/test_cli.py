"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.clip import Failure, FailureCode, Status
from pipeline.commands import render
from pipeline.errors import UsageError
from pipeline.exit_code import ExitCode
from pipeline.job import Job, Wishes
from pipeline.run import RunResult
from pipeline.settings import Settings, load_settings
from pipeline.state import StateFile, StateView
from pipeline.version import __version__
from tests.unit.state.conftest import bring

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: media and a sound manifest, job.csv, of two rows."""
    for name in ("face.png", "voice.wav"):
        shutil.copy(media / name, tmp_path / name)
    (tmp_path / "job.csv").write_text(
        "id,image,audio,prompt,meta_note\none,face.png,voice.wav,=1+1,@sum\ntwo,face.png,voice.wav,,\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AVATAR_BATCH__", "AIML"))]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call the console script in this process: exit code, standard output, standard error."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["avatar-batch", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    yield call
    signal.signal(signal.SIGTERM, before)


async def a_job_that_ran(folder: Path) -> Job:
    """one is done, two failed with a hostile message."""
    job = Job.at(Path("job.csv"), Settings())
    job.out.mkdir(parents=True)
    job.open(Wishes())
    state = StateFile(job.state_path, clock=lambda: 1_800_000_000.0)
    await bring(state, "one", Status.DONE)
    await state.fail(
        await bring(state, "two", Status.RENDERING),
        Failure(FailureCode.GENERATION_ERROR, "-2+3 no face"),
        fate="failed",
    )
    await state.close()
    (job.out / "one.mp4").touch()
    return job


# --- usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "Missing argument 'JOB'"), (["chekc", "job.csv"], "No such command 'chekc'"), (["check", "job.csv", "--nope"], "No such option"),
        (["check", "job.txt"], "job.txt: a manifest is a .yaml, .yml or .csv file"), (["check", "gone.csv"], "gone.csv: no such file: check the path"),
        (["check", "job.csv", "--set", "x"], "--set x: expected KEY=VALUE"), (["check", "job.csv", "--set", "poll.intervall_s=1"], "did you mean poll.interval_s?"),
        (["check", "job.csv", "--config", "gone.yaml"], "gone.yaml: can't be read"), (["run", "job.csv", "--budget", "much"], "'much' is not a valid float"),
        (["run", "job.csv", "--budget", "nan"], "budget.max_usd"), (["run", "job.csv", "--budget", "-1"], "budget.max_usd"),
        (["run", "job.csv", "--max-in-flight", "0"], "submit.max_in_flight"), (["run", "job.csv", "--max-in-flight", "many"], "submit.max_in_flight"),
        (["run", "job.csv", "--only", "nobody"], "no row of this job: nobody"), (["retry", "job.csv", "nobody"], "no row of this job: nobody"),
        (["run", "job.csv", "--set", "api.provider=aimlapi"], "no API key: set AIMLAPI_API_KEY"), (["run", "job.csv", "--set", "api.base_url=http://h"], "api.provider is local"),
        (["status", "job.csv"], "isn't there: start the job with `avatar-batch run`"), (["export", "job.csv"], "isn't there"), (["export", "job.csv", "--format", "xml"], "'xml' is not one of"),
        (["status", "job.csv", "--out", ""], "--out is empty: name a folder"), (["run", "job.csv", "--out", " "], "--out is empty: name a folder"),
        (["check", ""], "a manifest is a .yaml, .yml or .csv file"), (["check", "face.png"], "a manifest is"), (["check", "."], "a manifest is"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_exit_2_and_one_clear_line(run: Run, words: list[str], said: str) -> None:
    code, out, err = run(*words)

    assert code == 2, err
    assert out == ""
    assert said in err
    assert len([line for line in err.splitlines() if said in line]) == 1


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


def test_a_hopeless_manifest_is_told_up_to_a_point(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text("id,image,audio\n" + "".join(f"r{n},gone.png,voice.wav\n" for n in range(1500)))

    code, _, err = run("check", "bad.csv")

    assert code == 2
    assert "1500 problems, the first 1000 of them above" in err
    assert len(err.splitlines()) == 1001


def test_a_key_is_in_no_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk secret")

    code, out, err = run("run", "job.csv")

    assert code == 2
    assert "AIMLAPI_API_KEY holds white space" in err
    assert "secret" not in out + err


@pytest.mark.parametrize("command", ["run", "check", "plan", "status", "retry", "export", "audit", "serve"])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")

    assert (code, err) == (0, "")
    assert f"Usage: avatar-batch {command}" in out


@pytest.mark.parametrize("options", [["--version"], ["--help"], ["-h"]])
def test_the_program_names_itself(run: Run, options: list[str]) -> None:
    code, out, _ = run(*options)

    assert code == 0
    assert "avatar-batch" in out
    assert options != ["--version"] or __version__ in out


@pytest.mark.parametrize("interrupt", ["check", "plan"])
def test_ctrl_c_is_130_at_any_time(run: Run, monkeypatch: pytest.MonkeyPatch, interrupt: str) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "check", interrupted)

    code, _, _ = run(interrupt, "job.csv")

    assert code == 130


def test_a_fault_of_ours_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise ZeroDivisionError("one\ntwo \x1b[31m")

    monkeypatch.setattr(Job, "check", faulty)

    code, out, err = run("check", "job.csv")

    assert (code, out) == (1, "")
    assert "ZeroDivisionError: one two" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"caf\xe9.txt", b"a\nb.txt", b"\x1b[31m.txt", b"gone\nnot there.csv"])
def test_a_hostile_name_is_told_in_one_harmless_line(folder: Path, name: bytes) -> None:
    environ = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", os.fsdecode(name)],
        capture_output=True,
        env=environ,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if b"avatar-batch:" in line or b"problem" in line]) == 1


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


@pytest.mark.parametrize("output", ["gone/sheet.png", "sheet", "sheet.xyz", "sheet.fits", "out.png", "."])
def test_a_sheet_that_cannot_be_written_is_not_the_clips_fault(
    run: Run, folder: Path, clip_file: Path, output: str
) -> None:
    (folder / "out.png").mkdir()

    code, out, err = run("frames", str(clip_file), "-o", output)

    assert (code, out) == (2, "")
    assert err.startswith(f"avatar-batch: {output} can't be written (")
    assert err.endswith("): choose another -o (.png, .jpg)\n")
    assert run("frames", str(clip_file), "-o", "Sheet.JPG")[0] == 0
    assert "name a clip that plays" in run("frames", "job.csv")[2]


# --- what is told ------------------------------------------------------------------------------------------------


def test_check_tells_what_is_there_and_leaves_no_trace(run: Run, folder: Path) -> None:
    code, out, err = run("check", "job.csv")

    assert (code, err) == (0, "")
    assert out == "job.csv: 2 rows are sound; 5.0 s of video, about 0.60 USD\n"
    assert not (folder / "out").exists()
    assert run("check", "job.csv", "--quiet") == (0, "", "")


def test_plan_is_for_people_and_for_scripts(run: Run) -> None:
    assert "a run would render 2 rows: 5.0 s of video" in run("plan", "job.csv")[1]

    code, out, _ = run("plan", "job.csv", "--json")

    assert code == 0
    assert json.loads(out)["to_render"] == 2


async def test_status_json_is_the_object_that_scripts_read(run: Run, folder: Path) -> None:
    await a_job_that_ran(folder)

    code, out, err = run("status", "job.csv", "--json")

    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    told = json.loads(out)
    assert list(told) == ["job", "state_file", "rows", "spend", "clips"]
    assert (told["job"], told["state_file"]) == ("job", "out/job/state.db")
    assert told["rows"] == {
        "total": 2,
        "pending": 0,
        "submitting": 0,
        "rendering": 0,
        "downloading": 0,
        "done": 1,
        "failed": 1,
        "unconfirmed": 0,
    }
    assert told["spend"] == {"estimated_usd": 0.6038, "spent_usd": 0.5}
    one, two = told["clips"]
    assert list(one) == list(two) == [
        "id", "status", "attempts", "client_request_id", "generation_id", "output", "sha256", "bytes", "duration_s", "cost_usd", "error", "submitted_at", "finished_at",
    ]  # fmt: skip
    assert (one["output"], one["error"], one["cost_usd"], one["attempts"]) == ("out/job/one.mp4", None, 0.5, 1)
    assert two["error"] == {"code": "generation_error", "message": "-2+3 no face"}
    assert one["submitted_at"] == "2027-01-15T08:00:00.000+00:00"


async def test_status_for_people_names_what_failed(run: Run, folder: Path) -> None:
    await a_job_that_ran(folder)

    code, out, _ = run("status", "job.csv")

    assert code == 0
    assert "two: generation_error: -2+3 no face" in out
    assert "0.50 USD spent" in out


async def test_a_csv_export_holds_no_formula(run: Run, folder: Path) -> None:
    await a_job_that_ran(folder)

    code, out, _ = run("export", "job.csv")

    assert code == 0
    one, two = csv.DictReader(io.StringIO(out))
    assert (one["id"], one["prompt"], one["meta_note"], one["cost_usd"]) == ("one", "'=1+1", "'@sum", "0.5")
    assert (two["error_message"], two["error_code"], two["prompt"], two["meta_note"]) == (
        "'-2+3 no face",
        "generation_error",
        "",
        "",
    )
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in (one, two) for cell in row.values())


async def test_a_json_lines_export_holds_the_values_as_they_are(run: Run, folder: Path) -> None:
    await a_job_that_ran(folder)

    code, out, _ = run("export", "job.csv", "--format", "jsonl")

    assert code == 0
    one, two = (json.loads(line) for line in out.splitlines())
    assert (one["prompt"], one["meta_note"], one["bytes"], one["inputs_changed"]) == ("=1+1", "@sum", 3, False)
    assert (two["error_message"], two["generation_id"]) == ("-2+3 no face", "generation:two:1")


async def test_the_options_come_before_the_config_and_out_is_where_it_is_told(run: Run, folder: Path) -> None:
    job = await a_job_that_ran(folder)
    shutil.move(job.out, folder / "elsewhere")

    code, out, _ = run("status", "job.csv", "--out", "elsewhere", "--json")

    assert code == 0
    assert json.loads(out)["clips"][0]["output"] == "elsewhere/one.mp4"


def test_a_damaged_state_is_exit_2(run: Run, folder: Path) -> None:
    (folder / "out" / "job").mkdir(parents=True)
    (folder / "out" / "job" / "state.db").write_bytes(b"")

    for command in ("status", "export", "run"):
        code, out, err = run(command, "job.csv")
        assert (code, out) == (2, "")
        assert "bring back a copy" in err
    assert (folder / "out" / "job" / "state.db").read_bytes() == b""


@pytest.mark.parametrize(("held", "given"), [("local", "aimlapi"), ("aimlapi", "local")])
def test_an_audit_by_the_wrong_books_is_refused_before_anything_starts(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, held: str, given: str
) -> None:
    job = Job.at(Path("job.csv"), load_settings(environ={}, assignments=[f"api.provider={held}"]))
    job.out.mkdir(parents=True)
    job.open(Wishes())
    monkeypatch.setenv("AIMLAPI_API_KEY", "sk-any")
    before = sorted(folder.rglob("*"))

    code, out, err = run("audit", "job.csv", "--set", f"api.provider={given}")

    assert (code, out) == (2, "")
    assert f"and api.provider is set to {given} now: use another --out" in err
    assert len(err.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_a_reader_that_leaves_ends_it_quietly(folder: Path) -> None:
    environ: dict[str, Any] = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = f"{sys.executable} -m pipeline check --help | true; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, env=environ, check=False, timeout=60)

    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", ["status job.csv", "status job.csv --json", "export job.csv", "check job.csv", "--help"]
)
def test_a_full_standard_output_is_one_line(run: Run, folder: Path, words: str, unbuffered: str) -> None:
    asyncio.run(a_job_that_ran(folder))
    environ: dict[str, Any] = os.environ | {
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "PYTHONUNBUFFERED": unbuffered,
    }

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m pipeline {words} > /dev/full"],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
        timeout=60,
    )

    assert done.stderr == (
        "avatar-batch: standard output can't be written (No space left on device): free space, or send it elsewhere\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_help_says_what_to_do_next(run: Run, command: str) -> None:
    _, out, _ = run(command, "--help")

    assert "Next:" in out or command == "serve"  # which tells how a run is pointed at it


def test_no_line_of_the_list_of_commands_is_cut_off(run: Run) -> None:
    assert "..." not in run("--help")[1].partition("Commands:")[2]


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
