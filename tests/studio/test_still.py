"""The still renderer, by what it renders."""

from __future__ import annotations

import math
from pathlib import Path

import av
import pytest
from PIL import Image

from pipeline.studio.render import RenderError, RenderTask
from pipeline.studio.render.still import render

from .media import Measured, make_picture, make_voice, measure


def task(picture: Path, voice: Path, output: Path, size: tuple[int, int] = (1920, 1080)) -> RenderTask:
    return RenderTask(picture, voice, "", *size, 48, "preview", False, output)


SMALL = (640, 360)
"""Where the frame's size doesn't matter: a ninth of the work."""


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any pixel's channel."""
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return max(abs(a - b) for a, b in pairs)


@pytest.fixture(scope="module")
def clip(picture: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """A clip of 6.2 s: four groups of frames, the last one cut short."""
    directory = tmp_path_factory.mktemp("clip")
    voice = make_voice(directory / "voice.wav", 6.2)
    report = render(task(picture, voice, directory / "clip.mp4"))
    assert (report.frames, report.duration_s, report.notes) == (298, 6.2, ())
    assert [path.name for path in directory.glob("clip*")] == ["clip.mp4"]
    return measure(directory / "clip.mp4")


def test_the_clip_is_what_the_model_promises(clip: Measured) -> None:
    assert (clip.width, clip.height) == (1920, 1080)
    assert clip.fps == 48
    assert clip.codecs == ("h264", "aac")
    assert clip.pixels == "yuv420p"
    assert clip.colors == (1, 1, 1, 1)  # limited range; BT.709 matrix, primaries and transfer
    assert (clip.rate_hz, clip.channels) == (48_000, 1)
    assert clip.comment == "synthetic preview rendered by avatar-batch studio"


def test_sound_and_picture_have_the_length_of_the_voice(clip: Measured) -> None:
    assert clip.frames == math.ceil(6.2 * 48)
    assert clip.audio_s == pytest.approx(6.2, abs=0.001)
    assert 0 <= clip.video_s - clip.audio_s < 0.021
    assert clip.sound_heard_s == pytest.approx(6.2, abs=0.05)


def test_the_clip_decodes_without_a_complaint_and_stands_still(clip: Measured) -> None:
    assert clip.complaints == ()
    assert clip.key_frames == (0, 96, 192, 288)
    assert difference(clip.first.resize((480, 270)), clip.last.resize((480, 270))) <= 1


def test_the_index_comes_first(picture: Path, voice: Path, tmp_path: Path) -> None:
    render(task(picture, voice, tmp_path / "clip.mp4"))

    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("ending", "rate_hz", "channels", "slack_s"),
    [
        ("wav", 8_000, 1, 0.0),
        ("wav", 44_100, 2, 0.0),
        ("mp3", 44_100, 2, 0.0),
        ("mp3", 22_050, 1, 0.0),
        ("m4a", 44_100, 2, 0.024),  # the last frame's padding
        ("aac", 16_000, 1, 0.13),  # the encoder's delay too: raw AAC has no place to tell it
    ],
)
def test_voices_of_all_formats(
    picture: Path, tmp_path: Path, ending: str, rate_hz: int, channels: int, slack_s: float
) -> None:
    voice = make_voice(tmp_path / f"voice.{ending}", 2.31, rate_hz=rate_hz, channels=channels)
    report = render(task(picture, voice, tmp_path / "clip.mp4", SMALL))

    clip = measure(tmp_path / "clip.mp4")
    assert 2.31 - 0.001 <= report.duration_s <= 2.31 + slack_s + 0.001
    assert clip.frames == report.frames == math.ceil(round(report.duration_s * 48, 6))
    assert clip.audio_s == pytest.approx(report.duration_s, abs=0.001)
    assert abs(clip.video_s - clip.audio_s) < 0.021
    assert clip.channels == channels
    assert clip.complaints == ()


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((255, 0, 0), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((0, 0, 255), (32, 240, 118)),
        ((255,) * 3, (235, 128, 128)),
    ],
)
def test_colours_are_bt709(tmp_path: Path, voice: Path, rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    Image.new("RGB", SMALL, rgb).save(tmp_path / "plain.png")
    render(task(tmp_path / "plain.png", voice, tmp_path / "clip.mp4", SMALL))

    with av.open(str(tmp_path / "clip.mp4")) as clip:
        frame = next(clip.decode(video=0))
    middle = [bytes(plane)[len(bytes(plane)) // 2 + 100] for plane in frame.planes]
    assert middle == pytest.approx(list(yuv), abs=1)


def test_pictures_of_all_modes(tmp_path: Path, voice: Path) -> None:
    face = Image.open(make_picture(tmp_path / "face.png", (600, 600)))
    clear = face.convert("RGBA")
    clear.putalpha(0)
    modes = {
        "grey.png": face.convert("L"),
        "palette.png": face.quantize(16),
        "one-bit.png": face.convert("1"),
        "grey-alpha.png": face.convert("LA"),
        "clear.png": clear,
        "sixteen.png": face.convert("I").point(lambda value: value * 256).convert("I;16"),
        "cmyk.jpeg": face.convert("CMYK"),
        "web.webp": face,
    }
    centre = {}
    for name, image in modes.items():
        image.save(tmp_path / name)
        render(task(tmp_path / name, voice, tmp_path / "clip.mp4", SMALL))
        centre[name] = measure(tmp_path / "clip.mp4").first.getpixel((320, 180))

    assert centre["clear.png"] == pytest.approx((128,) * 3, abs=4)
    for name in ("palette.png", "cmyk.jpeg", "web.webp"):
        assert centre[name] == pytest.approx((228, 184, 152), abs=24), name
    for name in ("grey.png", "grey-alpha.png", "sixteen.png"):
        assert centre[name] == pytest.approx((193,) * 3, abs=8), name


def test_the_picture_is_upright_and_whole_over_a_darker_fill(tmp_path: Path, voice: Path) -> None:
    image = Image.new("RGB", (1000, 500), (200, 40, 40))
    image.paste((40, 40, 200), (0, 0, 500, 500))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left comes up
    image.save(tmp_path / "turned.jpeg", exif=exif, quality=95)

    render(task(tmp_path / "turned.jpeg", voice, tmp_path / "clip.mp4"))

    frame = measure(tmp_path / "clip.mp4").first
    assert frame.getpixel((960, 100)) == pytest.approx((40, 40, 200), abs=12)
    assert frame.getpixel((960, 980)) == pytest.approx((200, 40, 40), abs=12)
    assert frame.getpixel((960 - 260, 100)) == pytest.approx((40, 40, 200), abs=12)  # 540 px wide
    side = frame.getpixel((100, 10))
    assert isinstance(side, tuple)
    assert max(side) < 120


def test_what_cannot_be_rendered_says_why_and_leaves_nothing(picture: Path, voice: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("neither picture nor voice")
    huge = tmp_path / "huge.png"
    Image.new("1", (9000, 9000)).save(huge)
    program = tmp_path / "program.png"  # PostScript: some decoders would run it
    program.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 400 400\n")
    make_voice(tmp_path / "other.aac", 3)
    playlist = tmp_path / "playlist.mp3"  # a voice that is somewhere else on this disk
    playlist.write_text("ffconcat version 1.0\nfile other.aac\n")
    output = tmp_path / "clip.mp4"

    for broken, reason in (
        (task(text, voice, output), "the picture can't be read"),
        (task(program, voice, output), "the picture can't be read"),
        (task(tmp_path / "none", voice, output), "the picture can't be decoded"),
        (task(huge, voice, output), "9000x9000 pixels"),
        (task(picture, text, output), "the voice can't be read"),
        (task(picture, picture, output), "the voice can't be read"),
        (task(picture, playlist, output), "the voice can't be read"),
        (task(picture, voice, tmp_path / "nowhere" / "clip.mp4"), "the clip can't be written"),
    ):
        with pytest.raises(RenderError, match=reason):
            render(broken)
    assert not list(tmp_path.glob("clip*"))


def test_a_damaged_voice_is_rendered_with_a_note(picture: Path, tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice.mp3", 4)
    data = bytearray(voice.read_bytes())
    data[8000:9000] = bytes(range(250)) * 4
    voice.write_bytes(data)

    report = render(task(picture, voice, tmp_path / "clip.mp4", SMALL))

    assert report.duration_s == pytest.approx(4, abs=0.3)
    assert measure(tmp_path / "clip.mp4").complaints == ()
