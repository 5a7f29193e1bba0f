"""Looking at clips: the row's own voice, silence, cuts, black and frozen pictures, a mouth that follows the voice."""

from __future__ import annotations

import array
import math
import random
import wave
from pathlib import Path

import av
import pytest
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from pipeline.inspection import Facts, Mark, judge
from pipeline.inspection.look import inspect_clip, look_at
from pipeline.inspection.picture import Unwanted
from pipeline.inspection.sound import RATE_HZ, compare, contour, loudness_db, read_sound
from pipeline.settings import InspectSettings

LIMITS = InspectSettings()
SIZE = (320, 180)
FPS = 24


def speak(path: Path, seconds: float, seed: int, rate: int = 16_000) -> Path:
    """Something like speech: syllables of their own pitch and loudness, with pauses."""
    rng = random.Random(seed)
    samples = array.array("h")
    while len(samples) < seconds * rate:
        length = int(rng.uniform(0.08, 0.3) * rate)
        if rng.random() < 0.25:
            samples.extend([0] * length)
            continue
        pitch, loud = rng.uniform(90, 260), rng.uniform(4000, 15000)
        samples.extend(
            int(loud * math.sin(math.pi * k / length) * math.sin(2 * math.pi * pitch * k / rate)
                * (0.6 + 0.4 * math.sin(2 * math.pi * 3.1 * pitch * k / rate)))
            for k in range(length)
        )  # fmt: skip
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples[: int(seconds * rate)].tobytes())
    return path


def film(path: Path, voice: Path, kind: str = "talk", *, delay_s: float = 0.0, keep_s: float = 99.0) -> Path:
    """A clip of a face; ``kind`` says what its picture does."""
    loud = contour(read_sound(voice))
    peak = max(loud)
    rng = random.Random(3)
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "26"}
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        for number in range(int(len(loud) / 100 * FPS)):
            at = number / FPS
            gap = {
                "talk": 12 * (loud[min(len(loud) - 1, max(0, int((at - delay_s) * 100)))] / peak) ** 0.5,
                "babble": 12 * abs(math.sin(at * 9 + rng.random())),
            }.get(kind, 4.0)
            out.mux(video.encode(VideoFrame.from_image(_face(kind, gap, at))))  # type: ignore[no-untyped-call]
        out.mux(video.encode(None))
        resampler = AudioResampler(format="fltp", layout="mono", rate=48_000)
        with av.open(str(voice)) as source:
            for frame in source.decode(source.streams.audio[0]):
                if float(frame.time or 0) >= keep_s:
                    break
                frame.pts = None
                for piece in resampler.resample(frame):
                    out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


def _face(kind: str, gap: float, at: float) -> Image.Image:
    if kind == "black":
        return Image.new("RGB", SIZE, (3, 3, 3))
    picture = Image.radial_gradient("L").resize(SIZE).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((110, 20, 210, 160), fill=(222, 184, 160))
    draw.ellipse((142, 118 - gap / 2, 178, 120 + gap / 2), fill=(80, 15, 15))
    if kind != "frozen":
        shift = (1, 0, 1.2 * math.sin(at * 1.3), 0, 1, math.sin(at * 0.9))
        picture = picture.transform(SIZE, Image.Transform.AFFINE, shift)
    return picture


def delayed(path: Path, voice: Path, seconds: float) -> Path:
    """The same voice, later."""
    with wave.open(str(voice), "rb") as source, wave.open(str(path), "wb") as file:
        file.setparams(source.getparams())
        file.writeframes(bytes(2 * int(seconds * source.getframerate())) + source.readframes(source.getnframes()))
    return path


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("voices")
    return [speak(folder / f"{seed}.wav", 5.0, seed) for seed in (1, 2)]


@pytest.mark.parametrize(
    ("kind", "marks"),
    [("talk", ()), ("babble", (Mark.STILL_MOUTH,)), ("frozen", (Mark.FROZEN,)), ("black", (Mark.BLACK,))],
)
def test_pictures_are_told_apart(tmp_path: Path, voices: list[Path], kind: str, marks: tuple[Mark, ...]) -> None:
    seen = inspect_clip(film(tmp_path / "clip.mp4", voices[0], kind), voices[0], LIMITS)
    assert seen.marks == marks
    assert seen.facts.similarity == pytest.approx(1, abs=0.06)
    if kind == "talk":
        assert seen.facts.mouth is not None
        assert seen.facts.mouth > 0.2
        # The mouth is where it was drawn.
        assert seen.facts.mouth_at == pytest.approx((0.5, 0.66), abs=0.12)


def test_another_rows_voice_is_noticed(tmp_path: Path, voices: list[Path]) -> None:
    seen = inspect_clip(film(tmp_path / "clip.mp4", voices[0]), voices[1], LIMITS)
    assert Mark.WRONG_VOICE in seen.marks
    assert seen.facts.offset_ms is None


@pytest.mark.parametrize("seconds", [0.04, 0.35, 1.2])
def test_the_offset_is_told_to_a_few_milliseconds(tmp_path: Path, voices: list[Path], seconds: float) -> None:
    match = compare(read_sound(voices[0]), read_sound(delayed(tmp_path / "late.wav", voices[0], seconds)))
    assert match is not None
    assert match.offset_ms == pytest.approx(1000 * seconds, abs=2)
    assert match.similarity > 0.9


def test_a_voice_that_comes_late_is_marked(tmp_path: Path, voices: list[Path]) -> None:
    late = delayed(tmp_path / "late.wav", voices[0], 0.5)
    seen = inspect_clip(film(tmp_path / "clip.mp4", late), voices[0], LIMITS)
    assert seen.marks == (Mark.OUT_OF_STEP,)


def test_silence_and_a_missing_end_are_marked(tmp_path: Path, voices: list[Path]) -> None:
    quiet = tmp_path / "quiet.wav"
    with wave.open(str(quiet), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * 5))
    cut = inspect_clip(film(tmp_path / "cut.mp4", voices[0], keep_s=4.0), voices[0], LIMITS)
    assert cut.marks == (Mark.CUT_SHORT,)
    assert cut.facts.missing_s == pytest.approx(1.0, abs=0.4)
    with av.open(str(tmp_path / "cut.mp4")):
        pass
    silent = judge(Facts(loudness_db=loudness_db(contour(read_sound(quiet))), similarity=0.0), LIMITS)
    assert silent == (Mark.SILENT,)


def test_what_can_not_be_decoded_is_marked_and_never_raises(tmp_path: Path, voices: list[Path]) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(999))
    assert look_at(tmp_path, "clip.mp4", "nowhere.png", str(voices[0]), LIMITS).marks == (Mark.UNREADABLE,)
    assert look_at(tmp_path, "gone.mp4", "https://x/y.png", "https://x/y.mp3", LIMITS).marks == (Mark.UNREADABLE,)


def test_a_voice_that_is_a_link_or_gone_leaves_the_question_open(tmp_path: Path, voices: list[Path]) -> None:
    clip = film(tmp_path / "clip.mp4", voices[0])
    for voice in (None, tmp_path / "gone.wav"):
        seen = inspect_clip(clip, voice, LIMITS)
        assert seen.facts.similarity is None
        assert seen.marks == ()


def test_small_pictures_are_made_while_the_clip_is_warm(tmp_path: Path, voices: list[Path]) -> None:
    film(tmp_path / "clip.mp4", voices[0])
    Image.new("RGB", (900, 900), (10, 90, 200)).save(tmp_path / "face.png")
    look_at(tmp_path, "clip.mp4", str(tmp_path / "face.png"), str(voices[0]), LIMITS)
    made = sorted(path.name[:5] for path in (tmp_path / "report_files").iterdir())
    assert made == ["clip-", "face-"]


def test_a_look_that_nobody_wants_any_more_ends_at_the_next_frame(tmp_path: Path, voices: list[Path]) -> None:
    film(tmp_path / "clip.mp4", voices[0])
    answers = iter([True, True, False])
    with pytest.raises(Unwanted):
        look_at(tmp_path, "clip.mp4", "face.png", str(voices[0]), LIMITS, lambda: next(answers))
    assert not (tmp_path / "report_files").exists()


@given(
    st.builds(
        Facts,
        loudness_db=st.none() | st.floats(-120, 0), similarity=st.none() | st.floats(0, 1),
        offset_ms=st.none() | st.floats(-1500, 1500), missing_s=st.none() | st.floats(0, 9),
        black_share=st.none() | st.floats(0, 1), still_share=st.none() | st.floats(0, 1),
        mouth=st.none() | st.floats(-1, 1),
    )
)  # fmt: skip
def test_one_fault_is_told_once_and_the_loosest_limits_mark_nothing(facts: Facts) -> None:
    marks = judge(facts, LIMITS)
    assert len(set(marks)) == len(marks)
    assert not {Mark.SILENT, Mark.WRONG_VOICE} <= set(marks)
    assert len({Mark.BLACK, Mark.FROZEN, Mark.STILL_MOUTH} & set(marks)) <= 1
    loose = InspectSettings(silence_db=-120, min_similarity=0, max_offset_ms=1e6, max_missing_s=1e6,
                            max_black_share=1, max_still_share=1, min_mouth=-1)  # fmt: skip
    assert judge(facts, loose) == ()


def test_a_sound_is_like_itself_whatever_its_level(voices: list[Path]) -> None:
    own = read_sound(voices[0])
    softer = array.array("h", (-value // 3 for value in own))
    match = compare(own, softer)
    assert match is not None
    assert (match.similarity > 0.99, abs(match.offset_ms) < 1) == (True, True)
    assert compare(own, array.array("h", bytes(2 * RATE_HZ))) is None
