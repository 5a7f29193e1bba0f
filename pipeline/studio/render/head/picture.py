"""From a picture to the frame that will move: where the face sits in it, its planes, what may not be touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.studio.render.composing import compose, open_picture, to_video_frame
from pipeline.studio.render.head.face import Face, find_face

__all__ = ["Plane", "Planes", "Rect", "Scene", "set_scene"]

Plane = NDArray[np.uint8]

_SMALL_FACE = 0.16
"""A face smaller than this part of the frame's height is brought closer…"""
_BUST_FACE = 0.27
"""… until it is this part of it: head and shoulders."""
_LANDSCAPE = 1.2
"""Pictures at least this much wider than high fill the frame; others are shown whole."""
_FACE_HEIGHT_IN_FRAME = 0.44


@dataclass(frozen=True, slots=True)
class Rect:
    """Pixels from ``left``, ``top`` up to and without ``right``, ``bottom``."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Planes:
    """A frame as BT.709 limited range 4:2:0: ``luma`` (height, width), ``chroma`` (height / 2, width / 2, 2: Cb, Cr)."""

    luma: Plane
    chroma: Plane

    def copy(self) -> Planes:
        """A frame that can be drawn into."""
        return Planes(self.luma.copy(), self.chroma.copy())


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame at rest.

    Attributes:
        planes: its pixels.
        shown: where the picture itself lies in the frame; round it is only backdrop.
        face: in the frame's pixels, or None if there is none.
    """

    planes: Planes
    shown: Rect
    face: Face | None


def set_scene(path: Path, width: int, height: int, *, fine: bool) -> Scene:
    """Compose the frame of a picture.

    A small face gets a bust crop. Landscape pictures are cropped to fill the frame, with the face well inside; others
    are shown whole over a blurred, darkened copy.

    Raises:
        RenderError: the picture can't be decoded.
    """
    # Twice the frame, as a small face is brought closer.
    picture = open_picture(path, 2 * width, 2 * height)
    face = find_face(np.asarray(picture))
    if face is None:
        frame, shown, scale = _laid(picture, picture.width / 2, picture.height / 2, width, height, fine=fine)
        return Scene(_planes(frame), shown, None)
    x, y = face.middle
    window = _bust(picture, face, width, height)
    if window:
        picture = picture.crop(window)
        x, y = x - window[0], y - window[1]
        face = face.placed(1, -window[0], -window[1])
    frame, shown, scale = _laid(picture, x, y, width, height, fine=fine)
    return Scene(_planes(frame), shown, face.placed(scale, shown.left, shown.top))


def _bust(picture: Image.Image, face: Face, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The part of a picture that brings a small face closer, or None if it is large enough."""
    scale = max if picture.width >= _LANDSCAPE * picture.height else min
    shown_size = face.size * scale(width / picture.width, height / picture.height)
    if shown_size >= _SMALL_FACE * height:
        return None
    tall = min(picture.height, face.size / _BUST_FACE)
    wide = min(picture.width, tall * width / height)
    x, y = face.middle
    left = min(max(0.0, x - wide / 2), picture.width - wide)
    top = min(max(0.0, y - tall * _FACE_HEIGHT_IN_FRAME), picture.height - tall)
    return int(left), int(top), int(left + wide), int(top + tall)


def _laid(
    picture: Image.Image, x: float, y: float, width: int, height: int, *, fine: bool
) -> tuple[Image.Image, Rect, float]:
    """A frame with the picture in it, where that lies (also beyond the frame), and how much it was scaled."""
    if picture.width < _LANDSCAPE * picture.height:
        frame = compose(picture, width, height, fine=fine)
        front = ImageOps.contain(picture, (width, height))  # only its size is of interest
        x, y = (width - front.width) // 2, (height - front.height) // 2
        return frame, Rect(x, y, x + front.width, y + front.height), front.height / picture.height
    scale = max(width / picture.width, height / picture.height)
    # Rounding must not take the window beyond the picture.
    wide, tall = min(width / scale, picture.width), min(height / scale, picture.height)
    left = min(max(0.0, x - wide / 2), picture.width - wide)
    top = min(max(0.0, y - tall * _FACE_HEIGHT_IN_FRAME), picture.height - tall)
    resample = Image.Resampling.LANCZOS if fine else Image.Resampling.BILINEAR
    frame = picture.resize((width, height), resample, box=(left, top, left + wide, top + tall))
    shown = Rect(-left * scale, -top * scale, (picture.width - left) * scale, (picture.height - top) * scale)
    return frame, shown, scale


def _planes(frame: Image.Image) -> Planes:
    video = to_video_frame(frame)
    height, width = frame.height, frame.width
    blue, red = (_plane(video.planes[index], height // 2, width // 2) for index in (1, 2))
    return Planes(_plane(video.planes[0], height, width).copy(), np.dstack((blue, red)))


def _plane(plane: object, height: int, width: int) -> Plane:
    """The pixels of an AVFrame's plane, without its padding."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[attr-defined, call-overload]
    return rows[:height, :width]  # type: ignore[no-any-return]
