"""Pictures of every kind become a clip, and faces are found wherever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from pipeline.remedies import NOTES
from pipeline.studio.render import RenderError
from pipeline.studio.render.head import face as face_module
from pipeline.studio.render.head.face import Detection, detect, find_face
from pipeline.studio.render.head.picture import set_scene
from pipeline.studio.render.head.renderer import NO_FACE

from .conftest import make_clip
from .faces import draw_face, speak_mama, write_wav


@pytest.fixture(scope="module")
def short_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("short") / "short.wav", speak_mama(1.0)[0])


def tiny(path: Path) -> None:
    draw_face(64).save(path)


def huge(path: Path) -> None:
    draw_face(5000).save(path, quality=80)


def grey(path: Path) -> None:
    draw_face().convert("L").save(path)


def sixteen_bits(path: Path) -> None:
    levels = np.asarray(draw_face().convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(path)


def transparent(path: Path) -> None:
    face = draw_face().convert("RGBA")
    mask = Image.new("L", face.size, 0)
    ImageDraw.Draw(mask).ellipse((120, 40, 680, 800), fill=255)
    face.putalpha(mask)
    face.save(path)


def palette(path: Path) -> None:
    draw_face().quantize(64).save(path)


def cmyk(path: Path) -> None:
    draw_face().convert("CMYK").save(path)


def tilted(path: Path) -> None:
    draw_face().rotate(33, fillcolor=(120, 140, 150), resample=Image.Resampling.BICUBIC).save(path)


def lying(path: Path) -> None:
    draw_face().rotate(90).save(path)


def turned_by_exif(path: Path) -> None:
    face = draw_face().rotate(90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter to the right
    face.save(path, exif=exif)


def landscape(path: Path) -> None:
    wide = Image.new("RGB", (1600, 800), (120, 140, 150))
    wide.paste(draw_face(), (700, 0))
    wide.save(path)


def portrait(path: Path) -> None:
    tall = Image.new("RGB", (800, 1700), (120, 140, 150))
    tall.paste(draw_face(), (0, 300))
    tall.save(path)


def small_face(path: Path) -> None:
    wide = Image.new("RGB", (2400, 1600), (120, 140, 150))
    wide.paste(draw_face(360), (1700, 900))
    wide.save(path)


def at_the_edge(path: Path) -> None:
    draw_face().crop((180, 60, 800, 640)).save(path)


KINDS = {
    make.__name__: (make, ending)
    for make, ending in (
        (tiny, "png"), (huge, "jpg"), (grey, "png"), (sixteen_bits, "png"), (transparent, "png"), (palette, "png"),
        (cmyk, "jpg"), (tilted, "png"), (lying, "png"), (turned_by_exif, "jpg"), (landscape, "png"), (portrait, "webp"),
        (small_face, "jpg"), (at_the_edge, "png"),
    )
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_speaks(kind: str, short_voice: Path, tmp_path: Path) -> None:
    make, ending = KINDS[kind]
    picture = tmp_path / f"face.{ending}"
    make(picture)

    clip = make_clip(picture, short_voice, tmp_path / "clip.mp4")

    assert clip.report.notes == ()
    assert len(clip.frames) == 48
    moved = np.abs(clip.frames[0].astype(int) - clip.frames[18].astype(int))
    assert moved.max() > 30


def test_a_small_face_is_brought_closer(tmp_path: Path) -> None:
    small_face(tmp_path / "small.jpg")

    scene = set_scene(tmp_path / "small.jpg", 1920, 1080, fine=True)

    assert scene.face
    assert scene.face.size > 0.2 * 1080


def test_the_largest_of_many_faces_speaks(tmp_path: Path) -> None:
    group = Image.new("RGB", (2000, 1000), (120, 140, 150))
    for size, place in ((400, (100, 500)), (900, (600, 100)), (420, (1540, 480))):
        group.paste(draw_face(size), place)
    group.save(tmp_path / "group.png")

    face = find_face(np.asarray(Image.open(tmp_path / "group.png")))

    assert face
    assert face.middle == pytest.approx((1050, 550), abs=60)
    assert face.size == pytest.approx(450, rel=0.15)


@pytest.mark.parametrize("degrees", [0, 20, -35, 60, 90, 180])
def test_a_face_is_found_at_any_tilt(degrees: int) -> None:
    picture = draw_face().rotate(degrees, fillcolor=(120, 140, 150))

    face = find_face(np.asarray(picture))

    assert face
    # Pillow turns against the clock.
    off = (np.degrees(face.roll) + degrees + 180) % 360 - 180
    assert abs(off) < 12


@pytest.mark.parametrize(("size", "most"), [((500, 7), 12), ((4000, 3), 12), ((640, 480), 600), ((1200, 480), 1200)])
def test_nobody_is_not_looked_for_for_ever(size: tuple[int, int], most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def nothing(_picture: object, _center: object, side: float, _roll: object) -> list[Detection]:
        looks.append(side)
        return []

    monkeypatch.setattr(face_module, "_detect_in", nothing)

    assert detect(np.zeros((*size[::-1], 3), np.uint8)) == []
    assert len(looks) <= most


def test_landmarks_go_with_a_mirrored_picture() -> None:
    picture = draw_face()
    face, mirrored = (find_face(np.asarray(one)) for one in (picture, ImageOps.mirror(picture)))

    assert face
    assert mirrored
    assert mirrored.middle[0] == pytest.approx(799 - face.middle[0], abs=12)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 60, 40)])
def test_a_picture_without_a_face_gets_a_level_display_and_a_note(
    colour: tuple[int, int, int], short_voice: Path, tmp_path: Path
) -> None:
    plain = Image.new("RGB", (640, 480), colour)
    ImageDraw.Draw(plain).rectangle((200, 100, 400, 300), fill=(30, 160, 90))
    plain.save(tmp_path / "plain.png")

    clip = make_clip(tmp_path / "plain.png", short_voice, tmp_path / "clip.mp4")

    assert clip.report.notes == (NO_FACE,)
    assert len(clip.frames) == 48
    moved = np.abs(clip.frames[4].astype(int) - clip.frames[16].astype(int))
    assert moved[-60:].max() > 60  # the display
    assert moved[60:-80].max() > 4  # the picture's own gentle move


@pytest.mark.parametrize("size", [(451, 300), (301, 121), (3, 2), (1, 1), (3000, 3), (7, 500)])
def test_odd_sizes_are_composed_as_well(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (80, 120, 90)).save(tmp_path / "odd.png")

    scene = set_scene(tmp_path / "odd.png", 640, 360, fine=True)

    assert scene.planes.luma.shape == (360, 640)
    assert scene.planes.chroma.shape == (180, 320, 2)


def test_no_face_is_an_error_if_strict(short_voice: Path, tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), (90, 90, 90)).save(tmp_path / "plain.png")

    assert NO_FACE in NOTES  # the client knows what to do about it
    with pytest.raises(RenderError, match=NO_FACE):
        make_clip(tmp_path / "plain.png", short_voice, tmp_path / "clip.mp4", strict=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.png"]
