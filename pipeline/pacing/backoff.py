"""Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015)."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before trying again.

    Attributes:
        base_s, max_s: the ceiling of the first wait, and of any.
        rng: where chance comes from.
    """

    base_s: float
    max_s: float
    rng: random.Random

    def wait_s(self, failures: int, least_s: float | None = None) -> float:
        """A wait after so many failures in a row (1 or more): uniform up to ``base_s * 2**(failures - 1)``.

        Args:
            failures: in a row, this one included.
            least_s: what the server asked to wait, where it did.
        """
        # 2**64 is beyond any ceiling; the bound keeps a long outage from overflowing a float.
        return max(least_s or 0.0, self.rng.uniform(0.0, min(self.max_s, self.base_s * 2.0 ** min(failures - 1, 64))))
