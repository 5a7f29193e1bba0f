"""Where the lips meet: the mouth's own axes, and the edges of both lips along them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.studio.render.head.curves import Floats
from pipeline.studio.render.head.face import Face
from pipeline.studio.render.head.picture import Planes
from pipeline.studio.render.head.tracing import traced

__all__ = ["U_BINS", "U_RANGE", "Lips", "find_lips", "u_bin"]

_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_CORNERS = (61, 291)
_CHIN = 152
_NOSE_BASE = 2
_PARTED = 0.09
"""Lips further apart than this are open in the picture: what lies between them is kept."""
_SEARCH = 0.13
"""How far from the landmarks the dark line between closed lips is looked for."""
_RIM = 0.045
"""A lip's rim is blurred so far."""

U_RANGE = 1.5
U_BINS = 1_024


@dataclass(frozen=True, slots=True)
class Lips:
    """The mouth at rest, in its own axes: u from corner (-1) to corner (1), v down, both in half widths of the mouth.

    Attributes:
        center: the middle between the corners, in pixels.
        half_width: in pixels.
        roll: of the line through the corners, in radians.
        upper, lower: v of the lips' inner edges at ``U_BINS`` places from u = -1.5 to 1.5; equal where they touch.
        chin, nose: v of the chin's lowest point and of the nose's base.
    """

    center: tuple[float, float]
    half_width: float
    roll: float
    upper: Floats
    lower: Floats
    chin: float
    nose: float

    @property
    def gap(self) -> float:
        """The largest distance of the lips, in half widths; 0 if they are closed."""
        return float((self.lower - self.upper).max())

    def to_mouth(self, pixels: Floats) -> Floats:
        """Pixels (…, 2) in the mouth's axes."""
        x, y = pixels[..., 0] - np.float32(self.center[0]), pixels[..., 1] - np.float32(self.center[1])
        cos, sin = np.float32(math.cos(self.roll) / self.half_width), np.float32(math.sin(self.roll) / self.half_width)
        return np.stack((x * cos + y * sin, y * cos - x * sin), axis=-1)

    def to_pixels(self, u: Floats, v: Floats) -> Floats:
        """Places in the mouth's axes as pixels (…, 2)."""
        cos, sin = np.float32(math.cos(self.roll) * self.half_width), np.float32(math.sin(self.roll) * self.half_width)
        x = np.float32(self.center[0]) + u * cos - v * sin
        return np.stack((x, np.float32(self.center[1]) + u * sin + v * cos), axis=-1).astype(np.float32)


def u_bin(u: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """The bins of ``Lips.upper`` and ``lower`` that hold these u."""
    scale = np.float32((U_BINS - 1) / (2 * U_RANGE))
    bins = np.clip((u + np.float32(U_RANGE)) * scale + np.float32(0.5), 0, U_BINS - 1)
    return np.asarray(bins, np.int32)


def find_lips(face: Face, rest: Planes) -> Lips:
    """The lips of a face: by its landmarks, then by the picture itself, which tells their edges more exactly."""
    left, right = (face.points[index, :2] for index in _CORNERS)
    dx, dy = (float(value) for value in right - left)
    middle = (left + right) / 2
    empty = np.zeros(0, np.float32)
    center = (float(middle[0]), float(middle[1]))
    axes = Lips(center, max(math.hypot(dx, dy) / 2, 1.0), math.atan2(dy, dx), empty, empty, 0, 0)
    at = np.linspace(-U_RANGE, U_RANGE, U_BINS).astype(np.float32)
    upper, lower = (_edge(axes.to_mouth(face.points[list(indices), :2]), at) for indices in (_UPPER, _LOWER))
    if float((lower - upper).max()) < _PARTED:
        upper = lower = _refined(axes, rest.luma.astype(np.float32), at, (upper + lower) * np.float32(0.5), 0)
    else:
        # Teeth are lighter than lips and less red.
        red = cv2.resize(rest.chroma[..., 1], rest.luma.shape[::-1]).astype(np.float32)
        teeth = rest.luma.astype(np.float32) - 2 * red
        upper = _refined(axes, teeth, at, upper, 1)
        lower = _refined(axes, teeth, at, lower, -1)
        # A landmark lies on the lip's blurred rim: a lip that moves must not take a line of teeth along.
        rim = _RIM * np.clip((1 - np.abs(at)) / 0.25, 0, 1).astype(np.float32)
        upper, lower = upper - rim * np.float32(0.6), np.asarray(np.maximum(upper, lower) + rim, np.float32)
    marks = axes.to_mouth(face.points[[_CHIN, _NOSE_BASE], :2])
    chin = max(float(marks[0, 1]), float(lower.max()) + 0.5)
    return Lips(axes.center, axes.half_width, axes.roll, upper, lower, chin, min(float(marks[1, 1]), -0.35))


def _edge(points: Floats, at: Floats) -> Floats:
    """A smooth edge through landmarks of a lip, ending in the corners of the mouth and going on level."""
    order = np.argsort(points[:, 0])
    us = np.concatenate(((-1.0,), points[order, 0].clip(-0.97, 0.97), (1.0,)))
    vs = np.concatenate(((0.0,), points[order, 1], (0.0,)))
    edge = np.interp(at, us, vs).astype(np.float32)
    return _softened(edge, 0.05)


def _refined(axes: Lips, feature: Floats, at: Floats, near: Floats, edge: int) -> Floats:
    """An edge as the picture shows it, from corner to corner."""
    inside = np.flatnonzero(np.abs(at) <= 0.96)[::4]
    line = traced(feature, axes.to_pixels, at[inside], near[inside], _SEARCH, edge=edge)
    whole = np.interp(at, np.concatenate(((-1.0,), at[inside], (1.0,))), np.concatenate(((0,), line, (0,))))
    return _softened(whole.astype(np.float32), 0.035)


def _softened(edge: Floats, sigma: float) -> Floats:
    bins = sigma * U_BINS / (2 * U_RANGE)
    blurred = cv2.GaussianBlur(edge[None], (0, 0), bins, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred[0], np.float32)
