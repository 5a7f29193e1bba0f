"""The demo's clips pass the look that every finished clip gets, and one whose picture stands still does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.inspection import Mark
from pipeline.inspection.look import inspect_clip
from pipeline.settings import InspectSettings
from pipeline.studio.render import RenderTask, render, still

JOBS = Path(__file__).resolve().parents[2] / "jobs"
DEMO = yaml.safe_load((JOBS / "demo.yaml").read_text(encoding="utf-8"))
ROWS = {row["id"]: DEMO["defaults"] | row for row in DEMO["rows"]}


def task(row: dict[str, str], output: Path) -> RenderTask:
    # The look is at pictures 96 pixels wide, twelve a second: a small, coarse clip shows it all that a large one does.
    prompt = row["prompt"].format(**row)
    return RenderTask(JOBS / row["image"], JOBS / row["audio"], prompt, 640, 360, 24, "draft", False, output)


@pytest.mark.parametrize("row", ROWS)
def test_a_head_that_speaks_is_not_marked(row: str, tmp_path: Path) -> None:
    limits = InspectSettings()
    render(task(ROWS[row], tmp_path / "clip.mp4"))

    seen = inspect_clip(tmp_path / "clip.mp4", JOBS / ROWS[row]["audio"], limits)

    assert seen.marks == ()
    assert seen.facts.mouth is not None
    assert seen.facts.mouth > limits.min_mouth + 0.05
    assert (seen.facts.still_share or 0) < limits.max_still_share / 2


def test_a_picture_that_stands_still_is_marked(tmp_path: Path) -> None:
    row = ROWS["welcome"]
    still.render(task(row, tmp_path / "clip.mp4"))

    assert inspect_clip(tmp_path / "clip.mp4", JOBS / row["audio"], InspectSettings()).marks == (Mark.FROZEN,)


def test_a_head_that_speaks_another_row_s_words_is_marked(tmp_path: Path) -> None:
    render(task(ROWS["archive"], tmp_path / "clip.mp4"))

    seen = inspect_clip(tmp_path / "clip.mp4", JOBS / ROWS["changelog"]["audio"], InspectSettings())

    assert Mark.WRONG_VOICE in seen.marks
