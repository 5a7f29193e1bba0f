"""The face of a scene, ready to perform a score."""

from __future__ import annotations

import numpy as np

from pipeline.studio.render.head.eyes import Eyes
from pipeline.studio.render.head.face import Face
from pipeline.studio.render.head.interior import Interior, Lighting
from pipeline.studio.render.head.lips import find_lips
from pipeline.studio.render.head.motion import Score
from pipeline.studio.render.head.mouth import Mouth
from pipeline.studio.render.head.picture import Planes, Rect
from pipeline.studio.render.head.pose import HeadWarp

__all__ = ["Actor"]

_CHEEKS = (50, 280, 205, 425, 151)
_LIT_LUMA = 158.0
"""The luma of an evenly exposed light face."""
_COLOURED = 14.0
"""Chroma's distance from grey from which on a face counts as one in full colours."""


class Actor:
    """Draws frames of a scene in which its face speaks."""

    def __init__(self, rest: Planes, shown: Rect, face: Face) -> None:
        height, width = rest.luma.shape
        lips = find_lips(face, rest)
        self._posed = rest.copy()
        self._mouth = Mouth(rest, lips, Interior(rest, lips, _lighting(rest, face)))
        self._eyes = Eyes(rest, face)
        self._head = HeadWarp(face, shown, width, height)

    def draw(self, score: Score, frame: int, target: Planes) -> None:
        """Draw a frame into ``target``, which holds the scene at rest or an earlier frame."""
        # First the expression, on a copy of the picture; then the head moves with it.
        self._mouth.draw(self._posed, score.mouth(frame))
        self._eyes.draw(self._posed, float(score.closed[frame]))
        self._head.draw(self._posed, score.pose(frame), target)


def _lighting(rest: Planes, face: Face) -> Lighting:
    """In what light the face is seen."""
    height, width = rest.luma.shape
    reach = max(int(face.size * 0.03), 1)
    luma, chroma = [], []
    for x, y in face.points[list(_CHEEKS), :2].astype(int):
        rows = slice(max(y - reach, 0), min(max(y + reach, 1), height))
        columns = slice(max(x - reach, 0), min(max(x + reach, 1), width))
        luma.append(float(np.mean(rest.luma[rows, columns])))
        half = rest.chroma[rows.start // 2 : rows.stop // 2 + 1, columns.start // 2 : columns.stop // 2 + 1]
        chroma.append(half.reshape(-1, 2).mean(axis=0) - 128)
    # Dark skin is not dark light: teeth are as white in any face, so the luma counts only in part.
    light = 0.45 + 0.55 * max(luma) / _LIT_LUMA
    skin = np.median(np.array(chroma, np.float32), axis=0)
    return Lighting(min(max(light, 0.45), 1.05), min(float(np.hypot(*skin)) / _COLOURED, 1.0), skin)
