"""The body of a submit: what is in it, how long it is, and when it is refused."""

from __future__ import annotations

import base64
import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.api import assets
from pipeline.api.assets import SubmitBody, prepare_bodies, prepare_body
from pipeline.clip import Clip
from pipeline.errors import RowRefused
from pipeline.manifest.looks import stamp_of
from tests.unit.making import AVATAR_PRO, a_clip

PNG = b"\x89PNG\r\n\x1a\n"


async def sent(body: SubmitBody) -> bytes:
    return b"".join([piece async for piece in body.pieces()])


def clip_with(image: Path, audio: Path, **values: Any) -> Clip:
    return a_clip(
        image=str(image), audio=str(audio), image_stamp=stamp_of(image), audio_stamp=stamp_of(audio), **values
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "face.png").write_bytes(PNG + b"picture")
    (tmp_path / "voice.mp3").write_bytes(b"ID3voice")
    return tmp_path / "face.png", tmp_path / "voice.mp3"


async def test_local_files_travel_as_data_uris(files: tuple[Path, Path]) -> None:
    body = prepare_body(clip_with(*files, prompt='say "hi" é', provider="fal", options='{"seed": 7}'))

    content = await sent(body)

    assert len(content) == body.length
    assert json.loads(content) == {
        "model": AVATAR_PRO, "prompt": 'say "hi" é', "provider": "fal", "seed": 7,
        "image_url": "data:image/png;base64," + base64.b64encode(PNG + b"picture").decode(),
        "audio_url": "data:audio/mpeg;base64," + base64.b64encode(b"ID3voice").decode(),
    }  # fmt: skip
    assert body.complete


async def test_links_travel_as_they_are_and_what_is_empty_is_left_out() -> None:
    body = prepare_body(a_clip(image='https://h/a?b="c"', audio="https://h/é.mp3"))

    assert json.loads(await sent(body)) == {
        "model": AVATAR_PRO,
        "image_url": 'https://h/a?b="c"',
        "audio_url": "https://h/é.mp3",
    }


WHOLE, PIECE = assets.WHOLE_BELOW_BYTES, assets.PIECE_BYTES


@pytest.mark.parametrize(
    "size", [1, 2, 3, 4, WHOLE - 1, WHOLE, WHOLE + 1, PIECE * 3 - 1, PIECE * 3, PIECE * 3 + 1, PIECE * 5 + 2]
)
async def test_the_promised_length_is_kept_for_every_size(tmp_path: Path, files: tuple[Path, Path], size: int) -> None:
    content = random.Random(size).randbytes(size)
    (tmp_path / "voice.wav").write_bytes(content)
    body = prepare_body(clip_with(files[0], tmp_path / "voice.wav"))

    whole = await sent(body)

    assert len(whole) == body.length
    assert base64.b64decode(json.loads(whole)["audio_url"].partition(",")[2]) == content


@given(
    picture=st.binary(min_size=1, max_size=200),
    voice=st.binary(min_size=1, max_size=200),
    prompt=st.text(st.characters(codec="utf-8"), max_size=30),
)
async def test_the_promised_length_is_kept_for_every_content(
    tmp_path: Path, picture: bytes, voice: bytes, prompt: str
) -> None:
    (tmp_path / "a").write_bytes(picture)
    (tmp_path / "b").write_bytes(voice)
    body = prepare_body(clip_with(tmp_path / "a", tmp_path / "b", prompt=prompt))

    whole = await sent(body)

    assert len(whole) == body.length
    assert json.loads(whole).get("prompt", "") == prompt


async def test_a_large_file_is_never_held_whole(tmp_path: Path, files: tuple[Path, Path]) -> None:
    (tmp_path / "long.wav").write_bytes(bytes(5_000_000))
    body = prepare_body(clip_with(files[0], tmp_path / "long.wav"))

    largest = max([len(piece) async for piece in body.pieces()])

    assert largest <= PIECE * 4 // 3


async def test_nothing_counts_as_out_before_the_last_piece_is_asked_for(files: tuple[Path, Path]) -> None:
    body = prepare_body(clip_with(*files))
    assert (body.started, body.complete) == (False, False)

    pieces = body.pieces()
    seen = []
    async for piece in pieces:
        seen.append(piece)
        if piece != b"}":
            assert (body.started, body.complete) == (True, False)

    assert seen[-1] == b"}"
    assert body.complete


@pytest.mark.parametrize("field", ["image", "audio"])
def test_a_file_that_is_gone_or_changed_refuses_the_row(files: tuple[Path, Path], field: str) -> None:
    clip = clip_with(*files)
    path = files[0] if field == "image" else files[1]

    os.utime(path, ns=(1, 1))
    with pytest.raises(RowRefused, match=rf"^{field}: .* has changed since it was checked"):
        prepare_body(clip)
    path.unlink()
    with pytest.raises(RowRefused, match=rf"^{field}: .* can't be read any more \(No such file"):
        prepare_body(clip)


@pytest.mark.parametrize("change", [-10, 10, 300_000, "gone"])
async def test_a_large_file_that_changes_under_way_breaks_the_request_off(
    tmp_path: Path, files: tuple[Path, Path], change: int | str
) -> None:
    path = tmp_path / "voice.wav"
    size = 700_000
    path.write_bytes(bytes(size))
    body = prepare_body(clip_with(files[0], path))
    if isinstance(change, str):
        path.unlink()
    else:
        path.write_bytes(bytes(size + change))

    with pytest.raises(RowRefused) as caught:
        await sent(body)

    assert body.failure is caught.value
    assert not body.complete


async def test_a_small_file_is_sent_as_it_was_looked_at(files: tuple[Path, Path]) -> None:
    body = prepare_body(clip_with(*files))
    files[1].write_bytes(b"ID3another")

    content = await sent(body)

    assert len(content) == body.length
    assert base64.b64decode(json.loads(content)["audio_url"].partition(",")[2]) == b"ID3voice"


MIMES: dict[str, tuple[bytes, str, str]] = {
    "png": (PNG, "a.mp3", "image/png"), "jpeg": (b"\xff\xd8\xff\xe0", "a.png", "image/jpeg"), "webp": (b"RIFF\0\0\0\0WEBPVP8 ", "a", "image/webp"),
    "wav": (b"RIFF\0\0\0\0WAVEfmt ", "a.mp3", "audio/wav"), "id3": (b"ID3\x04", "a", "audio/mpeg"), "mp3": (b"\xff\xfb\x90", "a", "audio/mpeg"),
    "mpeg 2": (b"\xff\xf3\x90", "a", "audio/mpeg"), "aac": (b"\xff\xf1\x50", "a", "audio/aac"), "aac 2": (b"\xff\xf9\x50", "a", "audio/aac"),
    "m4a": (b"\0\0\0\x20ftypM4A ", "a.bin", "audio/mp4"), "by ending": (b"????", "a.JPG", "image/jpeg"), "by ending m4a": (b"????", "a.m4a", "audio/mp4"),
    "unknown": (b"????", "a", "application/octet-stream"), "empty": (b"", "a.mp3", "audio/mpeg"),
}  # fmt: skip


@pytest.mark.parametrize(("head", "name", "mime"), MIMES.values(), ids=MIMES)
async def test_the_kind_is_told_by_the_bytes_and_then_by_the_ending(
    tmp_path: Path, files: tuple[Path, Path], head: bytes, name: str, mime: str
) -> None:
    (tmp_path / name).write_bytes(head)

    content = await sent(prepare_body(clip_with(tmp_path / name, files[1])))

    assert json.loads(content)["image_url"].startswith(f"data:{mime};base64,")


@pytest.mark.parametrize("ending", ["mp3", "wav", "m4a", "aac"])
async def test_what_is_really_recorded_has_the_right_kind(media: Path, ending: str) -> None:
    content = await sent(prepare_body(clip_with(media / "face.png", media / f"voice.{ending}")))

    kinds = {"mp3": "mpeg", "wav": "wav", "m4a": "mp4", "aac": "aac"}
    assert json.loads(content)["audio_url"].startswith(f"data:audio/{kinds[ending]};base64,")


def test_a_row_that_is_refused_holds_up_no_other(files: tuple[Path, Path], tmp_path: Path) -> None:
    good, gone = clip_with(*files), clip_with(*files)
    gone = replace(gone, image=str(tmp_path / "gone.png"))

    bodies = prepare_bodies([gone, good])

    assert isinstance(bodies[0], RowRefused)
    assert isinstance(bodies[1], SubmitBody)
    assert bodies[1].length == prepare_body(good).length
