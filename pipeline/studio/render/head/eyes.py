"""Closes the eyes: a lid of the skin round the eye comes down over it, with a line of lashes at its edge.

The skin is painted once for each picture, from what surrounds the eye. So neither brows nor rims of glasses are ever
stretched, and an eye that the landmarks meet only roughly, as a drawn one, is covered none the less.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.studio.render.head.curves import Floats, eased
from pipeline.studio.render.head.face import Face
from pipeline.studio.render.head.picture import Planes
from pipeline.studio.render.head.sampling import looked_up

__all__ = ["Eyes"]

# Landmarks of each eye's upper and lower lid, from the outer to the inner corner.
_RIGHT = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133))
_LEFT = ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362))

# Lengths below are in half widths of the eye.
_BROADER = 1.12
"""Landmarks of the corners lie a little inside of them."""
_ENDS = 1.30
"""Where the line of the closed lids ends on both sides."""
_OVERLAP = 0.09
"""A closed lid ends so far below the landmarks of the lower one, whose rim it covers."""
_LASH_REACH = 0.26
"""The open lid's rim and lashes reach so far above its landmarks."""
_OUTER_LASHES = 0.22
"""So much further at the outer corner."""
_LASH_LINE = 0.05
_LASH_MORE = 0.7
"""By so much the line of the lashes is thicker at the outer corner."""
_LASH_ENDS = 1.62
"""Lashes reach so far beyond the outer corner."""
_CREASE_REACH = 0.34
"""The crease of the open lid lies within so much above its lashes…"""
_CREASE_FADE = 0.6
"""… and is so much fainter over a closed eye."""
_BULGE = 0.05
_THIN = 0.16
"""A lash is thinner than this, the rim of glasses isn't."""
_SOFT = 0.10
_GRAIN_FROM = 0.95
"""The lid's grain is that of the skin so far below the eye."""
_PRESENT_AT = 0.22
"""From this part of the way on the lid covers the open eye's lashes in full."""


class Eyes:
    """Both eyes of one scene."""

    def __init__(self, rest: Planes, face: Face) -> None:
        self._eyes = [_Eye(rest, face, *indices) for indices in (_RIGHT, _LEFT)]

    def draw(self, target: Planes, closed: float) -> None:
        """Draw both eyes into ``target``, 0 (as in the picture) to 1 (closed)."""
        for eye in self._eyes:
            eye.draw(target, closed)


class _Eye:
    """One eye, in axes of its own: u from corner (-1) to corner (1), v down, in half widths of the eye.

    Colours are Y, Cb, Cr in floats, of shape (rows, columns, 3).
    """

    def __init__(self, rest: Planes, face: Face, upper: tuple[int, ...], lower: tuple[int, ...]) -> None:
        corners = face.points[[upper[0], upper[-1]], :2]
        middle, half = corners.mean(axis=0), (corners[1] - corners[0]) / 2
        if half @ np.array((math.cos(face.roll), math.sin(face.roll)), np.float32) < 0:
            half = -half
        length = max(float(np.hypot(*half)), 1.0)
        across, size = half / length, length * _BROADER
        down = np.array((-across[1], across[0]), np.float32)
        height, width = rest.luma.shape
        reach = 1.9 * size
        self._rows, self._columns = (
            slice(max(int(value - reach) // 2 * 2, 0), min(int(value + reach) // 2 * 2 + 2, limit))
            for value, limit in ((middle[1], height), (middle[0], width))
        )
        self._half_rows, self._half_columns = (
            slice(span.start // 2, span.stop // 2) for span in (self._rows, self._columns)
        )
        xs, ys = (np.arange(span.start, span.stop, dtype=np.float32) for span in (self._columns, self._rows))
        offset = (np.stack(np.meshgrid(xs, ys), axis=-1) - middle) / np.float32(size)
        u, self._v = offset @ across, offset @ down
        lid, floor = (
            np.stack((points @ across, points @ down), axis=-1)
            for points in ((face.points[list(indices), :2] - middle) / np.float32(size) for indices in (upper, lower))
        )
        self._open = _along(lid, u)
        deepest = max(float(floor[:, 1].max()), 0.05) + _OVERLAP
        arc = np.float32(deepest) * (1 - np.minimum(np.abs(u) / np.float32(_ENDS), 1) ** 3)
        self._shut = np.maximum(arc, self._open)
        self._width = eased(np.abs(u), _ENDS, _ENDS - 0.25)
        outward = u if lid[0, 0] > 0 else -u
        reach_up = np.float32(_LASH_REACH) + np.float32(_OUTER_LASHES) * eased(outward, 0.35, 0.95)
        over = self._v - self._open + reach_up
        self._above = eased(over, -_SOFT, _SOFT)
        beyond = eased(outward, _LASH_ENDS, _LASH_ENDS - 0.2) * (outward > 0)
        self._line = np.float32(_LASH_LINE) * (1 + np.float32(_LASH_MORE) * eased(outward, -0.2, 0.8))
        self._rest_luma = rest.luma[self._rows, self._columns]
        self._rest_chroma = rest.chroma[self._half_rows, self._half_columns]
        self._pixel = 1 / size
        xs, ys = np.meshgrid(xs, ys)
        below = np.stack((xs, ys), axis=-1) + down * np.float32(_GRAIN_FROM * size)
        grain = looked_up(rest.luma, below).astype(np.float32)
        crease = eased(over, -_CREASE_REACH - 0.16, -_CREASE_REACH) * eased(np.abs(u), 1.30, 1.0)
        self._paint_lid(arc, grain - cv2.GaussianBlur(grain, (0, 0), max(0.6, 0.06 * size)), crease)
        # A lid is a part of a ball: lightest in its middle, darker towards the corners.
        self._skin[..., 0] = 16 + (self._skin[..., 0] - 16) * (
            1 + np.float32(_BULGE) * (1 - 2 * np.minimum(u * u, 1.5))
        )
        self._broad = self._width
        self._take_lashes_away(beyond)

    def _paint_lid(self, arc: Floats, grain: Floats, crease: Floats) -> None:
        luma = self._rest_luma.astype(np.float32)
        chroma = cv2.resize(self._rest_chroma, (luma.shape[1], luma.shape[0])).astype(np.float32)
        hidden = (np.maximum(self._above, crease) > 0) & (self._v < arc + 0.12) & (self._width > 0)
        ring = cv2.dilate(hidden.astype(np.uint8), np.ones((5, 5), np.uint8), iterations=max(2, int(0.1 / self._pixel)))
        usual = (
            float(np.percentile(luma[(ring > 0) & ~hidden], 65)) if ((ring > 0) & ~hidden).any() else float(luma.mean())
        )
        # Lashes, brows, rims and highlights are no skin.
        known = ~hidden & (luma > 0.70 * usual) & (luma < 1.35 * usual)
        colours = np.dstack((luma, chroma))
        skin = _filled(colours, known.astype(np.float32))
        # What surrounds an eye is often shadow, of the brow or of glasses; a lid bulges out of it.
        skin[..., 0] = np.clip(skin[..., 0], 0.84 * usual, 1.12 * usual)
        if known.any():
            skin[..., 1:] = (skin[..., 1:] + np.median(colours[known][:, 1:], axis=0)) / 2
        self._skin = cv2.GaussianBlur(skin, (0, 0), max(0.6, 0.04 / self._pixel))
        self._skin[..., 0] += np.clip(grain, -5, 5)
        # Skin may fade, but no brow and no rim of glasses.
        fades = crease * eased(self._without_lines(), 0.62 * usual, 0.78 * usual)
        self._above = np.maximum(self._above, np.float32(_CREASE_FADE) * fades)
        # As dark as the lashes of the open eye.
        lashes = luma[np.abs(self._v - self._open) < 0.08]
        self._lash_luma = min(float(np.percentile(lashes, 10)) if lashes.size else 40.0, 0.6 * usual)

    def _take_lashes_away(self, beyond: Floats) -> None:
        """Beyond the lid's end only what is thin and dark goes: a lash, and neither skin nor the rim of glasses."""
        without = self._without_lines()
        dark = eased(
            without - cv2.GaussianBlur(self._rest_luma.astype(np.float32), (0, 0), max(0.6, 0.02 / self._pixel)), 3, 9
        )
        self._skin[..., 0] = without + (self._skin[..., 0] - without) * self._width
        self._broad = np.maximum(self._width, beyond * dark).astype(np.float32)

    def _without_lines(self) -> Floats:
        """The picture's luma without what is thin and dark."""
        side = max(3, round(_THIN / self._pixel) | 1)
        shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        closing = cv2.morphologyEx(self._rest_luma, cv2.MORPH_CLOSE, shape).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(closing, (0, 0), max(0.6, 0.03 / self._pixel)), np.float32)

    def draw(self, target: Planes, closed: float) -> None:
        """Draw the eye, 0 (as in the picture) to 1 (closed)."""
        if closed <= 0:
            target.luma[self._rows, self._columns] = self._rest_luma
            target.chroma[self._half_rows, self._half_columns] = self._rest_chroma
            return
        edge = self._open + np.float32(closed) * (self._shut - self._open)
        below = self._v - edge
        soft = max(1.2 * self._pixel, 0.02)
        present = np.float32(min(1.0, closed / _PRESENT_AT))
        cover = eased(below, soft, -soft) * self._above * self._broad * present
        # The lid bulges: towards its edge it turns away from the light. Then come the lashes.
        shade = 1 - np.float32(0.13) * np.exp(np.minimum(below, 0) / np.float32(0.22))
        skin_luma = 16 + (self._skin[..., 0] - 16) * shade
        lash = np.exp(-(((below - 0.01) / np.maximum(self._line, np.float32(0.8 * self._pixel))) ** 2))
        lash *= present * self._width * np.float32(0.85)
        luma = self._rest_luma + (skin_luma - self._rest_luma) * cover
        luma += (np.minimum(self._lash_luma, luma) - luma) * lash
        target.luma[self._rows, self._columns] = np.clip(luma + 0.5, 0, 255).astype(np.uint8)
        size = (self._rest_chroma.shape[1], self._rest_chroma.shape[0])
        cover_half = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)[..., None]
        skin_chroma = cv2.resize(self._skin[..., 1:], size, interpolation=cv2.INTER_AREA)
        chroma = self._rest_chroma + (skin_chroma - self._rest_chroma) * cover_half
        target.chroma[self._half_rows, self._half_columns] = np.clip(chroma + 0.5, 0, 255).astype(np.uint8)


def _filled(colours: Floats, known: Floats) -> Floats:
    """Colours (rows, columns, 3) with what isn't known (weights 0 to 1) filled smoothly from what is.

    Push and pull over a pyramid: Gortler et al., The Lumigraph, 1996.
    """
    levels: list[tuple[Floats, Floats]] = [(colours * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    filled: Floats | None = None
    for weighted, weight in reversed(levels):
        own: Floats = np.asarray(weighted / np.maximum(weight, 1e-4)[..., None], np.float32)
        if filled is None:
            filled = own
            continue
        trust = np.minimum(weight * 1.5, 1)[..., None]
        coarse = cv2.pyrUp(filled, dstsize=(weight.shape[1], weight.shape[0]))
        filled = np.asarray(own * trust + coarse * (1 - trust), np.float32)
    return np.asarray(filled, np.float32)


def _halved(image: Floats) -> Floats:
    return np.asarray(cv2.pyrDown(image), np.float32)


def _along(points: Floats, u: Floats) -> Floats:
    """The v of a smooth line (a polynomial of the third degree) through landmarks at each u; level beyond them."""
    line = np.polynomial.Polynomial.fit(points[:, 0], points[:, 1], 3)
    return np.asarray(line(np.clip(u, points[:, 0].min(), points[:, 0].max())), np.float32)
