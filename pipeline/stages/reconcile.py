"""Submits of unknown fate: found in the usage log they are adopted, else they are unconfirmed, and never sent blindly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from pipeline.api import LogEntry, LogPage
from pipeline.api.usage_log import note_lines, walk_log, windows_since
from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.errors import (
    KeyRefused,
    NotSent,
    OutOfCredits,
    ServerTrouble,
    StopRun,
    Throttled,
)
from pipeline.stages.context import RunContext
from pipeline.stages.poll import KEY_TRIES

__all__ = ["ReconcileStage"]

PAGE_GAP_S = 0.4
"""Between two requests to the usage log, which allows 200 in 60 s."""

OWN_PATIENCE_S = 60.0
"""How long each run looks for a submit, however old it is said to be."""


@dataclass(slots=True)
class _Lost:
    clip: Clip
    since: float
    taken: float  # when this run took it up

    def is_over(self, now: float, wait_s: float) -> bool:
        """Whether it was looked for long enough. Its age is the wall clock's, which may be wrong."""
        return now - self.since >= wait_s and now - self.taken >= min(wait_s, OWN_PATIENCE_S)


class ReconcileStage:
    """One walk through the usage log serves all rows of unknown fate; the rest of the job goes on meanwhile."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._inbox = context.state.inbox(Status.SUBMITTING)
        self._lost: dict[str, _Lost] = {}
        self._failed: dict[int, int] = {}
        self._next_request = 0.0
        self._unread_since: float | None = None
        self._key_refusals = 0

    async def run(self) -> None:
        """Reconcile until cancelled."""
        settings = self._context.settings.reconcile
        while True:
            self._take_new()
            if not self._lost:
                await self._inbox.wait()
                continue
            began = self._context.now()
            try:
                await self._look()
            except StopRun as reason:
                self._context.abort(reason)
                return
            if self._lost:
                wait_s = max(0.0, began + settings.interval_s - self._context.now())
                await asyncio.sleep(wait_s)

    def _take_new(self) -> None:
        while clip := self._inbox.get_nowait():
            age_s = max(0.0, time.time() - clip.submitted_at)
            now = self._context.now()
            # What an earlier run asked about to the end is looked for once more, and not waited for again.
            taken = now - OWN_PATIENCE_S if clip.error_code == FailureCode.UNCONFIRMED else now
            self._lost[clip.client_request_id] = _Lost(clip, now - age_s, taken)

    async def _look(self) -> None:
        """Walk the log once for everything that is lost now, and settle what can be."""
        context, wait_s = self._context, self._context.settings.reconcile.wait_s
        lost = dict(self._lost)
        for model in sorted({item.clip.model for item in lost.values()}):
            wanted = {key: item for key, item in lost.items() if item.clip.model == model}
            try:
                found = await self._walk(model, wanted)
            except (NotSent, ServerTrouble, Throttled) as error:
                context.tell("log_trouble", message=str(error))
                if not isinstance(error, Throttled):
                    context.unanswered(str(error))
                if self._is_unread_for_long() and all(item.is_over(context.now(), wait_s) for item in lost.values()):
                    self._leave_to_next_run()
                continue
            except (KeyRefused, OutOfCredits) as reason:
                self._key_refusals += 1
                context.stop_submitting(reason)
                if self._key_refusals >= KEY_TRIES:
                    self._leave_to_next_run()
                continue
            self._unread_since, self._key_refusals, context.left_over = None, 0, 0
            context.outage.answered()
            for key, item in wanted.items():
                if key in found:
                    await self._settle(item, found[key])
                elif item.is_over(context.now(), wait_s):
                    await self._give_up(item)

    async def _walk(self, model: str, wanted: dict[str, _Lost]) -> dict[str, LogEntry]:
        """Read the log until everything wanted is found, or back to the first of it."""
        found: dict[str, LogEntry] = {}

        async def ask(window: Mapping[str, str], offset: int) -> LogPage:
            await asyncio.sleep(max(0.0, self._next_request - self._context.now()))
            self._next_request = self._context.now() + PAGE_GAP_S
            return await self._context.api.usage_log(window, model=model, offset=offset)

        windows = windows_since(min(item.clip.submitted_at for item in wanted.values()), time.time())
        async with aclosing(walk_log(ask, windows)) as pages:
            async for page in pages:
                note_lines(page, wanted, found)
                if len(found) == len(wanted) and all(entry.inference_id for entry in found.values()):
                    break
        return found

    async def _settle(self, item: _Lost, entry: LogEntry) -> None:
        context, clip = self._context, item.clip
        if entry.inference_id:
            # The log may write the id in another form than retrieve knows: the poll tries them.
            more_usd = await context.state.accept(clip, entry.inference_id, entry.cost_usd)
            context.budget.release(-more_usd)
            self._gone(clip)
            context.tell("adopted", clip, generation_id=entry.inference_id, cost_usd=entry.cost_usd)
        elif entry.failed:
            await self._not_made(clip)
        elif item.is_over(context.now(), context.settings.reconcile.wait_s):
            words = "the usage log shows its submit, so it is paid for, but not its id: ask the provider for it"
            await self._unconfirm(clip, f"{words}; a later run looks again")

    async def _not_made(self, clip: Clip) -> None:
        """The row goes back; what fails so again and again is given up, as it is where the API itself says so."""
        context, words = self._context, "the usage log says that the submit failed and was not billed"
        tries = self._failed[clip.seq] = self._failed.get(clip.seq, 0) + 1
        if tries >= context.settings.retry.attempts:
            failure = Failure(FailureCode.SERVER, f"{words} ({tries} tries): retry later")
            context.budget.release(await context.state.fail(clip, failure, fate="refused"))
            context.tell("failed", clip, code=failure.code, message=failure.message)
        else:
            context.budget.release(await context.state.take_back(clip, forget=False))
            context.tell("not_made", clip, message=words)
        self._gone(clip)

    async def _give_up(self, item: _Lost) -> None:
        context, clip = self._context, item.clip
        if clip.seq in context.resubmit_unconfirmed:
            await context.state.resubmit(clip)
            self._gone(clip)
            context.tell("resubmit_unconfirmed", clip)
            return
        await self._unconfirm(
            clip,
            "its submit got no answer and the usage log does not show it, so it may be paid for: look at the provider's "
            "dashboard; a later run looks again, --resubmit-unconfirmed sends it again",
        )

    async def _unconfirm(self, clip: Clip, words: str) -> None:
        context, failure = self._context, Failure(FailureCode.UNCONFIRMED, words)
        await context.state.unconfirm(clip, failure)
        self._gone(clip)
        context.tell("unconfirmed", clip, code=failure.code, message=failure.message)

    def _is_unread_for_long(self) -> bool:
        """Whether the log can't be read for so long by now that it is more than a hiccup."""
        now = self._context.now()
        if self._unread_since is None:
            self._unread_since = now
        return now - self._unread_since >= min(self._context.settings.reconcile.wait_s, OWN_PATIENCE_S)

    def _leave_to_next_run(self) -> None:
        """What is lost now keeps this run going no longer; while others do, the log is asked all the same."""
        self._context.left_over = len(self._lost)
        self._context.state.changed.set()

    def _gone(self, clip: Clip) -> None:
        del self._lost[clip.client_request_id]
        self._context.room.set()
