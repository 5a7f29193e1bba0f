"""What files really are: made, cut, swapped and damaged by the tests."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import BadMedia
from pipeline.media import (
    ClipFacts,
    Picture,
    Voice,
    check_clip,
    check_picture,
    check_voice,
)
from pipeline.media.clips import look_at_clip
from pipeline.media.files import sha256_of
from pipeline.media.mp4 import read_index, walk_boxes
from pipeline.media.pictures import look_at_picture
from pipeline.media.voices import look_at_voice
from pipeline.models import builtin_catalogue
from tests.unit.making import AVATAR_PRO, make_clip, make_picture, make_voice, make_wav

PRO = builtin_catalogue()[AVATAR_PRO]
FABRIC = builtin_catalogue()["veed/fabric-1.0"]


# --- pictures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("png", "png"), ("jpg", "jpeg"), ("webp", "webp"), ("gif", "gif"), ("bmp", "bmp"), ("tiff", "tiff")],
)
def test_a_picture_is_what_its_bytes_say(tmp_path: Path, ending: str, kind: str) -> None:
    make_picture(tmp_path / f"a.{ending}", (320, 400))
    (tmp_path / f"a.{ending}").rename(tmp_path / "named-otherwise.mp3")

    picture = look_at_picture(tmp_path / "named-otherwise.mp3")

    assert (picture.format, picture.width, picture.height) == (kind, 320, 400)
    assert picture.size_bytes == (tmp_path / "named-otherwise.mp3").stat().st_size


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    for name, size in (("a", (300, 300)), ("b", (300, 300)), ("c", (300, 301))):
        make_picture(tmp_path / f"{name}.png", size)

    a, b, c = (look_at_picture(tmp_path / f"{name}.png").digest for name in "abc")

    assert a == b != c


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95])
def test_a_cut_picture_is_seen(tmp_path: Path, ending: str, share: float) -> None:
    path = make_picture(tmp_path / f"a.{ending}", (600, 600))
    os.truncate(path, int(path.stat().st_size * share))

    with pytest.raises(BadMedia):
        look_at_picture(path)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 20_000), (11_000, 11_000), (400_000, 400_000)])
def test_a_decompression_bomb_is_refused_unread(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png_of_size(*size))

    with pytest.raises(BadMedia, match="pixels"):
        look_at_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xd8\xff", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", bytes(5000)]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(BadMedia):
        look_at_picture(tmp_path / "a.png")


def test_a_picture_is_never_handed_to_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs")
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 400 500\n%%EndComments\nshowpage\n%%EOF\n"
    )

    with pytest.raises(BadMedia):
        look_at_picture(tmp_path / "a.png")


def a_picture(**values: object) -> Picture:
    return replace(Picture("jpeg", 400, 500, 1000, "d"), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (a_picture(), None), (a_picture(width=300, height=300), None), (a_picture(width=300, height=750), None), (a_picture(width=750, height=300), None),
        (a_picture(size_bytes=10_000_000), None), (a_picture(format="gif"), "is GIF; the model takes JPEG, PNG, WEBP: convert it"),
        (a_picture(size_bytes=10_000_001), "has 10,000,001 bytes"), (a_picture(width=299), "each side must be 300 px or more"),
        (a_picture(width=300, height=751), "the sides may differ by 1:2.5 at most"), (a_picture(width=751, height=300), "crop it"),
    ],
)  # fmt: skip
def test_a_picture_is_held_against_the_limits(picture: Picture, words: str | None) -> None:
    said = check_picture(picture, PRO.picture)

    assert said is None if words is None else words in (said or "")


# --- voices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "more_s"),
    [("voice.mp3", "mp3", 0.06), ("voice.m4a", "m4a", 0.001), ("voice.aac", "aac", 0.06), ("voice.wav", "wav", 0.001)],
)
def test_a_voice_is_measured_by_what_is_there(media: Path, name: str, kind: str, more_s: float) -> None:
    voice = look_at_voice(media / name)

    expected_s = 2.5 if kind == "wav" else 3.0
    assert voice.format == kind
    assert expected_s <= voice.duration_s <= expected_s + more_s
    assert voice.size_bytes == (media / name).stat().st_size


def test_an_mp3_with_a_cover_is_a_voice(media: Path, tmp_path: Path) -> None:
    voice = look_at_voice(make_voice(tmp_path / "cover.mp3", 2.0, cover=media / "face.png"))

    assert (voice.format, round(voice.duration_s)) == ("mp3", 2)


def test_an_mp3_without_header_counts_its_frames(media: Path, tmp_path: Path) -> None:
    whole = (media / "voice.mp3").read_bytes()
    (tmp_path / "half.mp3").write_bytes(whole[len(whole) // 2 :])

    assert look_at_voice(tmp_path / "half.mp3").duration_s == pytest.approx(1.5, abs=0.1)


def test_a_picture_a_film_and_nothing_are_no_voices(media: Path, tmp_path: Path, clip_file: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "noise.mp3").write_bytes(random.Random(1).randbytes(4000))
    (tmp_path / "words.wav").write_text("hello " * 100)
    silent = make_clip(tmp_path / "silent.mp4", 0.5, sound_s=0)

    for path, words in (
        (media / "face.png", "is a picture, not a voice"), (clip_file, "is a video, not a voice"), (tmp_path / "empty.mp3", "is empty"),
        (tmp_path / "words.wav", "isn't a sound file"), (tmp_path / "noise.mp3", ""), (silent, "is without a sound track, not a voice"),
        (tmp_path, "isn't a file"),
    ):  # fmt: skip
        with pytest.raises(BadMedia, match=words or None):
            look_at_voice(path)


def test_a_cut_wav_or_m4a_is_seen(media: Path, tmp_path: Path) -> None:
    for name in ("voice.wav", "voice.m4a"):
        whole = (media / name).read_bytes()
        for share in (0.02, 0.5, 0.8):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(BadMedia):
                look_at_voice(tmp_path / name)


def test_a_wav_that_promises_more_than_it_holds_is_cut_short(tmp_path: Path) -> None:
    path = make_wav(tmp_path / "a.wav", 4.0)
    os.truncate(path, 44 + 2 * 8000 * 2)

    with pytest.raises(BadMedia, match=r"is cut short: 4\.0 s by its header, 2\.0 s are there"):
        look_at_voice(path)


def test_a_voice_with_an_unknown_film_track_is_refused_and_not_a_fault(clip_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(clip_file.read_bytes().replace(b"avc1", b"zzzz"))

    with pytest.raises(BadMedia):
        look_at_voice(tmp_path / "a.m4a")


def a_voice(**values: object) -> Voice:
    return replace(Voice("mp3", 10.0, 1000, "d"), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        (a_voice(), None), (a_voice(duration_s=2.0), None), (a_voice(duration_s=300.0), None), (a_voice(format="ogg"), "is OGG; the model takes MP3, WAV, M4A, AAC"),
        (a_voice(duration_s=1.99), "lasts 1.99 s; the model needs 2 s or more"), (a_voice(duration_s=300.1), "300 s at most: split it"),
        (a_voice(size_bytes=5_000_001), "has 5,000,001 bytes"),
    ],
)  # fmt: skip
def test_a_voice_is_held_against_the_limits(voice: Voice, words: str | None) -> None:
    said = check_voice(voice, PRO.voice)

    assert said is None if words is None else words in (said or "")


# --- clips -------------------------------------------------------------------------------------------------------


def test_a_whole_clip_is_measured(clip_file: Path) -> None:
    facts = look_at_clip(clip_file)

    assert (facts.width, facts.height, facts.fps) == (320, 180, 24.0)
    assert facts.video_s == pytest.approx(2.0, abs=0.001)
    assert facts.audio_s == pytest.approx(2.0, abs=0.05)
    assert facts.size_bytes == clip_file.stat().st_size


@pytest.fixture(scope="module")
def fast_start(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A clip with its index in front: it opens also when it is cut."""
    return make_clip(tmp_path_factory.mktemp("fast") / "clip.mp4", faststart=True).read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_clip_that_is_cut_anywhere_is_seen(fast_start: bytes, tmp_path: Path, share: float) -> None:
    (tmp_path / "clip.mp4").write_bytes(fast_start[: int(len(fast_start) * share)])

    with pytest.raises(BadMedia, match="is cut short"):
        look_at_clip(tmp_path / "clip.mp4")


def at(whole: bytes, share: float) -> int:
    """A place within the film's data."""
    start = whole.index(b"mdat")
    return start + int((len(whole) - start) * share)


def zeroed(whole: bytes) -> bytes:
    place = at(whole, 0.5)
    return whole[:place] + bytes(60_000) + whole[place + 60_000 :]


def without_its_index(whole: bytes) -> bytes:
    return whole.replace(b"moov", b"free", 1)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "text": lambda _: b"<html>Not found</html>",
    "a page of zeros": lambda _: bytes(10_000),
    "trailing garbage": lambda whole: whole + b"garbage behind the end",
    "trailing zeros": lambda whole: whole + bytes(100),
    "a hole of zeros": zeroed,
    "a hole": lambda whole: whole[: at(whole, 0.4)] + whole[at(whole, 0.45) :],
    "no index": without_its_index,
    "an impossible box": lambda whole: struct.pack(">I", 3) + whole[4:],
    "a huge box": lambda whole: b"\0\0\0\x01" + whole[4:8] + b"\xff" * 8 + whole[16:],
    "an unknown film": lambda whole: whole.replace(b"avc1", b"zzzz"),
    "shuffled film": lambda whole: (
        whole[: at(whole, 0.1)] + random.Random(1).randbytes(at(whole, 0.9) - at(whole, 0.1)) + whole[at(whole, 0.9) :]
    ),
}


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_clip_is_seen(
    fast_start: bytes, tmp_path: Path, damage: Callable[[bytes], bytes], decode: bool
) -> None:
    (tmp_path / "clip.mp4").write_bytes(damage(fast_start))

    with pytest.raises(BadMedia):
        look_at_clip(tmp_path / "clip.mp4", decode=decode)


def test_only_a_decoder_knows_a_key_frame_that_is_nonsense(fast_start: bytes, tmp_path: Path) -> None:
    dice = random.Random(3)
    start = fast_start.index(b"mdat") + 4
    content = bytearray(fast_start)
    for _ in range(200):
        content[start + 1000 + dice.randrange(3000)] |= 0x81
    (tmp_path / "clip.mp4").write_bytes(content)

    assert look_at_clip(tmp_path / "clip.mp4", decode=False).fps == 24.0
    with pytest.raises(BadMedia):
        look_at_clip(tmp_path / "clip.mp4")


LAYOUTS: dict[str, dict[str, str]] = {
    "index behind": {},
    "index in front": {"movflags": "+faststart"},
    "fragments": {"movflags": "+frag_keyframe+empty_moov"},
    "one chunk a second": {"chunk_duration": "1000000"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_the_structure_tells_what_the_decoder_tells(tmp_path: Path, layout: str, codec: str) -> None:
    path = make_clip(tmp_path / "clip.mp4", 1.5, codec=codec, container=LAYOUTS[layout])
    told, decoded = look_at_clip(path, decode=False), look_at_clip(path)

    assert (told.width, told.height, told.size_bytes) == (decoded.width, decoded.height, decoded.size_bytes)
    assert told.fps == pytest.approx(decoded.fps, abs=0.01)
    assert told.video_s == pytest.approx(decoded.video_s, abs=0.001)
    assert told.audio_s == pytest.approx(decoded.audio_s, abs=0.05)


def test_an_index_that_claims_the_moon_costs_nothing(fast_start: bytes, tmp_path: Path) -> None:
    place = fast_start.index(b"stsz") + 8
    (tmp_path / "clip.mp4").write_bytes(
        fast_start[:place] + struct.pack(">II", 1, 0xFFFFFFF0) + fast_start[place + 8 :]
    )

    tracemalloc.start()
    try:
        with suppress(BadMedia):
            look_at_clip(tmp_path / "clip.mp4", decode=False)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_hole_in_the_sound_alone_is_seen(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 1.0)
    with path.open("rb") as file:
        index = read_index(file, walk_boxes(file, path.stat().st_size))
    assert index.audio is not None
    offset, sizes = index.audio.chunks[len(index.audio.chunks) // 2]
    content = bytearray(path.read_bytes())
    content[offset : offset + sum(sizes)] = bytes(sum(sizes))
    path.write_bytes(content)

    with pytest.raises(BadMedia, match="zeros stand where its sound was"):
        look_at_clip(path, decode=False)


def test_a_clip_with_one_track_is_seen(media: Path, tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="has no sound track"):
        look_at_clip(make_clip(tmp_path / "silent.mp4", 0.5, sound_s=0))
    with pytest.raises(BadMedia, match="has no picture track"):
        look_at_clip(media / "voice.m4a")


def test_whatever_happened_to_a_file_the_answer_is_a_word_about_it(
    media: Path, fast_start: bytes, tmp_path: Path
) -> None:
    rng = random.Random(7)
    make_picture(tmp_path / "a.jpg", (300, 300))
    make_picture(tmp_path / "a.webp", (300, 300))
    looks: list[tuple[Callable[[Path], object], bytes, int]] = [
        *((look_at_picture, (tmp_path / name).read_bytes(), 80) for name in ("a.jpg", "a.webp")),
        (look_at_picture, (media / "face.png").read_bytes(), 80),
        *((look_at_voice, (media / f"voice.{ending}").read_bytes(), 50) for ending in ("mp3", "m4a", "aac", "wav")),
        (look_at_clip, fast_start, 60), (partial(look_at_clip, decode=False), fast_start, 200), (look_at_voice, fast_start, 60),
    ]  # fmt: skip
    for look, whole, times in looks:
        for _ in range(times):
            content = bytearray(whole)
            reach = rng.choice([60, 2000, len(content)])
            for _ in range(rng.choice([1, 5, 50])):
                content[rng.randrange(min(reach, len(content)))] = rng.randrange(256)
            (tmp_path / "any").write_bytes(
                content[: rng.choice([len(content), len(content), rng.randrange(len(content))])]
            )
            with suppress(BadMedia):
                look(tmp_path / "any")


FACTS = ClipFacts(1920, 1080, 48.0, 10.0, 10.02, 1_000_000)


@pytest.mark.parametrize(
    ("facts", "voice_s", "words"),
    [
        (FACTS, 10.0, None), (FACTS, None, None), (replace(FACTS, width=1080, height=1920), 10.0, None), (replace(FACTS, width=1080, height=1080), 10.0, None),
        (replace(FACTS, width=1920, height=1088), 10.0, None), (replace(FACTS, width=1280, height=720), 10.0, "is 1280x720, the model makes 1920x1080"),
        (replace(FACTS, fps=47.952), 10.0, None), (replace(FACTS, fps=24.0), 10.0, "has 24 frames a second, the model makes 48"),
        (replace(FACTS, fps=0.0), 10.0, "has 0 frames a second"), (FACTS, 10.45, None), (FACTS, 10.6, "has 10.00 s of picture, the voice lasts 10.60 s"),
        (replace(FACTS, audio_s=5.0), 10.0, "has 5.00 s of sound, the voice lasts 10.00 s"), (replace(FACTS, video_s=100, audio_s=100), 101.5, None),
        (replace(FACTS, video_s=9.0), None, None),
    ],
)  # fmt: skip
def test_a_clip_is_held_against_its_model_and_its_voice(
    facts: ClipFacts, voice_s: float | None, words: str | None
) -> None:
    assert (
        check_clip(facts, PRO, voice_s) == words if words is None else words in (check_clip(facts, PRO, voice_s) or "")
    )


def test_what_a_model_does_not_promise_is_not_asked_for() -> None:
    assert check_clip(replace(FACTS, width=640, height=360, fps=25.0), FABRIC, 10.0) is None


def test_a_portrait_clip_of_its_own_making_is_taken(tmp_path: Path) -> None:
    facts = look_at_clip(make_clip(tmp_path / "portrait.mp4", 1.0, size=(180, 320), fps=24))

    assert (facts.width, facts.height) == (180, 320)
    assert "180x320" in (check_clip(facts, PRO, 1.0) or "")


def test_a_checksum_is_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_looking_closes_the_file(tmp_path: Path) -> None:
    path = make_picture(tmp_path / "a.png")

    look_at_picture(path)

    with Image.open(path) as image:
        assert image.format == "PNG"
