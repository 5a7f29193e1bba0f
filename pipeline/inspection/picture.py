"""Watching a clip's picture: small grey pictures, twelve a second, from a few stretches of the clip."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageChops

__all__ = ["Glance", "Sync", "Unwanted", "black_share", "follow_voice", "still_share", "watch"]

PER_SECOND = 12
WIDTH = 96
CELLS = 16
"""Cells across the picture; square ones, so as many down as its shape gives."""

STRETCHES = 3
STILL = 0.8
"""Grey levels: a cell whose pixels change less than this between two glances stands still."""

DARK = 32
SHIFTS = 16
LAGS = range(-2, 3)


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment: seconds into the clip, whether it is black, how bright each cell is and how much it changed.

    ``change`` is since the glance before, and empty for the first of a stretch.
    """

    at_s: float
    black: bool
    level: tuple[float, ...]
    change: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """How well the cell that follows the voice best does so, beyond what chance gives, and where it is."""

    score: float
    at: tuple[float, float]


class Unwanted(Exception):
    """Nobody wants to know any more."""


def watch(path: Path, most_s: float, wanted: Callable[[], bool] = lambda: True) -> list[Glance]:
    """Look at up to ``most_s`` seconds of a clip: all of a short one, else its beginning, middle and end.

    Args:
        wanted: whether to go on; asked at each frame.

    Raises:
        av.error.FFmpegError: it can't be decoded.
        Unwanted: it was not to go on.
    """
    glances: list[Glance] = []
    with av.open(os.fspath(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        # Frames that no other frame needs, and the smoothing of block edges, are nothing that is looked at.
        stream.codec_context.skip_frame = "NONREF"
        duration_s = (container.duration or 0) / av.time_base
        for start_s, end_s in _stretches(duration_s, most_s):
            if start_s:
                container.seek(int(start_s * av.time_base))
            glances += _glances(_while(wanted, container.decode(stream)), stream, start_s, end_s)
    return glances


def _while(wanted: Callable[[], bool], frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        if not wanted():
            raise Unwanted
        yield frame


def _stretches(duration_s: float, most_s: float) -> list[tuple[float, float]]:
    if duration_s <= most_s:
        return [(0.0, math.inf)]
    each_s = most_s / STRETCHES
    gap_s = (duration_s - each_s) / (STRETCHES - 1)
    return [(number * gap_s, number * gap_s + each_s) for number in range(STRETCHES)]


def _glances(frames: Iterator[VideoFrame], stream: VideoStream, start_s: float, end_s: float) -> Iterator[Glance]:
    height = max(2, round(WIDTH * stream.height / max(1, stream.width) / 2) * 2)
    down = max(1, round(CELLS * height / WIDTH))
    before: Image.Image | None = None
    due_s = start_s
    for frame in frames:
        at_s = float(frame.time or 0.0)
        if at_s >= end_s:
            return
        if at_s < due_s:
            continue
        due_s = max(due_s + 1 / PER_SECOND, at_s)
        grey = _grey(frame, height)
        change: tuple[float, ...] = ()
        if before is not None:
            change = _cells(ImageChops.difference(before, grey), down)
        before = grey
        dark = sum(grey.histogram()[:DARK])
        yield Glance(at_s, dark >= 0.98 * WIDTH * height, _cells(grey, down), change)


def _cells(grey: Image.Image, down: int) -> tuple[float, ...]:
    """The mean of each cell, row by row; not rounded to whole grey levels, since a mouth is a small part of its cell."""
    cells = grey.convert("F").resize((CELLS, down), Image.Resampling.BOX)
    return tuple(float(cells.getpixel((x, y))) for y in range(down) for x in range(CELLS))  # type: ignore[arg-type]  # one band, one number


def _grey(frame: VideoFrame, height: int) -> Image.Image:
    small = frame.reformat(width=WIDTH, height=height, format="gray", interpolation="AREA")
    plane = small.planes[0]
    return Image.frombytes("L", (WIDTH, height), bytes(plane), "raw", "L", plane.line_size)


def black_share(glances: Sequence[Glance]) -> float:
    """How much of it is black."""
    return round(sum(glance.black for glance in glances) / max(1, len(glances)), 3)


def still_share(glances: Sequence[Glance]) -> float:
    """How much of it nothing moves in."""
    moments = [max(glance.change) < STILL for glance in glances if glance.change]
    return round(sum(moments) / max(1, len(moments)), 3)


def follow_voice(glances: Sequence[Glance], loudness: Sequence[float], offset_s: float) -> Sync | None:
    """Whether some part of the picture opens and closes as the voice rises and falls.

    Where the mouth is isn't known, so every cell is tried: its brightness (an open mouth is darker or lighter than a
    closed one) and its motion. The best is held against the best that the same picture reaches with the voice moved in
    time: what is left is what chance does not explain. None where it can't be told: too short, a picture that stands
    still, or a voice without ups and downs.
    """
    moved = [glance for glance in glances if glance.change]
    voice = [_heard(loudness, glance.at_s - offset_s) for glance in moved]
    mean = sum(voice) / max(1, len(voice))
    if len(moved) < 2 * PER_SECOND or not mean:
        return None
    spread = math.sqrt(sum((value - mean) ** 2 for value in voice) / len(voice)) / mean
    changes = list(zip(*(glance.change for glance in moved), strict=True))
    levels = list(zip(*(glance.level for glance in moved), strict=True))
    cells = [number for number, series in enumerate(changes) if sum(series) / len(series) > STILL / 2]
    if spread < 0.25 or not cells:
        return None
    series = [(number, _normed(_swings(levels[number]))) for number in cells]
    series += [(number, _normed(_swings(changes[number]))) for number in cells]
    beat = _normed(_swings([value**0.5 for value in voice]))
    best, number = max((_best_of_lags(one, beat), number) for number, one in series)
    rng = random.Random(len(beat))  # the same clip is judged the same every time
    by_chance = 0.0
    for _ in range(SHIFTS):
        shift = rng.randrange(PER_SECOND, len(beat) - PER_SECOND + 1)
        turned = beat[shift:] + beat[:shift]
        by_chance += max(_best_of_lags(one, turned) for _, one in series) / SHIFTS
    row, column = divmod(number, CELLS)
    at = (round((column + 0.5) / CELLS, 3), round((row + 0.5) / (len(levels) // CELLS), 3))
    return Sync(round(best - by_chance, 3), at)


def _heard(loudness: Sequence[float], at_s: float) -> float:
    """The voice's loudness between the glance before and this one."""
    end = round(at_s * 100)
    piece = loudness[max(0, end - 100 // PER_SECOND) : max(0, end)]
    return sum(piece) / len(piece) if piece else 0.0


def _swings(series: Sequence[float]) -> list[float]:
    """Without what is slower than half a second: a head that turns, light that changes."""
    reach = PER_SECOND // 2
    swings = []
    for number, value in enumerate(series):
        near = series[max(0, number - reach) : number + reach + 1]
        swings.append(value - sum(near) / len(near))
    return swings


def _normed(series: Sequence[float]) -> list[float]:
    energy = math.sqrt(sum(map(mul, series, series))) or 1.0
    return [value / energy for value in series]


def _best_of_lags(series: list[float], beat: list[float]) -> float:
    return max(math.fabs(sum(map(mul, series[max(0, lag) :], beat[max(0, -lag) :]))) for lag in LAGS)
