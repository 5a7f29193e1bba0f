"""A manifest that says what it said is not read again; anything else is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ManifestError
from pipeline.job import Job, Opened, Wishes
from pipeline.settings import load_settings
from pipeline.state import StateView


@pytest.fixture
def job(media: Path, tmp_path: Path) -> Job:
    for name in ("face.png", "voice.wav"):
        shutil.copy(media / name, tmp_path)
    write(tmp_path / "job.yaml", rows=3)
    return Job.at(tmp_path / "job.yaml", load_settings(environ={}), tmp_path / "out")


def write(manifest: Path, rows: int, prompt: str = "calm") -> None:
    content = [{"id": f"r{n}", "image": "face.png", "audio": "voice.wav", "prompt": prompt} for n in range(rows)]
    manifest.write_text(json.dumps({"version": 1, "rows": content}))


def opened(job: Job) -> tuple[Opened, int]:
    """How many rows were read from the manifest."""
    job.out.mkdir(exist_ok=True)
    read: list[int] = []
    return job.open(Wishes(), read.append), len(read)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def with_settings(job: Job, *assignments: str) -> Job:
    return Job(job.manifest, load_settings(environ={}, assignments=assignments), job.out)


def test_the_second_run_reads_no_row(job: Job) -> None:
    first, read = opened(job)
    assert (first.intake.rows, first.intake.added, read) == (3, 3, 3)
    second, read = opened(job)
    assert (second.intake.rows, second.intake.added, second.intake.dropped, read) == (3, 0, 0, 0)
    assert second.changed_total == 0


CHANGES: dict[str, Callable[[Job], Job | None]] = {
    "a row more": lambda job: write(job.manifest, 4),
    "a row less": lambda job: write(job.manifest, 2),
    "another prompt": lambda job: write(job.manifest, 3, "lively"),
    "another picture": lambda job: touch(job.manifest.parent / "face.png"),
    "another voice": lambda job: touch(job.manifest.parent / "voice.wav"),
    "another file name": lambda job: with_settings(job, "output.template=clips/{id}.mp4"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_is_read(job: Job, change: str) -> None:
    opened(job)
    changed = CHANGES[change](job) or job
    second, read = opened(changed)
    assert read == second.intake.rows > 0
    assert opened(changed)[1] == 0


def test_another_price_is_taken_over(job: Job, tmp_path: Path) -> None:
    opened(job)
    (tmp_path / "config.yaml").write_text("models: {klingai/avatar-pro: {price_usd_per_s: 9}}")
    dear = Job(job.manifest, load_settings(tmp_path / "config.yaml", environ={}), job.out)
    with StateView(job.state_path) as view:
        before = view.overview().estimated_usd
    assert opened(dear)[1] == 3
    with StateView(job.state_path) as view:
        assert view.overview().estimated_usd > 10 * before


def test_a_picture_that_is_gone_is_told(job: Job, tmp_path: Path) -> None:
    opened(job)
    (tmp_path / "face.png").unlink()
    with pytest.raises(ManifestError, match="no such file"):
        opened(job)


def test_a_manifest_that_was_refused_is_read_again(job: Job, tmp_path: Path) -> None:
    opened(job)
    content: dict[str, Any] = json.loads(job.manifest.read_text())
    content["rows"][0]["nonsense"] = 1
    job.manifest.write_text(json.dumps(content))
    for _ in range(2):
        with pytest.raises(ManifestError, match="nonsense"):
            opened(job)


def test_a_manifest_that_is_written_while_it_is_read_is_read_again(job: Job) -> None:
    job.out.mkdir()

    def write_meanwhile(rows: int) -> None:
        if rows == 3:
            write(job.manifest, 5)

    assert job.open(Wishes(), write_meanwhile).intake.rows == 3
    second, read = opened(job)
    assert second.intake.rows == read == 5


def test_rows_that_left_stay_away(job: Job) -> None:
    opened(job)
    write(job.manifest, 2)
    assert opened(job)[0].intake.rows == 2
    second, read = opened(job)
    assert (second.intake.rows, read) == (2, 0)
