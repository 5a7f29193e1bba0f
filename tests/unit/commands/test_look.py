"""``check``, ``plan``, ``status`` and ``export``: what they print."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

from tests.unit.commands.conftest import Run, a_job_that_ran


def test_check_tells_what_is_there_and_leaves_no_trace(run: Run, folder: Path) -> None:
    code, out, err = run("check", "job.csv")

    assert (code, err) == (0, "")
    assert out == "job.csv: 2 rows are sound; 5.0 s of video, about 0.60 USD\n"
    assert not (folder / "out").exists()
    assert run("check", "job.csv", "--quiet") == (0, "", "")


def test_a_hopeless_manifest_is_told_up_to_a_point(run: Run, folder: Path) -> None:
    (folder / "bad.csv").write_text("id,image,audio\n" + "".join(f"r{n},gone.png,voice.wav\n" for n in range(1500)))

    code, _, err = run("check", "bad.csv")

    assert code == 2
    assert "1500 problems, the first 1000 of them above" in err
    assert len(err.splitlines()) == 1001


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


async def test_the_options_come_before_the_config_and_out_is_where_it_is_told(run: Run, folder: Path) -> None:
    job = await a_job_that_ran(folder)
    shutil.move(job.out, folder / "elsewhere")

    code, out, _ = run("status", "job.csv", "--out", "elsewhere", "--json")

    assert code == 0
    assert json.loads(out)["clips"][0]["output"] == "elsewhere/one.mp4"


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


def test_a_damaged_state_is_exit_2(run: Run, folder: Path) -> None:
    (folder / "out" / "job").mkdir(parents=True)
    (folder / "out" / "job" / "state.db").write_bytes(b"")

    for command in ("status", "export", "run"):
        code, out, err = run(command, "job.csv")
        assert (code, out) == (2, "")
        assert "bring back a copy" in err
    assert (folder / "out" / "job" / "state.db").read_bytes() == b""
