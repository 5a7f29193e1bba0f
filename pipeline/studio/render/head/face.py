"""Finds the face in a picture: BlazeFace for where, FaceMesh for its 468 landmarks.

Both are MediaPipe's models, run by OpenCV. How their numbers are read follows MediaPipe's graphs
(``modules/face_detection`` and ``modules/face_landmark``) and their papers: arXiv:1907.05047, arXiv:1907.06724.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Detection", "Face", "Picture", "detect", "find_face", "landmarks_of", "track"]

Picture = NDArray[np.uint8]
"""RGB, of shape (height, width, 3)."""
Points = NDArray[np.float32]
"""Pixels, of shape (n, 2) or, with depth, (n, 3)."""

_DETECTOR_PX = 128
_MESH_PX = 192
_MIN_DETECTION = 0.5
_MIN_PRESENCE = 0.6
_HEAD_OVER = 0.003
"""Which way up a head is: the mesh is the surer of it, by this much at least."""
_SAME_FACE_IOU = 0.3
_CROP_MARGIN = 1.5
"""A mesh crop's side over that of the face's box, as the mesh was trained."""
_TURNS_DEG = (0, 40, -40, 90, -90, 180)
"""How the picture is turned in search of a tilted head; the detector itself forgives some 25 degrees."""
_TILE_SHARES = (1.0, 0.5, 0.28)
"""Sides of the search tiles over the picture's short side: the detector misses faces smaller than a sixth of a tile."""
_SMALLEST_TILE_PX = 64
"""Faces in smaller tiles are smaller than they are worth looking for; and a sliver of a picture has thousands of tiles."""
_RIGHT_EYE, _LEFT_EYE = (33, 133), (263, 362)
"""Outer and inner corners."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that was seen: its score (0 to 1), the middle of its box and the box's side, its roll in radians."""

    score: float
    center: tuple[float, float]
    side: float
    roll: float


@dataclass(frozen=True, slots=True)
class Face:
    """A face and its landmarks.

    Attributes:
        points: 468 landmarks (x, y, z) in pixels of the picture; z grows away from the camera.
        presence: how sure the mesh is that there is a face, 0 to 1.
    """

    points: Points
    presence: float

    @property
    def roll(self) -> float:
        """The head's tilt in radians, clockwise."""
        dx, dy = self._eye(_LEFT_EYE) - self._eye(_RIGHT_EYE)
        return math.atan2(dy, dx)

    @property
    def size(self) -> float:
        """The side of a box round the upright face, in pixels."""
        upright = turned(self.points[:, :2], -self.roll)
        return float(np.ptp(upright, axis=0).max())

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of that box."""
        upright = turned(self.points[:, :2], -self.roll)
        center = (upright.min(axis=0) + upright.max(axis=0)) / 2
        x, y = turned(center[None].astype(np.float32), self.roll)[0]
        return float(x), float(y)

    def placed(self, scale: float, dx: float, dy: float) -> Face:
        """The face in a picture that is this one scaled, then moved."""
        points = self.points * np.float32(scale)
        points[:, :2] += np.array((dx, dy), np.float32)
        return Face(points, self.presence)

    def _eye(self, corners: tuple[int, int]) -> NDArray[np.float32]:
        middle: NDArray[np.float32] = self.points[list(corners), :2].mean(axis=0)
        return middle


def turned(points: Points, angle: float) -> Points:
    """Points (n, 2) turned clockwise about the origin by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array(((cos, sin), (-sin, cos)), np.float32)


def find_face(picture: Picture) -> Face | None:
    """The largest face of a picture, or None.

    The landmarks are taken twice: the second time on a crop that the first has set upright.
    """
    for detection in sorted(detect(picture), key=lambda seen: -seen.side):
        first = landmarks_of(picture, detection.center, detection.side, detection.roll)
        # The detector takes a head that hangs down for an upright one.
        hanging = landmarks_of(picture, detection.center, detection.side, detection.roll + math.pi)
        if hanging.presence > first.presence + _HEAD_OVER:
            first = hanging
        if first.presence >= _MIN_PRESENCE and (face := track(picture, first)) is not None:
            return face
    return None


def track(picture: Picture, near: Face) -> Face | None:
    """A face's landmarks where it was a moment ago, or None if it isn't there."""
    face = landmarks_of(picture, near.middle, near.size, near.roll)
    return face if face.presence >= _MIN_PRESENCE else None


def detect(picture: Picture) -> list[Detection]:
    """All faces that are seen, at any size and tilt; the search widens only until there is one."""
    height, width = picture.shape[:2]
    for degrees in _TURNS_DEG:
        for share in _TILE_SHARES:
            side = max(height, width) if share == 1.0 else min(height, width) * share
            if share != 1.0 and side < _SMALLEST_TILE_PX:
                break
            found = [
                detection
                for x, y in _tile_centers(width, height, side)
                for detection in _detect_in(picture, (x, y), side, math.radians(degrees))
            ]
            square = min(height, width)
            if share == 1.0 and square >= _SMALLEST_TILE_PX and max(height, width) > 1.3 * square:
                for x, y in _tile_centers(width, height, square):
                    found += _detect_in(picture, (x, y), square, math.radians(degrees))
            if found:
                return _distinct(found)
    return []


def _tile_centers(width: int, height: int, side: float) -> list[tuple[float, float]]:
    """Middles of square tiles that overlap by half and cover the picture."""
    columns, rows = (max(1, math.ceil(2 * length / side) - 1) for length in (width, height))
    xs = [width / 2] if columns == 1 else np.linspace(side / 2, width - side / 2, columns).tolist()
    ys = [height / 2] if rows == 1 else np.linspace(side / 2, height - side / 2, rows).tolist()
    return [(x, y) for y in ys for x in xs]


def _detect_in(picture: Picture, center: tuple[float, float], side: float, roll: float) -> list[Detection]:
    """Faces in a square of the picture that is tilted by ``roll``."""
    crop, back = _crop(picture, center, side, roll, _DETECTOR_PX)
    net, names = _net("face_detection_short_range.tflite", ("regressors", "classificators"))
    net.setInput(cv2.dnn.blobFromImage(crop, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
    boxes, scores = net.forward(names)
    chance = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -80, 80)))
    seen = []
    for index in np.flatnonzero(chance >= _MIN_DETECTION):
        values = boxes.reshape(-1, 16)[index]
        points = values.reshape(-1, 2) + _anchors()[index]
        points[1] = values[2:4]
        (x, y), (right, left) = points[0] @ back[:, :2].T + back[:, 2], points[2:4]
        tilt = math.atan2(left[1] - right[1], left[0] - right[0])
        scale = side / _DETECTOR_PX
        seen.append(Detection(float(chance[index]), (float(x), float(y)), float(max(values[2:4])) * scale, roll + tilt))
    return seen


@cache
def _anchors() -> NDArray[np.float32]:
    """Where in the detector's input each of its 896 answers counts from, in pixels."""
    rows = []
    for stride, repeats in ((8, 2), (16, 6)):
        middles = (np.arange(_DETECTOR_PX // stride) + 0.5) * stride
        ys, xs = np.meshgrid(middles, middles, indexing="ij")
        rows.append(np.repeat(np.stack((xs, ys), axis=-1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(rows).astype(np.float32)


def _distinct(found: list[Detection]) -> list[Detection]:
    """The best-scored of detections that lie on each other."""
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda seen: -seen.score):
        if all(_overlap(candidate, other) < _SAME_FACE_IOU for other in kept):
            kept.append(candidate)
    return kept


def _overlap(one: Detection, other: Detection) -> float:
    """Intersection over union of two boxes, as if upright."""
    half = (one.side + other.side) / 2
    sides = [
        max(0.0, min(half - abs(a - b), one.side, other.side)) for a, b in zip(one.center, other.center, strict=True)
    ]
    common = sides[0] * sides[1]
    return common / (one.side**2 + other.side**2 - common)


def landmarks_of(picture: Picture, center: tuple[float, float], side: float, roll: float) -> Face:
    """The mesh of a face in a box with that middle, side in pixels and roll in radians."""
    crop, back = _crop(picture, center, side * _CROP_MARGIN, roll, _MESH_PX)
    net, names = _net("face_landmark.tflite", ("conv2d_21", "conv2d_31"))
    net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
    mesh, presence = net.forward(names)
    raw = mesh.reshape(-1, 3)
    flat = raw[:, :2] @ back[:, :2].T + back[:, 2]
    depth = raw[:, 2:] * (side * _CROP_MARGIN / _MESH_PX)
    logit = float(np.clip(presence.reshape(-1)[0], -80, 80))
    return Face(np.hstack((flat, depth)).astype(np.float32), 1 / (1 + math.exp(-logit)))


def _crop(
    picture: Picture, center: tuple[float, float], side: float, roll: float, size: int
) -> tuple[Picture, NDArray[np.float64]]:
    """A tilted square of the picture as ``size`` x ``size`` pixels, and the affine map (2, 3) back to the picture."""
    scale = side / size
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    half = (size - 1) / 2
    back = np.array(
        (
            (cos, -sin, center[0] - (cos - sin) * half),
            (sin, cos, center[1] - (sin + cos) * half),
        )
    )
    if scale > 2:
        # Averaged first: a bilinear look-up alone would miss most pixels. And only there, as the picture may be huge.
        rows, columns = _around(picture, center, side / 2 * (abs(math.cos(roll)) + abs(math.sin(roll))) + 4 * scale)
        part = picture[rows, columns]
        shrunk = max(round(part.shape[1] / scale), 1), max(round(part.shape[0] / scale), 1)
        reduced = cv2.resize(part, shrunk, interpolation=cv2.INTER_AREA)
        # The size is rounded to whole pixels, so the true ratio of each axis is a little off the wanted one.
        ratio = np.array((reduced.shape[1] / part.shape[1], reduced.shape[0] / part.shape[0]))
        to_reduced = back.copy()
        to_reduced[:, 2] -= columns.start, rows.start
        to_reduced *= ratio[:, None]
        to_reduced[:, 2] += ratio / 2 - 0.5
        crop = cv2.warpAffine(reduced, to_reduced, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    else:
        crop = cv2.warpAffine(picture, back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return crop.astype(np.uint8, copy=False), back


def _around(picture: Picture, center: tuple[float, float], reach: float) -> tuple[slice, slice]:
    """Rows and columns of the picture within ``reach`` of a place, one of each at the least."""
    spans = []
    for length, middle in zip(picture.shape[:2], (center[1], center[0]), strict=True):
        first = min(max(int(middle - reach), 0), length - 1)
        spans.append(slice(first, max(min(math.ceil(middle + reach), length), first + 1)))
    return spans[0], spans[1]


@cache
def _net(name: str, outputs: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """A model of this package and its outputs' names, loaded once a process."""
    data = files("pipeline.studio.render").joinpath("models", name).read_bytes()
    net = cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))
    missing = set(outputs) - set(net.getUnconnectedOutLayersNames())
    if missing:
        raise RuntimeError(f"OpenCV {cv2.__version__} shows no output {', '.join(sorted(missing))} of {name}")
    return net, outputs
