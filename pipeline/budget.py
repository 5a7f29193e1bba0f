"""What a job may still spend."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import BudgetReached

__all__ = ["Budget"]


@dataclass(slots=True)
class Budget:
    """Holds back a row's estimate before its submit, so that submits in the air together can't overrun it.

    Attributes:
        max_usd: the job's limit over all its runs; None for none.
        committed_usd: spent, or held back for what may be spent.
    """

    max_usd: float | None
    committed_usd: float

    def reserve(self, usd: float) -> None:
        """Hold ``usd`` back.

        Raises:
            BudgetReached: it could take the job beyond its limit; nothing is held back.
        """
        if self.max_usd is not None and self.committed_usd + usd > self.max_usd + 1e-9:
            raise BudgetReached(
                f"the budget of {self.max_usd:.2f} USD is reached: {self.committed_usd:.2f} are spent or committed, and the "
                f"next row may cost {usd:.2f}. Raise --budget to go on"
            )
        self.committed_usd += usd

    def release(self, usd: float) -> None:
        """What was held back turned out not to be spent; below zero, that more was."""
        self.committed_usd -= usd
