"""The terminal during real runs: narrow and wide, in a pipe, interrupted and resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clip import Status
from pipeline.state import StateView
from tests.emulator import Emulator, Plan
from tests.emulator.asking import png, wav
from tests.report.terminal import Screen, run_in_terminal

ROOT = Path(__file__).resolve().parents[2]
ROWS = 12


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("api"), Plan(render_s=[0.4, 0.8], fails=[2], max_concurrent=4)) as one:
        yield one


@pytest.fixture
def command(tmp_path: Path, emulator: Emulator) -> list[str]:
    (tmp_path / "face.png").write_bytes(png())
    (tmp_path / "voice.wav").write_bytes(wav(2.0))
    rows = [{"id": f"r{number}", "image": "face.png", "audio": "voice.wav"} for number in range(ROWS)]
    (tmp_path / "job.yaml").write_text(json.dumps({"version": 1, "rows": rows}))
    return [
        sys.executable, "-m", "pipeline", "run", str(tmp_path / "job.yaml"), "--out", str(tmp_path / "out"),
        "--set", "api.provider=aimlapi", "--set", f"api.base_url={emulator.base_url}", "--set", "poll.interval_s=0.1",
        "--set", "inspect.enabled=false",
    ]  # fmt: skip


def environ() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("AVATAR_BATCH")}
    known["AVATAR_BATCH_CACHE_DIR"] = ""
    return known | {"PYTHONPATH": str(ROOT), "AIMLAPI_API_KEY": "sk-0123456789abcdef", "NO_COLOR": "1", "TERM": "tmux"}


@pytest.mark.parametrize("columns", [60, 140])
def test_the_bar_fits_its_terminal_and_leaves_a_clean_summary(command: list[str], tmp_path: Path, columns: int) -> None:
    seen = run_in_terminal(command, columns=columns, environ=environ(), cwd=tmp_path)
    assert seen.bars
    assert max(map(len, seen.bars)) <= columns
    assert f"of {ROWS} done" in seen.bars[-1]
    assert not [line for line in seen.screen.text if "%|" in line]
    assert any(re.match(rf"\d+ of {ROWS} done", line) for line in seen.screen.text)
    assert any(line.startswith("report: ") for line in seen.screen.text)


def test_a_pipe_gets_plain_lines(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(command, capture_output=True, env=environ(), cwd=tmp_path, timeout=120, check=False)
    assert b"\r" not in done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) < 12
    assert b"the API takes no more for now" in done.stderr
    assert done.stdout.splitlines()[0].startswith(b"1")


def test_an_api_that_is_not_there_is_told_at_once_and_tried_again(command: list[str], tmp_path: Path) -> None:
    nowhere = [*command, "--set", "api.base_url=http://127.0.0.1:1", "--set", "retry.base_s=0.1"]
    with subprocess.Popen(nowhere, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ(), cwd=tmp_path) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert b"12 to render" in run.stderr.readline()
        assert b"the API can't be reached (no connection to 127.0.0.1:1: Connection refused)" in run.stderr.readline()
        log = tmp_path / "out" / "run.log"
        deadline = time.monotonic() + 20
        while log.read_text().count("unreachable") < 3:  # it goes on trying
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        last = run.stdout.read().decode()
        assert "API down for" in run.stderr.read().decode()
        assert run.wait(30) == 130
    # What it says to type is the whole command, not one that would meet another provider.
    assert f"avatar-batch run {tmp_path / 'job.yaml'} --out {tmp_path / 'out'} --set api.provider=aimlapi" in last


def rows_done(out: Path) -> int:
    """By the state file: a clip may stand in OUT a moment before its row is done."""
    if not (out / "state.db").exists():
        return 0
    with StateView(out / "state.db") as view:
        return view.overview().rows[Status.DONE]


def test_a_resumed_run_does_not_begin_at_nothing(command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ(), cwd=tmp_path
    ) as first:
        deadline = time.monotonic() + 60
        while rows_done(tmp_path / "out") < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 130
    assert (tmp_path / "out" / "report.html").exists()
    before = rows_done(tmp_path / "out")
    seen = run_in_terminal(command, columns=140, environ=environ(), cwd=tmp_path)
    matched = re.search(r"(\d+) of \d+ done · ([\d.]+) of ([\d.]+) min · \$([\d.]+)", seen.bars[0])
    assert matched, seen.bars[0]
    assert int(matched.group(1)) >= before
    assert float(matched.group(2)) > 0
    assert float(matched.group(4)) > 0


def test_the_screen_knows_what_a_bar_needs() -> None:
    screen = Screen(20)
    screen.feed("one\rtwo\n\rthree\x1b[A\rT\x1b[K")
    assert screen.text == ["T", "three"]
