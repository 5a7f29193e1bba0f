"""Frames of a clip side by side in one picture: what to look at before anyone else does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFont

__all__ = ["contact_sheet", "frames_between"]

_GAP_PX = 4
_GROUND = (24, 24, 24)
_CAPTION = (235, 235, 235)
_CAPTION_SHARE = 0.055


def contact_sheet(
    clip: Path,
    output: Path,
    *,
    columns: int = 4,
    rows: int = 3,
    start_s: float = 0.0,
    end_s: float | None = None,
    width: int = 480,
) -> int:
    """Save a sheet of frames, evenly spaced from ``start_s`` to ``end_s`` (the clip's end), each with its time.

    ``width`` is of each frame in pixels. A span of ``columns * rows`` frames shows every one: a strip to judge motion
    by. Returns how many frames are on the sheet.

    Raises:
        ValueError: the clip holds no picture, or nothing can be decoded.
        OSError: a file can't be read or written.
    """
    shown = list(frames_between(clip, columns * rows, start_s, end_s))
    if not shown:
        raise ValueError(f"{clip} holds no frame between {start_s:g} s and {end_s or 'its end'}")
    height = round(width * shown[0][1].height / shown[0][1].width)
    used_rows = -(-len(shown) // columns)
    size = (columns * (width + _GAP_PX) + _GAP_PX, used_rows * (height + _GAP_PX) + _GAP_PX)
    sheet = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(max(9, round(height * _CAPTION_SHARE)))
    for place, (time_s, frame) in enumerate(shown):
        row, column = divmod(place, columns)
        corner = (_GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + _GAP_PX))
        sheet.paste(frame.resize((width, height), Image.Resampling.LANCZOS), corner)
        at = (corner[0] + 6, corner[1] + 4)
        draw.text(at, f"{time_s:.3f} s", _CAPTION, font, stroke_width=2, stroke_fill=_GROUND)
    sheet.save(output)
    return len(shown)


def frames_between(clip: Path, count: int, start_s: float, end_s: float | None) -> Iterator[tuple[float, Image.Image]]:
    """Up to ``count`` frames of a clip, evenly spaced, with their times in seconds.

    Raises:
        ValueError: the clip holds no picture, or can't be decoded.
    """
    try:
        with av.open(os.fspath(clip)) as container:
            if not container.streams.video:
                raise ValueError(f"{clip} holds no picture")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or Fraction(25)
            total = float((stream.duration or 0) * (stream.time_base or 0)) or (container.duration or 0) / av.time_base
            last = max(start_s, min(end_s if end_s is not None else total, total) - float(1 / rate))
            step = (last - start_s) / max(count - 1, 1)
            wanted = sorted({round((start_s + step * number) * rate) for number in range(count)})
            for frame in container.decode(stream):
                number = round(float(frame.time or 0) * rate)
                if wanted and number >= wanted[0]:
                    wanted = [later for later in wanted if later > number]
                    yield float(number / rate), _upright(frame)
                if not wanted:
                    return
    except av.error.FFmpegError as error:
        raise ValueError(f"{clip} can't be decoded: {error.strerror}") from None


def _upright(frame: VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image
