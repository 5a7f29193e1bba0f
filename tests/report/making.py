"""Nights that were never rendered: a state file, clips, pictures and a log as a run would have left them."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

from pipeline.clip import Clip, Failure, FailureCode, Row
from pipeline.errors import Problem
from pipeline.events import Event, RunLog
from pipeline.inspection import Facts, Inspection, Mark
from pipeline.manifest import Problems
from pipeline.state import moves
from pipeline.state.inspections import note_inspection
from pipeline.state.intake import take_in
from pipeline.state.rows import read_clips
from pipeline.state.schema import connect, create

BEGAN = 1_790_000_000.0
"""In September 2026, in the evening (UTC)."""

MODEL = "klingai/avatar-pro"
_LINES = (
    "Welcome aboard! Today we look at what is new.",
    "Speaks calmly, with small nods, looking into the camera.",
    "A warm smile, then a clear explanation of the three steps.",
    "Serious and friendly; the hands stay out of the picture.",
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one row."""

    end: str = "done"
    code: FailureCode = FailureCode.GENERATION_ERROR
    words: str = "The face could not be animated."
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    tries: int = 1
    prompt: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)


def make_small_clip(path: Path, seconds: float, face: Image.Image | None = None, hue: int = 0, fps: int = 12) -> Path:
    """A small clip with a mouth that opens and closes."""
    size = (320, 180)
    ground = Image.new("HSV", size, (hue % 256, 60, 150)).convert("RGB")
    if face is not None:
        shown = face.copy()
        shown.thumbnail(size)
        ground.paste(shown, ((size[0] - shown.width) // 2, (size[1] - shown.height) // 2))
    else:
        draw = ImageDraw.Draw(ground)
        draw.ellipse((112, 24, 208, 156), fill=(236, 200, 172))
        draw.ellipse((136, 70, 148, 80), fill=(40, 30, 30))
        draw.ellipse((172, 70, 184, 80), fill=(40, 30, 30))
    with av.open(str(path), "w", format="mp4", container_options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "28"}
        for number in range(round(seconds * fps)):
            picture = ground.copy()
            gap = 2 + 8 * abs(math.sin(number * 0.9))
            ImageDraw.Draw(picture).ellipse((142, 118 - gap / 2, 178, 118 + gap / 2), fill=(90, 20, 20))
            container.mux(video.encode(VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
        container.mux(video.encode(None))
    return path


def make_night(
    out: Path,
    fates: Sequence[Fate],
    *,
    faces: Sequence[Path] = (),
    render_s: float = 530.0,
    places: int = 12,
    voice: Path | None = None,
    clips: Sequence[Path] = (),
    refusals: int = 6,
    began: float = BEGAN,
    names: Sequence[str] = (),
) -> Path:
    """An OUT whose rows ended as ``fates`` say; the manifest's rows are named ``names`` or ``clip-0001`` and on."""
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    rows = [_row(number, fate, faces, voice, names) for number, fate in enumerate(fates)]
    create(out / "state.db")
    log = RunLog(out / "run.log")
    log(Event(began - 1, "start", details={"job": out.name}))
    free = [began + 3 * place for place in range(places)]
    with closing(connect(out / "state.db")) as db:
        db.execute("BEGIN")
        problems = Problems("job.yaml")
        take_in(db, rows, out, problems)
        assert problems.kept == list[Problem]()
        db.execute("INSERT INTO job VALUES ('provider', 'aimlapi')")
        for number, fate in enumerate(fates):
            place = min(range(places), key=free.__getitem__)
            took = render_s * rng.uniform(0.85, 1.2)
            clip = clips[number % len(clips)] if clips else None
            _live(db, out, number + 1, fate, free[place], took, clip)
            if fate.end != "pending":
                free[place] += took + 2
        db.execute("COMMIT")
    for number in range(refusals):
        log(Event(began + 40 + number * 400, "throttled", details={"message": "too many requests"}))
    log(Event(max(free), "end", details={"exit_code": 1}))
    log.close()
    return out


def _row(number: int, fate: Fate, faces: Sequence[Path], voice: Path | None, names: Sequence[str]) -> Row:
    row_id = names[number] if names else f"clip-{number + 1:04}"
    face = str(faces[number % len(faces)]) if faces else "https://example.com/face.png"
    seconds = round(4 + (number * 37 % 90) / 10, 1)
    return Row(
        id=row_id, image=face, audio=str(voice) if voice else f"https://example.com/{number}.mp3",
        prompt=_LINES[number % len(_LINES)] if fate.prompt is None else fate.prompt,
        model=MODEL, provider="", options={}, meta=fate.meta, output=f"{row_id}.mp4", voice_s=seconds,
        estimated_usd=round(seconds * 0.12075, 4), image_stamp="", audio_stamp="", image_digest="i", audio_digest=f"a{number}",
    )  # fmt: skip


def _live(db: sqlite3.Connection, out: Path, seq: int, fate: Fate, at: float, took: float, file: Path | None) -> None:
    def clip() -> Clip:
        return read_clips(db, "clips.seq = ?", (seq,))[0]

    if fate.end == "pending":
        return
    cost = clip().estimated_usd
    for one in range(1, fate.tries):
        number = moves.begin_submit(db, clip(), f"req-{seq}-{one}", cost or 0.0, at)
        assert number
        moves.take_back(db, clip(), forget=False, now=at)
    moves.begin_submit(db, clip(), f"req-{seq}", cost or 0.0, at)
    if fate.end == "failed" and fate.code is FailureCode.BAD_REQUEST:
        moves.fail(db, clip(), Failure(fate.code, fate.words), at + 1, fate="refused")
        return
    if fate.end == "unconfirmed":
        moves.lose(db, clip())
        moves.unconfirm(db, clip(), Failure(FailureCode.UNCONFIRMED, fate.words))
        return
    moves.accept(db, clip(), f"gen-{seq}:{MODEL}", cost, at + 1)
    if fate.end == "rendering":
        return
    if fate.end == "failed":
        settled = "failed" if fate.code is FailureCode.GENERATION_ERROR else None
        moves.fail(db, clip(), Failure(fate.code, fate.words), at + took, fate=settled)
        return
    moves.complete(db, clip(), "https://cdn.example.com/x.mp4", cost, at + took, fate.notes)
    finish(db, out, clip(), at + took + 2, file, fate.marks)


def finish(
    db: sqlite3.Connection, out: Path, clip: Clip, at: float, file: Path | None, marks: Sequence[Mark] = ()
) -> None:
    """downloading → done, with a file and a look at it."""
    size = 0
    if file is not None:
        path = out / clip.output
        path.write_bytes(file.read_bytes())
        size = path.stat().st_size
    moves.finish(
        db, replace(clip), output=clip.output, sha256=f"{clip.seq:064x}", size_bytes=size,
        duration_s=clip.voice_s or 0.0, now=at,
    )  # fmt: skip
    facts = Facts(loudness_db=-16.0, similarity=0.31 if Mark.WRONG_VOICE in marks else 0.98, offset_ms=21.0,
                  missing_s=0.0, black_share=0.0, still_share=0.95 if Mark.FROZEN in marks else 0.1, mouth=0.4)  # fmt: skip
    note_inspection(db, clip.seq, Inspection(facts=facts, marks=tuple(marks)))
