"""What other people's programs import stays where it is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import pytest

import pipeline
from pipeline.version import __version__


def test_the_public_names_are_these() -> None:
    assert pipeline.__all__ == [
        "AvatarBatchError", "Checked", "Event", "EventHook", "ExitCode", "Failure", "FailureCode", "Job", "ManifestError", "Model", "Opened", "Overview",
        "Plan", "Problem", "Record", "Row", "RunResult", "RunWatcher", "Settings", "StateView", "Status", "StopRun", "UsageError", "Wishes",
        "builtin_catalogue", "load_settings", "make_plan", "run_job",
    ]  # fmt: skip
    for name in pipeline.__all__:
        assert getattr(pipeline, name) is not None


def test_statuses_codes_and_exit_codes_are_those_that_scripts_read() -> None:
    assert [str(status) for status in pipeline.Status] == [
        "pending",
        "submitting",
        "rendering",
        "downloading",
        "done",
        "failed",
        "unconfirmed",
    ]
    assert {str(code) for code in pipeline.FailureCode} == {
        "bad_request", "generation_error", "timeout", "not_found", "download", "bad_media", "server", "unconfirmed",
    }  # fmt: skip
    assert {code.name: int(code) for code in pipeline.ExitCode} == {
        "DONE": 0,
        "FAILED_ROWS": 1,
        "USAGE": 2,
        "STOPPED_EARLY": 3,
        "INTERRUPTED": 130,
    }


def test_the_console_script_is_where_it_was() -> None:
    try:
        assert version("avatar-batch") == __version__
    except PackageNotFoundError:
        pytest.skip("not installed here")

    (script,) = entry_points(group="console_scripts", name="avatar-batch")
    assert script.value == "pipeline.cli:main"


def test_the_source_archive_holds_what_its_tests_import() -> None:
    root = Path(__file__).resolve().parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    held = build["targets"]["sdist"]["include"]
    texts = [path.read_text(encoding="utf-8") for path in (root / "tests").rglob("*.py")]
    imported = {name for text in texts for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)}
    own = {name for name in imported if (root / name).is_dir()}
    assert {"tests", "pipeline", "benchmarks"} <= own
    assert own <= set(held)


def test_importing_the_package_prints_nothing_and_starts_nothing() -> None:
    code = "import pipeline, threading, sys; sys.exit(threading.active_count() - 1)"

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
