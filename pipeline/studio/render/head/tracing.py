"""Finds a line in a picture more exactly than the landmarks tell it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.studio.render.head.curves import Floats
from pipeline.studio.render.head.sampling import looked_up

__all__ = ["traced"]

_ROWS = 53
_CONTRAST = 60.0
"""What the clearest place of the picture weighs; a landmark that is left by all of the reach costs 25 and more."""
_FLAT = 0.25
"""Steps of fewer levels a row are noise."""


def traced(
    feature: Floats, to_pixels: Callable[[Floats, Floats], Floats], u: Floats, near: Floats, reach: float, *, edge: int
) -> Floats:
    """The v of a smooth line at each u, within ``reach`` of the line ``near``, by dynamic programming.

    Landmarks are trusted more and more towards u = -1 and 1: there the line fades out and shadows begin.

    Args:
        feature: what the line is seen in, of shape (height, width).
        to_pixels: turns u and v into pixels (…, 2).
        u: from -1 to 1, evenly spaced, of shape (n,).
        near: the v that the landmarks tell, of shape (n,).
        reach: how far the line may lie from that.
        edge: 0 for the line where the feature is lowest, 1 for where it rises most on the way down, -1 for where it
            falls most.
    """
    offsets = np.linspace(-reach, reach, _ROWS).astype(np.float32)
    us = np.repeat(u[None], _ROWS, axis=0)
    at = to_pixels(us, near[None] + offsets[:, None])
    strip = looked_up(feature, at)
    trust = 25 + 160 * np.abs(u) ** 6
    if edge:
        slope = edge * np.gradient(cv2.GaussianBlur(strip, (0, 0), 1.5), axis=0)
        strip = -_CONTRAST * slope / max(float(np.percentile(np.abs(slope), 98)), _FLAT)
        trust = 25 + 300 * np.abs(u) ** 3
    cost = (strip + trust * (offsets[:, None] / reach) ** 2).astype(np.float32)
    return (near + offsets[_cheapest_path(cost)]).astype(np.float32)


def _cheapest_path(cost: Floats) -> list[int]:
    """For each column the row of the cheapest way through, which bends no more than two rows a column."""
    rows, columns = cost.shape
    total = cost.copy()
    step = np.zeros(cost.shape, np.int32)
    bend = 2.5 * np.arange(-2, 3) ** 2
    for column in range(1, columns):
        padded = np.pad(total[:, column - 1], 2, constant_values=np.inf)
        choices = np.stack([padded[2 + shift : 2 + shift + rows] + bend[shift + 2] for shift in range(-2, 3)])
        step[:, column] = choices.argmin(axis=0) - 2
        total[:, column] += choices.min(axis=0)
    path = [int(total[:, -1].argmin())]
    for column in range(columns - 1, 0, -1):
        path.append(path[-1] + int(step[path[-1], column]))
    return path[::-1]
