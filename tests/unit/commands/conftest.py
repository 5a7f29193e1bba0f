"""A working folder, the console script in this process, and a job that ran."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.clip import Failure, FailureCode, Status
from pipeline.job import Job, Wishes
from pipeline.settings import Settings
from pipeline.state import StateFile
from tests.unit.state.conftest import bring

__all__ = ["Run", "a_job_that_ran"]

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
