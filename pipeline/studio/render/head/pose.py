"""Moves the head as a whole: it turns, nods, tilts and breathes, and all that fades out towards the background."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.studio.render.head.curves import Floats, eased
from pipeline.studio.render.head.face import Face, turned
from pipeline.studio.render.head.picture import Plane, Planes, Rect
from pipeline.studio.render.head.sampling import looked_up

__all__ = ["LARGEST", "HeadPose", "HeadWarp"]

_STEP_PX = 16
"""Distance of the nodes between which the warp is interpolated; it changes slowly in space."""
_BAND = 6
"""Rows of nodes that are drawn at once."""

LARGEST = (0.06, 0.09, 0.04, 0.025, 0.025, 1.0, 1.0)
"""Of each part of a pose; a larger one would show where the drawn region ends."""
_TOUCHED_PX = 0.06

# All lengths below are parts of the face's size; x to the right, y down, from the middle of the face.
_HEAD_MIDDLE_Y = -0.10
_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT = 0.66, 0.82
_FADE_TO = 1.75
"""The move is whole inside the head's ellipse and gone at so many times its radius."""
_NECK_Y = 0.75
"""Where the head turns about."""
_HEAD_DEPTH = 0.42
_EDGE_FADE = 0.35
_CHEST_Y = 1.0

_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)


@dataclass(frozen=True, slots=True)
class HeadPose:
    """How far the head is from rest: angles in radians, moves as parts of the face's size, all small.

    Attributes:
        yaw: to the picture's right.
        pitch: down, as in a nod.
        roll: clockwise.
        across, down: moves of the whole head.
        breath: 0 to 1, the chest's rise.
        brow: 0 to 1, how far the brows are raised.
    """

    yaw: float
    pitch: float
    roll: float
    across: float
    down: float
    breath: float
    brow: float


class HeadWarp:
    """The head's moves over one scene, as a weighted sum of fixed fields of displacement."""

    def __init__(self, face: Face, shown: Rect, width: int, height: int) -> None:
        xs, ys = (_nodes(length) for length in (width, height))  # with a margin of one node all round
        grid = np.stack(np.meshgrid(xs, ys), axis=-1).astype(np.float32)
        size, middle = np.float32(face.size), np.array(face.middle, np.float32)
        local = turned((grid - middle).reshape(-1, 2), -face.roll).reshape(grid.shape) / size
        weight = _head_weight(local) * _inside(grid, shown, width, height, float(size))
        chest = eased(local[..., 1], 0.55, _CHEST_Y) * _inside(grid, shown, width, height, float(size))
        chest *= eased(np.abs(local[..., 0]), 2.2, 0.8)
        depth = _depth(local, face)
        zero = np.zeros_like(weight)
        about_neck = local - np.array((0, _NECK_Y), np.float32)
        # For each part of the pose the displacement of every node, of shape (nodes down, nodes across, 2).
        fields = [
            np.stack((depth * weight, zero), -1),
            np.stack((zero, depth * weight), -1),
            np.stack((-about_neck[..., 1] * weight, about_neck[..., 0] * weight), -1),
            np.stack((weight, zero), -1),
            np.stack((zero, weight), -1),
            np.stack((zero, -0.010 * chest - 0.004 * weight), -1),
            np.stack((zero, -0.030 * _brows(local, face)), -1),
        ]
        moved = turned(np.stack(fields).reshape(-1, 2), face.roll).reshape(len(fields), *grid.shape) * size
        self._fields = moved.reshape(len(fields), -1).astype(np.float32)
        self._rest = grid
        farthest = (np.abs(moved).max(axis=-1) * np.array(LARGEST, np.float32)[:, None, None]).sum(axis=0)
        touched = farthest > _TOUCHED_PX
        self._bands = list(_bands(touched))
        largest = (_BAND + 2) * _STEP_PX * (grid.shape[1] * _STEP_PX)
        # Kept from frame to frame: fresh memory of that size costs more than what is computed in it.
        self._scratch = np.empty(2 * largest, np.float32)

    def draw(self, source: Planes, pose: HeadPose, target: Planes) -> None:
        """Draw what moves of ``source`` into ``target``, which holds the rest already."""
        strengths = np.array([getattr(pose, field.name) for field in dataclasses.fields(pose)], np.float32)
        nodes = self._rest - (strengths @ self._fields).reshape(self._rest.shape)
        # Chroma samples lie between luma pixels 2k and 2k + 1.
        chroma_nodes = nodes * np.float32(0.5) - np.float32(0.25)
        for band in self._bands:
            self._remap(source.luma, nodes[band], target.luma, band, _STEP_PX)
            self._remap(source.chroma, chroma_nodes[band], target.chroma, band, _STEP_PX // 2)

    def _remap(self, source: Plane, nodes: Floats, target: Plane, band: tuple[slice, slice], step: int) -> None:
        """Look a band of ``target`` up in ``source`` where the nodes say, interpolated."""
        tall, wide = nodes.shape[0] * step, nodes.shape[1] * step
        at = self._scratch[: tall * wide * 2].reshape(tall, wide, 2)
        cv2.resize(nodes, (wide, tall), dst=at)
        # Between the middles of cells OpenCV interpolates, beyond the outermost it doesn't: those are a margin.
        top, left = band[0].start * step, band[1].start * step
        part = target[top : top + tall - 2 * step, left : left + wide - 2 * step]
        inner = at[step : step + part.shape[0], step : step + part.shape[1]]
        looked_up(source, inner, into=part)


def _bands(touched: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of nodes that cover what moves, each band as narrow as it can be, with a margin of a node."""
    down, across = touched.shape
    for top in range(0, down - 2, _BAND):
        rows = slice(top, min(top + _BAND + 2, down))
        columns = np.flatnonzero(touched[rows].any(axis=0))
        if len(columns):
            yield rows, slice(max(int(columns[0]) - 2, 0), min(int(columns[-1]) + 3, across))


def _nodes(length: int) -> Floats:
    """Where the nodes lie so that OpenCV's resize, which aligns corners of pixels, interpolates exactly."""
    count = -(-length // _STEP_PX) + 2
    return ((np.arange(count) - 0.5) * _STEP_PX - 0.5).astype(np.float32)


def _head_weight(local: Floats) -> Floats:
    x, y = local[..., 0], local[..., 1] - np.float32(_HEAD_MIDDLE_Y)
    radius = np.sqrt((x / _HEAD_HALF_WIDTH) ** 2 + (y / _HEAD_HALF_HEIGHT) ** 2)
    return eased(radius, _FADE_TO, 0.9)


def _inside(grid: Floats, shown: Rect, width: int, height: int, size: float) -> Floats:
    """1 well inside of the picture, 0 at its edges: those and the backdrop stand still."""
    x, y = grid[..., 0], grid[..., 1]
    left, right = max(shown.left, 0), min(shown.right, width)
    top, bottom = max(shown.top, 0), min(shown.bottom, height)
    fade = _EDGE_FADE * size
    # A node's step of margin, as the edge lies anywhere between two nodes.
    across = eased(np.minimum(x - left, right - x), _STEP_PX, fade + _STEP_PX)
    return across * eased(np.minimum(y - top, bottom - y), _STEP_PX, fade + _STEP_PX)


def _brows(local: Floats, face: Face) -> Floats:
    """1 along the brows, fading out before the eyes and the hair."""
    points = turned(face.points[list(_BROWS), :2] - np.array(face.middle, np.float32), -face.roll) / np.float32(
        face.size
    )
    height = (local[..., 1] - points[:, 1].mean() + np.float32(0.02)) / np.float32(0.085)
    reach = float(np.abs(points[:, 0]).max())
    return np.asarray(np.exp(-(height**2)) * eased(np.abs(local[..., 0]), 1.5 * reach, 0.9 * reach), np.float32)


def _depth(local: Floats, face: Face) -> Floats:
    """How near to the camera each place is, as a part of the face's size: the mesh where it is, an ellipsoid round it."""
    x, y = local[..., 0], local[..., 1] - np.float32(_HEAD_MIDDLE_Y)
    ball = 1 - (x / (_HEAD_HALF_WIDTH * 1.05)) ** 2 - (y / (_HEAD_HALF_HEIGHT * 1.05)) ** 2
    dome = np.sqrt(np.maximum(ball, 0)) * np.float32(_HEAD_DEPTH)
    flat = turned(face.points[:, :2] - np.array(face.middle, np.float32), -face.roll) / np.float32(face.size)
    near = -face.points[:, 2] / np.float32(face.size)
    near = near - near.mean() + np.float32(_HEAD_DEPTH * 0.72)
    distance = ((local[..., None, :] - flat) ** 2).sum(axis=-1)
    kernel = np.exp(-distance / (2 * 0.07**2))
    density = kernel.sum(axis=-1)
    mesh = (kernel * near).sum(axis=-1) / np.maximum(density, 1e-6)
    share = density / (density + 2.0)
    blended: Floats = (share * mesh + (1 - share) * dome).astype(np.float32)
    return cv2.GaussianBlur(blended, (0, 0), 1.0).astype(np.float32)
