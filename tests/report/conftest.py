"""Nights to look at, made once, and one Chromium for all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pipeline import Job, Settings
from pipeline.clip import FailureCode
from pipeline.inspection import Mark
from pipeline.report import write_report
from tests.report.browser import Browser, find_chromium
from tests.report.making import Fate, make_night, make_small_clip

HOSTILE = '"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>{{7*7}}</textarea>\u202eevil'
SHOTS = Path(__file__).resolve().parents[2] / "out" / "screenshots"
JOBS = SHOTS.parents[1] / "jobs" / "media"


@pytest.fixture(scope="session", autouse=True)
def _utc() -> Iterator[None]:
    """Pages tell the time of where they are made."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures of people: the demo's where they are, else drawn ones."""
    found = sorted(path for path in JOBS.glob("*") if path.suffix in {".png", ".jpg", ".webp"})
    if found:
        return found
    folder = tmp_path_factory.mktemp("faces")
    for number in range(3):
        picture = Image.new("HSV", (400, 400), (number * 80, 90, 190)).convert("RGB")
        ImageDraw.Draw(picture).ellipse((110, 60, 290, 330), fill=(236, 200, 172))
        picture.save(folder / f"face-{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def small_clips(tmp_path_factory: pytest.TempPathFactory, faces: list[Path]) -> list[Path]:
    folder = tmp_path_factory.mktemp("small")
    clips = []
    for number, face in enumerate(faces):
        with Image.open(face) as picture:
            clips.append(make_small_clip(folder / f"{number}.mp4", 3, picture.convert("RGB"), hue=number * 50))
    return clips


def typical_fates(count: int) -> list[Fate]:
    """Mostly well, with one of each trouble."""
    languages = ("en", "de", "fr", "es")
    fates = [Fate(meta={"meta_lang": languages[n % 4], "meta_topic": "onboarding"}) for n in range(count)]
    special = {
        5: Fate(tries=3),
        7: Fate("failed"),
        12: Fate(marks=(Mark.WRONG_VOICE,)),
        23: Fate("failed", words="GenerationError: no face was found in the picture"),
        30: Fate("failed", FailureCode.BAD_REQUEST, "Expected 'audio_url' to be at most 5 MB, received 5.4 MB"),
        31: Fate("unconfirmed", words="the answer was lost and the usage log does not know it after 30 min"),
        40: Fate(marks=(Mark.FROZEN,)),
        42: Fate(notes=("face not found",)),
        41: Fate("failed", FailureCode.DOWNLOAD, "no byte for 30 s: it is paid for, retry fetches it again"),
    }
    for number, fate in special.items():
        if number < count:
            fates[number] = fate
    return fates


def job_of(out: Path) -> Job:
    return Job.at(Path("jobs") / f"{out.name}.yaml", Settings(), out)


COMMAND = "avatar-batch {} jobs/onboarding.yaml --config configs/aimlapi.yaml"


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory, faces: list[Path], small_clips: list[Path]) -> Path:
    """The OUT of a typical night of 48 rows, with its report."""
    names = [
        f"{word}-{number:02}"
        for number in range(1, 13)
        for word in ("welcome-en", "safety-de", "changelog-fr", "archive-es")
    ]
    out = make_night(
        tmp_path_factory.mktemp("night") / "onboarding", typical_fates(48), faces=faces, clips=small_clips, names=names
    )
    write_report(job_of(out), COMMAND)
    return out


@pytest.fixture(scope="session")
def large_night(tmp_path_factory: pytest.TempPathFactory, faces: list[Path], small_clips: list[Path]) -> Path:
    """A thousand rows."""
    out = make_night(
        tmp_path_factory.mktemp("large") / "large", typical_fates(1000), faces=faces, clips=small_clips[:1], places=40
    )
    write_report(job_of(out), COMMAND)
    return out


@pytest.fixture(scope="session")
def hostile_night(tmp_path_factory: pytest.TempPathFactory, small_clips: list[Path]) -> Path:
    """Rows whose every text tries to break out."""
    fates = [
        Fate(prompt=HOSTILE, meta={"meta_note": HOSTILE, "meta_=cmd": "=1+1"}),
        Fate("failed", words=HOSTILE, prompt=HOSTILE),
        Fate("unconfirmed", words=HOSTILE),
        Fate(prompt="{{ night }} {% raw %} </script><script>window.pwned=1</script>", marks=(Mark.SILENT,)),
        Fate(notes=(HOSTILE, '=HYPERLINK("https://example.com")')),
    ]
    out = make_night(tmp_path_factory.mktemp("hostile") / "a'b&c <i>", fates, clips=small_clips[:1])
    write_report(job_of(out), f"avatar-batch {{}} '{HOSTILE}'")
    return out


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: install Debian's package chromium, or set CHROMIUM to its path")
    with Browser(program, tmp_path_factory.mktemp("chromium") / "profile") as one:
        yield one
