"""Opens, closes, spreads and rounds the mouth, with the jaw, the chin and the neck that move along.

The lower lip with the jaw and the upper lip are two layers of the picture that part at the line between the lips;
beyond the mouth's corners they are one. Each is a smooth warp, told at a few nodes; between them shows what
:mod:`~pipeline.studio.render.head.interior` draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.studio.render.head.curves import Floats, eased
from pipeline.studio.render.head.interior import Interior
from pipeline.studio.render.head.lips import U_BINS, U_RANGE, Lips, u_bin
from pipeline.studio.render.head.picture import Plane, Planes
from pipeline.studio.render.head.sampling import looked_up

__all__ = ["MAX_GAP", "Mouth", "MouthShape"]

MAX_GAP = 0.58
"""Distance of the lips at an opening of 1, in half widths of the mouth."""

_STEPS = 11
"""Nodes between the middle of the mouth and its corner."""
_CORNER_DROP = 0.40
"""How far the corners of the mouth go down with the jaw, which goes 1."""
_UPPER_LIFT = 0.10
"""How far the middle of the upper lip goes up against it."""
_REACH_U = 2.7
_NECK = 1.35
"""Below the chin the move fades out over so many half widths."""
_FEATHER_PX = 1.4
_UPPER_SHARE = 0.3
"""The upper lip's part in closing a mouth that is open in the picture."""


@dataclass(frozen=True, slots=True)
class MouthShape:
    """Opening 0 (closed) to 1; lips -1 (rounded, as in *you*) to 1 (spread, as in *see*), 0 as in the picture."""

    opening: float
    spread: float


class Mouth:
    """The mouth of one scene."""

    def __init__(self, rest: Planes, lips: Lips, interior: Interior) -> None:
        self._rest = rest
        self._lips = lips
        self._interior = interior
        height, width = rest.luma.shape
        self._step = max(2, round(lips.half_width / _STEPS))
        self._rows, self._columns = _bounds(lips, width, height)
        tall, wide = self._rows.stop - self._rows.start, self._columns.stop - self._columns.start
        xs, ys = (np.arange(stop.start, stop.stop, dtype=np.float32) for stop in (self._columns, self._rows))
        pixels = lips.to_mouth(np.stack(np.meshgrid(xs, ys), axis=-1))
        # A node of margin on each side: OpenCV interpolates between the middles of cells, and only there.
        self._nodes_shape = -(-wide // self._step) + 2, -(-tall // self._step) + 2
        node_xs, node_ys = (
            np.float32(stop.start) + (np.arange(count, dtype=np.float32) - 0.5) * self._step - 0.5
            for stop, count in zip((self._columns, self._rows), self._nodes_shape, strict=True)
        )
        self._nodes = lips.to_mouth(np.stack(np.meshgrid(node_xs, node_ys), axis=-1))
        # The rows and columns of the patch in which the line between the lips can lie.
        near = (np.abs(pixels[..., 0]) < 1.35) & (np.abs(pixels[..., 1] - 0.25) < 0.95)
        self._band = _even_box(near)
        self._v = np.ascontiguousarray(pixels[self._band][..., 1])
        seam = (lips.upper + lips.lower) / 2
        self._below = (pixels[..., 1] > seam[u_bin(pixels[..., 0])]).astype(np.uint8)

    def draw(self, target: Planes, shape: MouthShape) -> None:
        """Draw the mouth and what moves with it into ``target``."""
        lips = self._lips
        gap = max(shape.opening, 0.0) * MAX_GAP
        # A mouth that is open in the picture is first closed as far as need be; then the jaw opens it further.
        shut = 1 - min(gap / lips.gap, 1.0) if lips.gap > 0 else 0.0
        jaw = max(0.0, gap - lips.gap) / (1 + _UPPER_LIFT)
        u, upper_v, lower_v = self._sources(jaw, shut, shape.spread)
        upper, lower = self._spread_out(lips.to_pixels(u, upper_v)), self._spread_out(lips.to_pixels(u, lower_v))
        source_u = self._spread_out(u)[self._band]
        bins = u_bin(source_u)
        upper_shift, lower_shift = self._edges(jaw, shut)
        upper_edge, lower_edge = (lips.upper + upper_shift)[bins], (lips.lower + lower_shift)[bins]
        below = self._below.copy()
        below[self._band] = self._v > (upper_edge + lower_edge) / 2
        cv2.copyTo(lower, below, upper)
        luma = looked_up(self._rest.luma, upper, cubic=True)
        half = cv2.resize(upper, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) * np.float32(0.5) - np.float32(
            0.25
        )
        chroma = looked_up(self._rest.chroma, half)
        if shut > 0:
            self._press(luma, source_u, upper_edge, shut)
        px = np.float32(lips.half_width / _FEATHER_PX)
        from_upper, from_lower = (self._v - upper_edge) * px, (lower_edge - self._v) * px
        shown = np.clip(from_upper, 0, 1) * np.clip(from_lower, 0, 1)
        if shown.any():
            self._fill(luma, chroma, shown, from_upper / px, from_lower / px, jaw)
        target.luma[self._rows, self._columns] = luma
        target.chroma[_halved(self._rows), _halved(self._columns)] = chroma

    def _fill(
        self,
        luma: Plane,
        chroma: Plane,
        shown: Floats,
        from_upper: Floats,
        from_lower: Floats,
        jaw: float,
    ) -> None:
        """Show the inside of the mouth where ``shown`` (0 to 1), and shade the lips' inner edges."""
        rows, columns = self._band
        origin = self._columns.start + columns.start, self._rows.start + rows.start
        inside = self._interior.seen(origin, shown.shape, jaw, from_upper, from_lower)
        lips_luma = luma[self._band].astype(np.float32)
        depth = np.minimum(from_upper, from_lower)
        # Lips turn inwards at their edge, away from the light; where they touch there is no edge.
        parted = np.clip((from_upper + from_lower) / np.float32(0.12), 0, 1)
        edge = 1 - np.float32(0.22) * parted * np.exp(np.minimum(depth, 0) / np.float32(0.035))
        lips_luma = 16 + (lips_luma - 16) * edge
        luma[self._band] = np.clip(lips_luma + (inside[..., 0] - lips_luma) * shown + 0.5, 0, 255).astype(np.uint8)
        half = (shown.shape[1] // 2, shown.shape[0] // 2)
        weight = cv2.resize(shown, half, interpolation=cv2.INTER_AREA)[..., None]
        tint = cv2.resize(inside[..., 1:], half, interpolation=cv2.INTER_AREA)
        place = _halved(rows), _halved(columns)
        around = chroma[place].astype(np.float32)
        chroma[place] = np.clip(around + (tint - around) * weight + 0.5, 0, 255).astype(np.uint8)

    def _press(self, luma: Plane, u: Floats, line: Floats, shut: float) -> None:
        """Lips that are open in the picture and now touch: between them lies a line of shadow."""
        depth = np.float32(0.45 * shut**2) * eased(np.abs(u), 1.0, 0.8)
        shade = 1 - depth * np.exp(-(((self._v - line) / np.float32(0.04)) ** 2))
        luma[self._band] = (16 + (luma[self._band].astype(np.float32) - 16) * shade).astype(np.uint8)

    def _sources(self, jaw: float, shut: float, spread: float) -> tuple[Floats, Floats, Floats]:
        """Where the nodes' pixels come from: u, and v of the upper and of the lower layer."""
        u, v = self._nodes[..., 0], self._nodes[..., 1]
        widened = np.float32(0.13 if spread > 0 else 0.20) * np.float32(spread)
        fade = eased(np.abs(u), _REACH_U, 1.2) * eased(v, 1.1 * self._lips.nose, -0.1) * np.exp(-((v / 1.15) ** 2))
        source_u = u - widened * u * np.exp(np.minimum(0.55 * (1 - u * u), 0.28)) * fade
        bins = u_bin(source_u)
        upper_edge, lower_edge = self._lips.upper[bins], self._lips.lower[bins]
        upper_v = lower_v = v
        for _ in range(2):  # a warp is told by where pixels come from, which is found by repeating (it contracts)
            lower_v = v - self._down(source_u, lower_v - lower_edge, jaw, shut, lower_edge - upper_edge)
            upper_v = v - self._up(source_u, upper_v - upper_edge, jaw, shut, lower_edge - upper_edge)
        return source_u, upper_v, lower_v

    def _edges(self, jaw: float, shut: float) -> tuple[Floats, Floats]:
        """How far down the inner edges of both lips are from their rest, for each bin."""
        u = np.linspace(-U_RANGE, U_RANGE, U_BINS).astype(np.float32)
        zero, gap = np.zeros_like(u), self._lips.lower - self._lips.upper
        return self._up(u, zero, jaw, shut, gap), self._down(u, zero, jaw, shut, gap)

    def _down(self, u: Floats, v: Floats, jaw: float, shut: float, gap: Floats) -> Floats:
        """How far the lower layer moves down; v counts from the lower lip's edge."""
        return (
            np.float32(jaw) * self._across(u, v) - np.float32(shut * (1 - _UPPER_SHARE)) * gap
        ) * self._height_share(v)

    def _up(self, u: Floats, v: Floats, jaw: float, shut: float, gap: Floats) -> Floats:
        """The same for the upper layer; v counts from the upper lip's edge. Beyond the corners both are one."""
        side = np.abs(u)
        outside = np.minimum(side, 1) ** 2.2
        share = self._across(np.maximum(side, 1), v) * outside - np.float32(_UPPER_LIFT) * (1 - outside)
        return (np.float32(jaw) * share + np.float32(shut * _UPPER_SHARE) * gap) * self._height_share(v)

    def _across(self, u: Floats, v: Floats) -> Floats:
        """The jaw's move from side to side: the chin is bone, the cheeks only follow."""
        broad = 1.0 + 0.35 * eased(v, 0, self._lips.chin)
        fall = (1 / _CORNER_DROP - 1) * (np.abs(u) / broad) ** 2.4
        return np.asarray(eased(np.abs(u), _REACH_U, 1.7) / (1 + fall), np.float32)

    def _height_share(self, v: Floats) -> Floats:
        """The move from top to bottom: from the nose it grows to the lips, is whole to the chin, then fades out."""
        chin = self._lips.chin
        return eased(v, 0.92 * self._lips.nose, 0) * eased(v, chin + _NECK, chin - 0.1)

    def _spread_out(self, nodes: Floats) -> Floats:
        """Values at the nodes as values at every pixel of the patch."""
        across, down = self._nodes_shape
        whole = cv2.resize(nodes, (across * self._step, down * self._step))
        rows, columns = self._rows.stop - self._rows.start, self._columns.stop - self._columns.start
        inner = whole[self._step : self._step + rows, self._step : self._step + columns]
        return np.ascontiguousarray(inner, np.float32)


def _bounds(lips: Lips, width: int, height: int) -> tuple[slice, slice]:
    """Rows and columns that may move, in even numbers."""
    corners = [(u, v) for u in (-_REACH_U, _REACH_U) for v in (lips.nose * 1.05, lips.chin + _NECK)]
    us, vs = (np.array(values, np.float32) for values in zip(*corners, strict=True))
    pixels = lips.to_pixels(us, vs)
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    rows = slice(max(int(top) // 2 * 2, 0), min(-(-int(bottom) // 2) * 2, height))
    return rows, slice(max(int(left) // 2 * 2, 0), min(-(-int(right) // 2) * 2, width))


def _even_box(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[slice, slice]:
    """The smallest box with even bounds round what is true."""
    slices = []
    for axis in (1, 0):
        found = np.flatnonzero(mask.any(axis=axis))
        slices.append(slice(int(found[0]) // 2 * 2, (int(found[-1]) + 1) // 2 * 2))
    return slices[0], slices[1]


def _halved(span: slice) -> slice:
    return slice(span.start // 2, span.stop // 2)
