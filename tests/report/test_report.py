"""The report's making: gathered truly, escaped, written whole, also at the end of a run and beside one."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import cli
from pipeline.clip import FailureCode
from pipeline.commands.look import _harmless
from pipeline.errors import DiskFull
from pipeline.events import Event, RunLog
from pipeline.inspection import Mark
from pipeline.lock import OutLock, is_held
from pipeline.report import write_report
from pipeline.report.night import row_words
from pipeline.report.page import took
from pipeline.report.runlog import RunLogDigest
from pipeline.report.timeline import LEFT, RIGHT, draw
from pipeline.state import StateView
from pipeline.state.schema import connect
from pipeline.state.views import Span
from tests.emulator import Emulator, Plan
from tests.emulator.asking import png, wav
from tests.report.conftest import COMMAND, job_of
from tests.report.making import BEGAN, Fate, make_night


def run_cli(*words: str, code: int | None = None) -> str:
    """A command in this process; what it wrote to standard output."""
    done = CliRunner().invoke(cli, list(words))
    if code is not None:
        assert done.exit_code == code, done.output
    return done.stdout


# --- the page ----------------------------------------------------------------------------------------------------


def test_it_needs_a_run_first(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "job.yaml"), "--out", str(tmp_path)])
    assert "start the job with" in str(done.exception)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    out = make_night(tmp_path / "out", [Fate("pending")])
    (out / "report.html").mkdir()

    done = CliRunner().invoke(cli, ["report", str(tmp_path / "job.yaml"), "--out", str(out)])

    assert isinstance(done.exception, DiskFull)
    words = (
        f"{out / 'report.html'} can't be written (Is a directory): free space or make it writable, then report again"
    )
    assert str(done.exception) == words


def test_a_job_that_was_never_sent_has_a_page_too(tmp_path: Path) -> None:
    out = make_night(tmp_path / "new", [Fate("pending")] * 3)
    html = write_report(job_of(out), COMMAND).read_text()
    assert "0 of 3 clips are done, 3 are still to be made" in html
    assert "nothing was sent yet" in html
    assert "<svg viewBox" in html


def test_the_only_clip_is_no_clips(tmp_path: Path) -> None:
    out = make_night(tmp_path / "new", [Fate("pending")])
    assert "0 of 1 clip is done, 1 is still to be made" in write_report(job_of(out), COMMAND).read_text()


def test_what_failed_is_not_shown_as_paid(tmp_path: Path) -> None:
    out = make_night(tmp_path / "bad", [Fate("failed"), Fate("failed", FailureCode.TIMEOUT, "is still generating")])
    html = write_report(job_of(out), COMMAND).read_text()
    first, second = html.split('class="card ')[1:3]
    assert "<dt>cost</dt>" not in first
    assert "<dt>cost</dt>" in second


def test_clips_that_look_wrong_come_after_failures_with_what_was_measured(
    tmp_path: Path, small_clips: list[Path]
) -> None:
    out = make_night(tmp_path / "odd", [Fate(), Fate(marks=(Mark.WRONG_VOICE,)), Fate("failed")], clips=small_clips)
    html = write_report(job_of(out), COMMAND).read_text()
    order = [html.index(f'data-id="{row}"') for row in ("clip-0003", "clip-0002", "clip-0001")]
    assert order == sorted(order)
    assert "voice 31% alike" in html
    assert "Another voice" in html


def test_what_a_renderer_said_is_counted_grouped_and_told_with_what_to_do(tmp_path: Path) -> None:
    fates = [Fate(), Fate(notes=("face not found",)), Fate(notes=("odd <b>", "face not found")), Fate(notes=("odder",))]
    out = make_night(tmp_path / "noted", fates)
    html = write_report(job_of(out), COMMAND).read_text()
    assert "All 4 clips are done, 3 have a note" in html
    assert "avatar-batch run jobs/onboarding.yaml --config configs/aimlapi.yaml --rerender-changed" in html
    kinds = re.findall(r'data-kind="([^"]*)"', html)
    assert kinds == ["face not found", "note"]  # strangers' notes are one group, however many they are
    assert "odd &lt;b&gt;" in html
    assert "<b>" not in html
    assert [html.index(f'data-id="clip-000{row}"') for row in (2, 3, 4, 1)] == sorted(
        html.index(f'data-id="clip-000{row}"') for row in (1, 2, 3, 4)
    )


def test_a_note_is_no_formula_in_a_spreadsheet(hostile_night: Path) -> None:
    with StateView(hostile_night / "state.db") as view:
        noted = [record for record in view.records() if record.notes]
    assert [_harmless(replace(record, notes=record.notes[1:]))["notes"] for record in noted] == [
        '\'=HYPERLINK("https://example.com")'
    ]


def test_only_so_many_rows_are_shown_and_those_that_need_people_are_among_them(tmp_path: Path) -> None:
    fates = [Fate("rendering")] * 30 + [Fate("failed")]
    out = make_night(tmp_path / "many", fates, places=40)
    job = job_of(out)
    few = type(job).at(job.manifest, type(job.settings)(report=type(job.settings.report)(max_clips=10)), out)
    html = write_report(few, COMMAND).read_text()
    assert html.count('class="card ') == 10
    assert 'data-id="clip-0031"' in html
    assert "21 more rows are not shown here" in html


def test_pictures_of_clips_that_are_no_more_go(tmp_path: Path, small_clips: list[Path]) -> None:
    out = make_night(tmp_path / "sweep", [Fate(), Fate()], clips=small_clips)
    write_report(job_of(out), COMMAND)
    before = set((out / "report_files").iterdir())
    (out / "clip-0001.mp4").write_bytes(small_clips[1].read_bytes())
    write_report(job_of(out), COMMAND)
    after = set((out / "report_files").iterdir())
    assert (len(before), len(after), len(before & after)) == (2, 2, 1)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0.4 s"), (59, "59 s"), (600, "10 min"), (5400, "1 h 30 min"), (36_000, "10 h 00 min")]
)
def test_times_are_words(seconds: float, words: str) -> None:
    assert took(seconds) == words


def test_an_id_that_looks_like_an_option_is_none() -> None:
    assert row_words(["a", "-b"]) == "-- a -b"
    assert row_words(["a", "b"]) == "a b"


# --- the timeline ------------------------------------------------------------------------------------------------

moments = st.floats(BEGAN, BEGAN + 1e7)


@given(
    st.lists(st.tuples(moments, st.floats(0, 5e4), st.booleans(), st.floats(0, 3)), min_size=1, max_size=30),
    st.lists(moments, max_size=10),
)
def test_a_drawing_stays_in_its_frame(rows: list[tuple[float, float, bool, float]], refusals: Sequence[float]) -> None:
    spans = [Span(at, at + 1, at + took_s if ended else None, usd if ended else 0.0) for at, took_s, ended, usd in rows]
    finished = [span.ended_at for span in spans if span.ended_at is not None]
    drawn = draw(spans, finished, [], refusals, max([span.submitted_at for span in spans]) + 60)
    assert drawn is not None
    assert 1 <= drawn.most_in_flight <= len(spans)
    assert drawn.spent_usd == pytest.approx(sum(span.spent_usd for span in spans))
    for x in [dot.x for dot in (*drawn.finishes, *drawn.refusals)] + [x for x, _ in drawn.hours]:
        assert LEFT - 3 <= x <= RIGHT + 3


def test_days_of_nothing_are_taken_out() -> None:
    spans = [Span(BEGAN + day * 86400, None, BEGAN + day * 86400 + 3600, 1.0) for day in (0, 3)]
    drawn = draw(spans, [], [], [], BEGAN + 10 * 86400)
    assert drawn is not None
    assert len(drawn.breaks) == 1
    assert LEFT + 400 < drawn.breaks[0] < LEFT + 500


def test_a_night_that_was_interrupted_is_not_squeezed_by_the_day_after(tmp_path: Path) -> None:
    out = make_night(tmp_path / "cut", [Fate(), Fate(), Fate("rendering")], places=3)
    html = write_report(job_of(out), COMMAND).read_text()  # long after its last sign of life
    assert html.count("22 Sep") == 0
    with OutLock(out):
        html = write_report(job_of(out), COMMAND).read_text()
    assert "22 Sep" in html


def test_the_log_is_read_on_and_nonsense_passed_over(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "run.log")
    digest = RunLogDigest(tmp_path / "run.log")
    log(Event(BEGAN, "start"))
    log(Event(BEGAN + 5, "throttled", details={"message": "slow"}))
    digest.read()
    log(Event(BEGAN + 6, "stop_submitting", details={"message": "no credits"}))
    log.close()
    with (tmp_path / "run.log").open("ab") as file:
        file.write(
            b'{"action": "start"}\n\xff\xfe{"action": "throttled"\n{"at": "2026-11-22T09:00:00+00:00", "action": "thro'
        )
    digest.read()
    assert (len(digest.starts), len(digest.refusals), digest.stop) == (1, 1, "no credits")


# --- with a run --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job that was rendered by an API whose clips hum and stand still; one of its rows failed."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "face.png").write_bytes(png())
    (folder / "voice.wav").write_bytes(wav(2.5))
    rows = [{"id": f"r{number}", "image": "face.png", "audio": "voice.wav", "prompt": "<b>"} for number in range(3)]
    (folder / "job.yaml").write_text(json.dumps({"version": 1, "rows": rows}))
    with Emulator(folder / "api", Plan(render_s=0.2, fails=[2])) as emu, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMLAPI_API_KEY", "sk-0123456789abcdef")
        run_cli("run", str(folder / "job.yaml"), "--out", str(folder / "out"), "--set", "api.provider=aimlapi",
                "--set", f"api.base_url={emu.base_url}", "--set", "poll.interval_s=0.1",
                "--set", "inspect.wait_s=60", code=1)  # fmt: skip
    return folder


def test_a_run_ends_with_its_report_and_clips_that_were_looked_at(finished: Path) -> None:
    html = (finished / "out" / "report.html").read_text()
    assert "2 of 3 clips are done: 1 failed" in html
    assert f"avatar-batch retry {finished / 'job.yaml'} --out {finished / 'out'}" in html
    with StateView(finished / "out" / "state.db") as view:
        seen = [record.inspection for record in view.records() if record.output]
        assert view.marked() == 2
    assert all(look is not None and "frozen" in look.marks for look in seen)


def test_what_was_seen_is_exported(finished: Path) -> None:
    text = run_cli("export", str(finished / "job.yaml"), "--out", str(finished / "out"), code=0)
    rows = list(csv.DictReader(io.StringIO(text)))
    done = [row for row in rows if row["status"] == "done"]
    assert all("frozen" in row["marks"].split() and row["voice_similarity"] for row in done)
    assert [row["marks"] for row in rows if row["status"] == "failed"] == [""]


def test_clips_that_no_run_has_seen_are_looked_at_by_the_report(finished: Path) -> None:
    words = (str(finished / "job.yaml"), "--out", str(finished / "out"))
    with closing(connect(finished / "out" / "state.db")) as db:
        db.execute("DELETE FROM inspections")
    run_cli("report", *words, "--no-look", code=0)
    with StateView(finished / "out" / "state.db") as view:
        assert view.marked() == 0
    with OutLock(finished / "out"):
        assert run_cli("report", *words, code=0).strip() == str(finished / "out" / "report.html")
        assert is_held(finished / "out")
    with StateView(finished / "out" / "state.db") as view:
        assert view.marked() == 0  # a run was at work: it looks for itself
    assert not is_held(finished / "out")
    run_cli("report", *words, code=0)
    with StateView(finished / "out" / "state.db") as view:
        assert view.marked() == 2


def test_a_clip_that_was_rendered_anew_has_not_been_looked_at(finished: Path) -> None:
    with closing(connect(finished / "out" / "state.db")) as db:
        db.execute("BEGIN")
        db.execute("UPDATE clips SET sha256 = 'another' WHERE status = 'done'")
        db.execute("COMMIT")
        with StateView(finished / "out" / "state.db") as view:
            assert [record.inspection for record in view.records()] == [None] * 3
        db.execute("BEGIN")
        db.execute(
            "UPDATE clips SET sha256 = (SELECT sha256 FROM inspections WHERE inspections.seq = clips.seq) WHERE status = 'done'"
        )
        db.execute("COMMIT")


def test_a_state_file_of_before_is_read_and_gets_its_table_when_written(tmp_path: Path) -> None:
    out = make_night(tmp_path / "old", [Fate("failed")])
    with closing(sqlite3.connect(out / "state.db")) as db:
        db.execute("DROP TABLE inspections")
    assert write_report(job_of(out), COMMAND).exists()
    connect(out / "state.db").close()
    with StateView(out / "state.db") as view:
        assert view.marked() == 0


def test_a_thousand_rows_are_written_in_a_moment(large_night: Path) -> None:
    began = time.monotonic()
    write_report(job_of(large_night), COMMAND)
    assert time.monotonic() - began < 6
