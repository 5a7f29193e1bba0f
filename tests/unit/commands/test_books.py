"""``audit``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.job import Job, Wishes
from pipeline.settings import load_settings
from tests.unit.commands.conftest import Run


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
