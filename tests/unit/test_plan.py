"""What a run would do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.clip import Failure, FailureCode, Status
from pipeline.job import Job, Wishes
from pipeline.plan import make_plan
from pipeline.settings import load_settings
from pipeline.state import StateFile
from tests.unit.state.conftest import bring


@pytest.fixture
def job(media: Path, tmp_path: Path) -> Job:
    """Three rows of a 2.5 s voice and one whose voice is a link."""
    for name in ("face.png", "voice.wav"):
        shutil.copy(media / name, tmp_path / name)
    lines = [f"{name},face.png,voice.wav" for name in ("a", "b", "c")]
    (tmp_path / "job.csv").write_text("\n".join(["id,image,audio", *lines, "link,face.png,https://h/v.mp3"]) + "\n")
    return Job.at(
        tmp_path / "job.csv", load_settings(environ={}, assignments=["submit.max_in_flight=2"]), tmp_path / "out"
    )


PRICE_USD = 2.5 * 0.12075


def test_a_plan_of_a_new_job_is_all_of_it(job: Job) -> None:
    plan = make_plan(job)

    assert (plan.to_render, plan.render_s, plan.overview, plan.in_flight) == (4, 7.5, None, 2)
    assert plan.render_usd == pytest.approx(3 * PRICE_USD)
    assert plan.hours == pytest.approx(4 * 530 / 2 / 3600)
    assert not job.out.exists(), "a plan leaves no trace"


async def test_what_is_done_or_under_way_is_not_planned_again(job: Job) -> None:
    job.out.mkdir()
    job.open(Wishes())
    state = StateFile(job.state_path)
    await bring(state, "a", Status.DONE)
    await state.fail(await bring(state, "b", Status.SUBMITTING), Failure(FailureCode.SERVER, "x"), fate="refused")
    await state.close()

    plan = make_plan(job)

    assert (plan.to_render, plan.render_s) == (2, 2.5)
    assert plan.as_json() == {
        "rows": {"total": 4, "pending": 2, "submitting": 0, "rendering": 0, "downloading": 0, "done": 1, "failed": 1, "unconfirmed": 0},
        "to_render": 2, "render_s": 2.5, "estimated_usd": round(PRICE_USD, 4), "unknown_length": 1, "hours": round(2 * 530 / 2 / 3600, 3), "in_flight": 2,
        "spent_usd": 0.5, "needs_other_out": False,
    }  # fmt: skip
    json.dumps(plan.as_json())
    assert "a run would render 2 rows: 2.5 s of video" in list(plan.lines())
    assert any("1 voice by link, of a length and so a price that is not known" in line for line in plan.lines())


async def test_a_plan_of_nothing_is_one_line(job: Job) -> None:
    job.manifest.write_text("id,image,audio\na,face.png,voice.wav\n")
    job.out.mkdir()
    job.open(Wishes())
    state = StateFile(job.state_path)
    await bring(state, "a", Status.DONE)
    await state.close()

    assert list(make_plan(job).lines())[-2:] == [
        "0.50 USD spent so far",
        "a run would submit nothing: there is no row that waits",
    ]


async def test_a_row_that_left_the_manifest_takes_nothing_from_the_plan(job: Job) -> None:
    job.out.mkdir()
    job.open(Wishes())
    state = StateFile(job.state_path)
    await bring(state, "a", Status.RENDERING)
    await state.close()
    content = job.manifest.read_text().replace("a,face.png,voice.wav\n", "")
    job.manifest.write_text(content)

    plan = make_plan(job)

    assert (plan.to_render, plan.render_s) == (3, 5.0)


@pytest.mark.parametrize(("held", "given", "whose"), [
    ("local", "aimlapi", "the local studio's rehearsal"), ("aimlapi", "local", "clips of the paid API"),
])  # fmt: skip
async def test_clips_of_the_other_provider_take_nothing_from_the_plan(
    job: Job, held: str, given: str, whose: str
) -> None:
    earlier, later = (
        Job(job.manifest, load_settings(environ={}, assignments=[f"api.provider={name}"]), job.out)
        for name in (held, given)
    )
    earlier.out.mkdir()
    earlier.open(Wishes())
    state = StateFile(earlier.state_path)
    for name in ("a", "b", "c"):
        await bring(state, name, Status.DONE)
    await state.close()

    plan = make_plan(later)

    assert (plan.to_render, plan.render_s, plan.overview) == (4, 7.5, None)
    assert (plan.as_json()["spent_usd"], plan.as_json()["needs_other_out"]) == (0.0, True)
    lines = list(plan.lines())
    assert not [line for line in lines if "spent so far" in line]
    (line,) = [line for line in lines if "--out" in line]
    assert line.startswith(f"as for a fresh --out: {job.out} holds {whose}, ")
    assert f"use another --out (such as --out {job.out}-{given})" in line


async def test_the_hours_are_those_of_the_models_that_are_left(job: Job) -> None:
    quick = job.settings.catalogue["veed/fabric-1.0"].expected_s
    assert quick != 530
    rows = [f"{name},face.png,voice.wav,klingai/avatar-pro" for name in ("a", "b")] + [
        "q,face.png,voice.wav,veed/fabric-1.0"
    ]
    job.manifest.write_text("\n".join(["id,image,audio,model", *rows]) + "\n")
    job.out.mkdir()
    job.open(Wishes())
    state = StateFile(job.state_path)
    for name in ("a", "b"):
        await bring(state, name, Status.DONE)
    await state.close()

    assert make_plan(job).hours == pytest.approx(quick / 3600)


def test_a_local_plan_says_that_its_hours_are_those_of_the_paid_api(job: Job) -> None:
    assert list(make_plan(job).lines())[-1] == (
        "about 0.91 USD and 0.3 hours on the paid API with 2 clips at once (this run is local and free)"
    )
    paid = Job(job.manifest, load_settings(environ={}, assignments=["api.provider=aimlapi"]), job.out)
    assert list(make_plan(paid).lines())[-1] == "about 0.91 USD and 0.1 hours with 8 clips at once"
