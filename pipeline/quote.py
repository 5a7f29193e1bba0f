"""What a run is about to spend: told, and asked about, before anything is sent."""

from __future__ import annotations

import asyncio

from pipeline.errors import NotConfirmed, NotSent, RequestFailed
from pipeline.job import Opened, Wishes
from pipeline.stages import RunContext
from pipeline.watcher import Quote, RunWatcher

__all__ = ["quote"]

BALANCE_TIMEOUT_S = 10.0


async def quote(context: RunContext, wishes: Wishes, opened: Opened, watcher: RunWatcher) -> None:
    """Say what the run is about to spend, and whether the account can pay for it; then ask.

    Args:
        opened: what the wishes did; it is undone where the answer is No.

    Raises:
        KeyRefused, OutOfCredits: of the account.
    """
    balance_usd = None
    try:
        balance_usd = await asyncio.wait_for(context.api.balance_usd(), BALANCE_TIMEOUT_S)
    except (RequestFailed, TimeoutError) as error:  # the balance is a courtesy: without it the run goes on
        if isinstance(error, NotSent | TimeoutError):
            words = str(error) or f"no answer within {BALANCE_TIMEOUT_S:g} s"
            context.tell("no_quote", message=words)
            context.unanswered(words)
    pending = context.state.pending_estimate(only=wishes.only)
    offer = Quote(pending.rows, pending.usd, pending.unknown_length, balance_usd)
    context.tell("quote", rows=offer.rows, estimated_usd=round(offer.estimated_usd, 4), balance_usd=balance_usd)
    if offer.shortfall_usd:
        context.tell("balance_low", balance_usd=balance_usd, estimated_usd=round(offer.estimated_usd, 2))
    is_confirmed = False
    try:
        is_confirmed = watcher.confirm(offer)
    finally:
        if not is_confirmed:  # or interrupted: what was wished for must not be paid for by the next run, unasked
            await context.state.put_back(opened.taken_up)
            context.resubmit_unconfirmed = frozenset()
    if not is_confirmed:
        words = "not confirmed: nothing was sent, nothing was spent, and every row stands as it stood"
        context.stop_submitting(NotConfirmed(words))
