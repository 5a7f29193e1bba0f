"""The contact sheet shows the frames it says it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipeline.studio.render.contact_sheet import contact_sheet, frames_between

from .conftest import Clip


def test_a_sheet_spans_the_clip(clip: Clip, tmp_path: Path) -> None:
    count = contact_sheet(clip.path, tmp_path / "sheet.png", columns=4, rows=3, width=160)

    assert count == 12
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (4 * 164 + 4, 3 * 94 + 4)


def test_frames_are_evenly_spaced_from_the_first_to_the_last(clip: Clip) -> None:
    times = [time_s for time_s, _ in frames_between(clip.path, 5, 0.0, None)]

    assert times[0] == 0
    assert times[-1] == pytest.approx((len(clip.frames) - 1) / 48)
    assert len(times) == 5


def test_a_short_span_shows_every_frame_of_it(clip: Clip) -> None:
    times = [time_s for time_s, _ in frames_between(clip.path, 8, 1.0, 1.0 + 8 / 48)]

    assert times == pytest.approx([1 + number / 48 for number in range(8)])


def test_what_is_no_clip_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no")

    with pytest.raises(ValueError, match="can't be decoded"):
        contact_sheet(tmp_path / "no.mp4", tmp_path / "sheet.png")
