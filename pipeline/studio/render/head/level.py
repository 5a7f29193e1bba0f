"""For a picture without a face: a gentle move of the whole frame, and a display of the voice's level."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.studio.render.head.motion import Score
from pipeline.studio.render.head.picture import Plane, Planes

__all__ = ["LevelDisplay"]

_ZOOM = 0.022
_PERIOD_S = 11.0
_BARS = 48
_HISTORY_S = 3.0
_HEIGHT = 0.055
"""Of the display, as a part of the frame's height; the other sizes follow from it."""
_PLATE_LUMA_SHARE = 0.45
_BAR_LUMA = 215


class LevelDisplay:
    """Draws frames of a scene in which nobody speaks."""

    def __init__(self, rest: Planes, fps: int) -> None:
        self._rest = rest
        self._fps = fps

    def draw(self, score: Score, frame: int, target: Planes) -> None:
        """Draw a frame into ``target``."""
        turn = 0.5 - 0.5 * math.cos(2 * math.pi * frame / self._fps / _PERIOD_S)
        zoom = 1 + _ZOOM * turn
        for source, plane in ((self._rest.luma, target.luma), (self._rest.chroma, target.chroma)):
            self._zoomed(source, plane, zoom)
        self._draw_level(score, frame, target)

    def _zoomed(self, source: Plane, target: Plane, zoom: float) -> None:
        height, width = source.shape[:2]
        move = np.array(
            ((1 / zoom, 0, (width - 1) / 2 * (1 - 1 / zoom)), (0, 1 / zoom, (height - 1) / 2 * (1 - 1 / zoom)))
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        target[...] = cv2.warpAffine(source, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def _draw_level(self, score: Score, frame: int, target: Planes) -> None:
        """The last seconds of the level as bars on a dark plate, the newest to the right."""
        height, width = target.luma.shape
        tall = max(int(height * _HEIGHT) // 2 * 2, 8)
        pitch = max(tall // 8 * 2, 4)
        wide = pitch * _BARS
        left, top = (width - wide) // 2 // 2 * 2, height - 2 * tall
        plate = target.luma[top : top + tall, left : left + wide]
        plate[...] = (16 + (plate.astype(np.float32) - 16) * _PLATE_LUMA_SHARE).astype(np.uint8)
        tint = target.chroma[top // 2 : (top + tall) // 2, left // 2 : (left + wide) // 2]
        tint[...] = ((tint.astype(np.int16) + 128) // 2).astype(np.uint8)
        for bar in range(_BARS):
            past = int((_BARS - 1 - bar) / _BARS * _HISTORY_S * self._fps)
            level = float(score.level[frame - past]) if past <= frame else 0.0
            half = max(1, int(level * (tall * 0.42)))
            x = left + bar * pitch + pitch // 4
            middle = top + tall // 2
            target.luma[middle - half : middle + half, x : x + pitch // 2] = _BAR_LUMA
