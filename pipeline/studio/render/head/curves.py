"""Shapes that the moving parts share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "eased"]

Floats = NDArray[np.float32]


def eased(value: Floats, start: float, end: float) -> Floats:
    """0 at ``start``, 1 at ``end`` (which may lie below it), smooth between them (Hermite) and flat beyond them."""
    share = np.clip((value - np.float32(start)) / np.float32(end - start), 0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result
