"""Looks pixels up between pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.studio.render.head.curves import Floats

__all__ = ["looked_up"]


def looked_up(
    source: NDArray[Any], at: Floats, *, cubic: bool = False, into: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The values of an image (height, width[, channels]) at pixels ``at`` (rows, columns, 2: x, y).

    Beyond the image its edge goes on. ``into`` takes the result in place of fresh memory.
    """
    interpolation = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    # A double's map would be refused, and any float64 scalar on the way makes one.
    at = at.astype(np.float32, copy=False)
    border = cv2.BORDER_REPLICATE
    return cv2.remap(source, at, None, interpolation, dst=into, borderMode=border)  # type: ignore[call-overload,no-any-return]
