"""rendering → downloading: one poller for all outstanding clips, over a heap of due times."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline.api import Generation
from pipeline.api.ids import generation_ids_to_try
from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.errors import (
    GenerationUnknown,
    KeyRefused,
    NotSent,
    OutOfCredits,
    ServerTrouble,
    StopRun,
    Throttled,
)
from pipeline.pacing import PollPlan, PollQueue
from pipeline.stages.backlog import first_of
from pipeline.stages.context import RunContext

__all__ = ["PollStage"]

_T = TypeVar("_T")

AT_ONCE = 32
"""Polls in the air together: a burst beyond this waits a moment, which costs no clip anything."""

OWN_PATIENCE_S = 900.0
"""How long each run asks for a clip, however old it is said to be, before it gives it up."""

KEY_TRIES = 5
"""Refusals of the key in a row after which polling has no hope."""


@dataclass(slots=True)
class _Outstanding:
    clip: Clip
    started: float
    taken: float  # when this run took it up
    seen_s: float = 0.0  # the age at which it was last seen rendering
    failures: int = 0
    unknown_since: float | None = None
    form: int = 0

    @property
    def forms(self) -> tuple[str, ...]:
        """The id as it may be written: the usage log's form may be another than retrieve's."""
        return generation_ids_to_try(self.clip.generation_id, self.clip.model)

    @property
    def generation_id(self) -> str:
        """The id in the form that is tried now."""
        return self.forms[self.form % len(self.forms)]


class PollStage:
    """Asks for every clip that renders, each at its own due time."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._inbox = context.state.inbox(Status.RENDERING)
        self._queue: PollQueue[int] = PollQueue(context.rng)
        self._outstanding: dict[int, _Outstanding] = {}
        self._planned = 0
        self._key_refusals = 0
        self._words: set[str] = set()
        self._began = time.time()

    async def run(self) -> None:
        """Poll until cancelled."""
        context = self._context
        free = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as polls:
            while True:
                while clip := self._inbox.get_nowait():
                    self._take(clip)
                self._replan()
                now, due = context.now(), self._queue.next_at()
                wait_s = None if due is None else max(due - now, context.pace.requests.wait_s(now, "poll"))
                gain = self._gain if context.pace.requests.per_s < math.inf else None
                seq = self._queue.pop(now, gain) if wait_s is not None and wait_s <= 0 else None
                if seq is None:
                    await first_of(wait_s, self._inbox.wait())
                    continue
                context.pace.requests.sent(now, "poll")
                await free.acquire()
                task = polls.create_task(self._poll(self._outstanding[seq]))
                task.add_done_callback(lambda _: free.release())

    def _take(self, clip: Clip) -> None:
        now = self._context.now()
        # The wall clock may have jumped since the submit, so it is believed only where it can do no harm: an age
        # decides on giving up only after an answer.
        age_s = max(0.0, time.time() - clip.submitted_at)
        item = self._outstanding[clip.seq] = _Outstanding(clip, now - age_s, now)
        if clip.completed_at:
            self._queue.put(clip.seq, now, 0.0, planned=False)  # it was ready before: only its link is wanted
        elif clip.submitted_at < self._began:
            # Left by an earlier run: all of them are due, spread so that they don't come in one burst.
            delay_s = self._context.rng.uniform(0.0, min(5.0, len(self._outstanding) / AT_ONCE))
            self._queue.put(clip.seq, now, delay_s, planned=False)
        else:
            self._plan(clip).renders(clip.seq, 0.0, clip.voice_s or 0.0)
            self._queue.put(clip.seq, item.started, self._gap_s(item))

    def _plan(self, clip: Clip) -> PollPlan:
        return self._context.learning.plan(clip.model)

    def _replan(self) -> None:
        """What was learned since moves all clips, sooner or later."""
        version = self._context.learning.version
        if version != self._planned:
            self._planned = version
            self._queue.replan(lambda seq: self._gap_s(self._outstanding[seq]))

    async def _poll(self, item: _Outstanding) -> None:
        try:
            await self._ask(item)
        except StopRun as reason:
            self._context.abort(reason)  # the row stays as it stood

    async def _ask(self, item: _Outstanding) -> None:
        context = self._context
        context.polls += 1
        try:
            generation = await context.api.retrieve(item.generation_id)
        except GenerationUnknown as error:
            self._answered()
            await self._unknown(item, str(error))
        except Throttled as error:
            context.outage.answered()
            context.pace.requests.refused(context.now(), error.retry_after_s)
            context.tell("poll_throttled", item.clip, message=str(error), retry_after_s=error.retry_after_s)
            self._again(item)
        except (NotSent, ServerTrouble) as error:
            item.failures += 1
            context.tell("poll_trouble", item.clip, message=str(error), request_id=error.request_id)
            if error.status is not None and self._is_too_long(item):
                await self._give_up(item, f"can't be asked for ({error})")
                return
            if error.status is not None and error.status < 500:
                context.outage.answered()  # the API lives: it is this clip that it doesn't tell of
            else:
                context.unanswered(str(error))
            self._again(item, context.backoff.wait_s(item.failures, error.retry_after_s))
        except (KeyRefused, OutOfCredits) as reason:
            self._key_refusals += 1
            context.stop_submitting(reason)
            if self._key_refusals >= KEY_TRIES:
                context.abort(reason)
            self._again(item, context.backoff.wait_s(self._key_refusals))
        else:
            self._answered()
            item.failures, item.unknown_since = 0, None
            if item.generation_id != item.clip.generation_id:
                context.state.rename(item.clip, item.generation_id)
                item.clip, item.form = replace(item.clip, generation_id=item.generation_id), 0
            await self._move(item, generation)

    def _answered(self) -> None:
        self._context.outage.answered()
        self._context.pace.requests.answered(self._context.now())
        self._key_refusals = 0

    def _gap_s(self, item: _Outstanding) -> float:
        return self._plan(item.clip).gap_s(item.seen_s, item.clip.voice_s or 0.0)

    def _gain(self, seq: int) -> float:
        item = self._outstanding[seq]
        age_s = self._context.now() - item.started
        return self._plan(item.clip).gain(item.seen_s, age_s, item.clip.voice_s or 0.0)

    def _again(self, item: _Outstanding, delay_s: float | None = None) -> None:
        """Ask once more: when the plan says, or after a delay that something else asks for."""
        if delay_s is None:
            self._queue.put(item.clip.seq, item.started + item.seen_s, self._gap_s(item))
        else:
            delay_s = max(self._context.settings.poll.interval_s, delay_s)
            self._queue.put(item.clip.seq, self._context.now(), delay_s, planned=False)
        self._inbox.nudge()

    async def _move(self, item: _Outstanding, generation: Generation) -> None:
        context, clip = self._context, item.clip
        age_s = context.now() - item.started
        if generation.state == "completed" and generation.url:
            if not clip.completed_at:
                self._plan(clip).ready(clip.seq, age_s, clip.voice_s or 0.0)
            move = context.state.complete(clip, generation.url, generation.cost_usd, generation.notes)
            more_usd = await self._end(item, move)
            context.budget.release(-more_usd)
            context.tell(
                "completed", clip, render_s=round(age_s, 1), cost_usd=generation.cost_usd,
                again=bool(clip.completed_at) or None,  # then it is paid for and counted already
            )  # fmt: skip
            if generation.notes:
                context.tell("noted", clip, notes=list(generation.notes))
        elif generation.state == "error":
            message = generation.error or "the API gave no reason"
            # A clip that was made before and is an error now is paid for: its attempt stays in the books.
            fate = None if clip.completed_at else "failed"
            await self._fail(item, FailureCode.GENERATION_ERROR, message, fate=fate)
        elif self._is_too_long(item):
            what = "completed without a link" if generation.state == "completed" else f"is still {generation.status}"
            await self._give_up(item, what)
        else:
            if not generation.word_is_known and generation.status not in self._words:
                self._words.add(generation.status)
                context.tell("unknown_status", clip, status=generation.status)
            if generation.state == "completed":
                self._again(item, 0.0)  # only its link is missing
                return
            item.seen_s = age_s
            self._plan(clip).renders(clip.seq, age_s, clip.voice_s or 0.0)
            self._again(item)

    async def _give_up(self, item: _Outstanding, what: str) -> None:
        age_min = (self._context.now() - item.started) / 60
        message = f"{what} after {age_min:.0f} minutes: retry asks for it again, it is not bought again"
        await self._fail(item, FailureCode.TIMEOUT, message)

    def _is_too_long(self, item: _Outstanding) -> bool:
        """Whether to give a clip up. Its age is the wall clock's, which may be wrong, so this run looks for a while too."""
        now, limit_s = self._context.now(), self._context.settings.poll.give_up_after_s
        return now - item.started >= limit_s and now - item.taken >= min(limit_s, OWN_PATIENCE_S)

    async def _unknown(self, item: _Outstanding, message: str) -> None:
        context, clip = self._context, item.clip
        now = context.now()
        item.unknown_since = item.unknown_since or now
        patience_s = context.settings.poll.not_found_s
        if now - item.unknown_since < patience_s:
            # Seen for a moment right after a submit: soon at first, then with backoff. All forms, then a pause.
            item.form += 1
            rounds, rest = divmod(item.form, len(item.forms))
            delay_s = 0.0 if rest else min(context.backoff.wait_s(rounds), patience_s / 4)
            self._again(item, delay_s)
            return
        text = f"the API does not know its generation {clip.generation_id} ({message})"
        if clip.completed_at:
            await self._fail(item, FailureCode.NOT_FOUND, f"{text}, though it was made: ask the provider for the clip")
            return
        failure = Failure(
            FailureCode.NOT_FOUND, f"{text}: it may be paid for; --resubmit-unconfirmed sends the row again"
        )
        await self._end(item, context.state.unconfirm(clip, failure))
        context.tell("unconfirmed", clip, code=failure.code, message=failure.message)

    async def _fail(self, item: _Outstanding, code: FailureCode, message: str, *, fate: str | None = None) -> None:
        freed_usd = await self._end(item, self._context.state.fail(item.clip, Failure(code, message), fate=fate))
        self._context.budget.release(freed_usd)
        self._context.tell("failed", item.clip, code=code, message=message)

    async def _end(self, item: _Outstanding, move: Awaitable[_T]) -> _T:
        """The clip leaves the poller by a move."""
        result = await move
        self._plan(item.clip).gone(item.clip.seq)
        del self._outstanding[item.clip.seq]
        self._context.clip_ended()
        return result
