"""Who sees a run from its start to its end, and what is asked before money is spent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pipeline.job import Opened
from pipeline.stages import RunContext
from pipeline.state import Overview

__all__ = ["Quote", "RunWatcher"]


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run is about to spend.

    Attributes:
        rows, estimated_usd: of the rows that it will submit.
        unknown_length: how many of these have a voice of unknown length, and so add nothing to the estimate.
        balance_usd: of the account; None where the API did not tell.
    """

    rows: int
    estimated_usd: float
    unknown_length: int
    balance_usd: float | None

    @property
    def shortfall_usd(self) -> float:
        """What the account lacks for these rows, as far as is known."""
        return 0.0 if self.balance_usd is None else max(0.0, self.estimated_usd - self.balance_usd)


class RunWatcher:
    """Sees a run from its start to its end; the terminal's view is one. This one looks away."""

    def opened(self, opened: Opened, overview: Overview) -> None:
        """The manifest is in the state file."""

    def confirm(self, quote: Quote) -> bool:
        """Whether the money may be spent; asked once, before the first submit to a paid API."""
        return True

    def started(self, context: RunContext) -> None:
        """The stages are about to start; the context may be read from now on, in the loop's own thread."""

    async def refresh(self) -> None:
        """Run beside the stages until cancelled."""
        await asyncio.Event().wait()

    def ended(self) -> None:
        """The stages are over."""
