"""A run against the embedded studio, from the manifest to the report: what the renderer says reaches the user."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.state import StateView

from .living import DEADLINE_S, REPOSITORY
from .media import make_voice


def command(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AVATAR_BATCH", "AIML"))}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", words[0], "job.yaml", "--out", "out", *words[1:]], capture_output=True,
        text=True, cwd=folder, env=known | {"PYTHONPATH": str(REPOSITORY)} | environ, timeout=DEADLINE_S, check=False,
    )  # fmt: skip


def rehearse(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    quick = ("--set", "studio.quality=draft", "--set", "studio.workers=1", "--set", "poll.interval_s=0.1")
    return command(folder, "run", *quick, *words, **environ)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of one row, whose picture shows nobody."""
    folder = tmp_path_factory.mktemp("rehearsal")
    Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(folder / "wall.png")
    make_voice(folder / "voice.wav", 2.0)
    row = {"id": "nobody", "image": "wall.png", "audio": "voice.wav", "model": "klingai/avatar-standard"}
    (folder / "job.yaml").write_text(json.dumps({"version": 1, "rows": [row]}))
    return folder


@pytest.fixture(scope="module")
def rehearsed(folder: Path) -> str:
    """What the run wrote to standard output."""
    done = rehearse(folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_picture_without_a_face_is_told_when_the_run_ends(rehearsed: str) -> None:
    assert "1 clip has the renderer's note 'face not found': The studio found no face" in rehearsed


def test_it_is_in_the_state_the_log_the_export_and_the_report(rehearsed: str, folder: Path) -> None:
    with StateView(folder / "out" / "state.db") as view:
        assert [record.notes for record in view.records()] == [("face not found",)]
    assert '"action": "noted", "row": "nobody"' in (folder / "out" / "run.log").read_text()
    (row,) = csv.DictReader(io.StringIO(command(folder, "export").stdout))
    assert row["notes"] == "face not found"
    html = (folder / "out" / "report.html").read_text()
    assert "The clip is done, 1 has a note" in html
    assert "No face in the picture" in html
    assert 'data-notes="1"' in html


def test_a_strict_studio_fails_the_row_in_clear_words(folder: Path) -> None:
    done = rehearse(folder, "--out", "strict", "--set", "studio.strict=true")

    assert done.returncode == 1, done.stderr
    assert (
        "nobody: generation_error: RenderError: face not found: use a picture that shows one from the front"
        in done.stdout
    )


def test_a_strict_studio_that_can_not_look_for_faces_refuses_to_start(folder: Path, tmp_path: Path) -> None:
    # A machine without OpenCV: nothing imports it, and nothing finds it.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['cv2'] = None\n")
    path = os.pathsep.join((str(tmp_path), str(REPOSITORY)))

    done = rehearse(folder, "--out", "unable", "--set", "studio.strict=true", PYTHONPATH=path)

    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("avatar-batch: ")]
    assert "needs numpy and OpenCV: pip install 'avatar-batch[studio]', or leave strict off" in line
    with StateView(folder / "unable" / "state.db") as view:
        assert [(str(record.status), record.attempts) for record in view.records()] == [("pending", 0)]
