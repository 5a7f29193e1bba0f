"""pending → rendering: intent on disk, request out, generation id on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing

from pipeline.api.assets import SubmitBody, prepare_bodies
from pipeline.api.ids import new_client_request_id
from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.errors import (
    DiskFull,
    NotSent,
    RowRefused,
    ServerTrouble,
    StateBroken,
    StopRun,
    Throttled,
    UnknownFate,
)
from pipeline.placing import keep_room
from pipeline.stages.backlog import Backlog, first_of
from pipeline.stages.context import RunContext
from pipeline.stages.together import Together

__all__ = ["RESERVED_BYTES", "SubmitStage"]

RESERVED_BYTES = 2 << 20
"""Room on OUT's disk that downloads leave to the state file, so that what is paid for can always be noted."""


class SubmitStage:
    """Takes pending rows in manifest order and submits them, as fast as the pace allows.

    Args:
        context: the run's shared things.
        only: the ids to submit; all, if empty.
    """

    def __init__(self, context: RunContext, only: Sequence[str] = ()) -> None:
        self._context = context
        self._backlog = Backlog(context.state.inbox(Status.PENDING, only=only), context.now)
        self._tries: dict[int, int] = {}
        self._in_trouble: set[int] = set()  # since a submit was taken; polls may be answered all the while
        self._going_back = 0
        self._bodies: Together[Clip, SubmitBody] = Together(self._prepare, "prepare")

    async def run(self) -> None:
        """Submit until told to stop; what is in the air then is finished."""
        context = self._context
        await first_of(None, context.within_hours.wait(), context.submitting_over.wait())
        with closing(self._bodies):
            async with asyncio.TaskGroup() as requests:
                try:
                    await self._submit_all(requests)
                except Exception as fault:
                    # Raised here, it would end the submits that are in the air, and what they are answered would be lost.
                    context.break_off(fault)

    async def _submit_all(self, requests: asyncio.TaskGroup) -> None:
        context = self._context
        clip: Clip | None = None
        while not context.submitting_over.is_set():
            clip = clip or self._backlog.get_nowait()
            if clip is None:
                await first_of(None, self._backlog.wait(), context.submitting_over.wait())
                continue
            context.learning.plan(clip.model)  # the pace starts from what is known of the model
            if await self._turn():
                context.airborne += 1
                context.pace.started(context.now())
                requests.create_task(self._submit(clip))
                clip = None

    async def _turn(self) -> bool:
        """Wait until another submit may go; False if the wait was for something else and has to be taken up again."""
        context = self._context
        context.room.clear()
        wait_s = context.pace.wait_s(context.now(), self._busy())
        if wait_s == 0:
            return True
        await first_of(wait_s, context.room.wait())
        return False

    def _busy(self) -> int:
        """Clips that render, or may. Submits of unknown fate count too, but never take the last place."""
        context = self._context
        counts = context.state.counts
        lost = counts[Status.SUBMITTING] - context.airborne
        return counts[Status.RENDERING] + context.airborne + max(0, min(lost, context.pace.window.size - 1))

    async def _submit(self, clip: Clip) -> None:
        context = self._context
        try:
            await self._send(clip)
        except StopRun as reason:
            if isinstance(reason, DiskFull | StateBroken):
                context.abort(reason)
            else:
                context.stop_submitting(reason)
        except Exception as fault:
            context.break_off(fault)  # see above: others are in the air
        finally:
            context.airborne -= 1
            context.room.set()

    async def _send(self, clip: Clip) -> None:
        context = self._context
        try:
            body = await self._bodies.do(clip)
        except RowRefused as error:
            await self._fail(clip, FailureCode.BAD_REQUEST, str(error))
            return
        if context.submitting_over.is_set():
            return  # nothing of it is under way yet, so it isn't begun
        reserved_usd = self._price_usd(clip)
        context.budget.reserve(reserved_usd)
        try:
            clip = await context.state.begin_submit(clip, new_client_request_id(context.state.tag), reserved_usd)
        except BaseException:
            context.budget.release(reserved_usd)
            raise
        try:
            context.tell("submitting", clip, attempt=clip.attempts)
            accepted = await context.api.submit(body, clip.client_request_id)
        except UnknownFate as error:
            # A gateway that loses one answer loses the next as well, and each of them may be paid for.
            context.pace.failed(context.now())
            context.outage.failed(context.now())
            await context.state.lose(clip)
            context.tell("lost", clip, message=str(error), request_id=error.request_id)
            return
        except (RowRefused, ServerTrouble, NotSent, Throttled, StopRun) as error:
            context.budget.release(reserved_usd)
            await self._not_made(clip, error)
            return
        except BaseException:  # the run was stopped, or whoever listens to it failed
            if not body.complete:  # the API can't have the whole of it, so there is nothing to look for
                context.budget.release(await context.state.take_back(clip, forget=True))
            raise
        context.outage.answered()
        self._tries.pop(clip.seq, None)
        self._in_trouble.clear()
        more_usd = await context.state.accept(clip, accepted.generation_id, accepted.cost_usd)
        context.budget.release(-more_usd)
        # This clip is counted among those that render, and still among those in the air.
        context.pace.accepted(context.now(), self._busy() - 2, context.state.counts[Status.RENDERING] - 1)
        context.tell(
            "accepted", clip, generation_id=accepted.generation_id, request_id=accepted.request_id,
            cost_usd=accepted.cost_usd,
        )  # fmt: skip

    async def _not_made(self, clip: Clip, error: RowRefused | ServerTrouble | NotSent | Throttled | StopRun) -> None:
        """The API surely made nothing: the row goes back, or fails."""
        context = self._context
        request_id = getattr(error, "request_id", None)
        if isinstance(error, RowRefused):
            context.outage.answered()
            context.pace.answered()
            await self._fail(clip, FailureCode.BAD_REQUEST, str(error), request_id)
        elif isinstance(error, StopRun):
            await context.state.take_back(clip, forget=True)
            raise error
        elif isinstance(error, Throttled):
            context.outage.answered()
            # Those that were refused together are in the air no more, though they may still be on their way back.
            context.pace.refused(context.now(), self._busy() - 1 - self._going_back, error.retry_after_s)
            self._going_back += 1
            try:
                await context.state.take_back(clip, forget=True)
            finally:
                self._going_back -= 1
            context.tell(
                "throttled", clip, message=str(error), request_id=request_id, window=context.pace.window.size,
                retry_after_s=error.retry_after_s,
            )  # fmt: skip
        elif isinstance(error, NotSent):
            context.pace.failed(context.now())
            await context.state.take_back(clip, forget=True)
            context.tell("unreachable", clip, message=str(error))
            context.unanswered(str(error))
        else:
            await self._try_again(clip, error)

    async def _try_again(self, clip: Clip, error: ServerTrouble) -> None:
        context = self._context
        tries = self._tries[clip.seq] = self._tries.get(clip.seq, 0) + 1
        if tries >= context.settings.retry.attempts:
            del self._tries[clip.seq]
            await self._fail(clip, FailureCode.SERVER, f"{error} ({tries} tries): retry later", error.request_id)
            return
        self._backlog.hold(clip.seq, context.backoff.wait_s(tries, error.retry_after_s))
        self._in_trouble.add(clip.seq)
        if len(self._in_trouble) > 1 or context.outage.failures or error.retry_after_s is not None:
            # The server fails others too: it needs rest, not more requests.
            context.pace.failed(context.now(), error.retry_after_s)
        context.outage.failed(context.now())
        await context.state.take_back(clip, forget=False)
        context.tell(
            "server_trouble", clip, message=str(error), request_id=error.request_id, tries=tries,
            retry_after_s=error.retry_after_s,
        )  # fmt: skip

    async def _fail(self, clip: Clip, code: FailureCode, message: str, request_id: str | None = None) -> None:
        failure = Failure(code, message)
        fate = "refused" if clip.status is Status.SUBMITTING else None
        await self._context.state.fail(clip, failure, fate=fate)
        self._context.tell("failed", clip, code=code, message=message, request_id=request_id)

    def _prepare(self, clips: Sequence[Clip]) -> list[SubmitBody | Exception]:
        keep_room(self._context.out, RESERVED_BYTES)
        return prepare_bodies(clips)

    def _price_usd(self, clip: Clip) -> float:
        """The row's estimate; where the voice's length isn't known, that of the longest that the model takes."""
        if clip.estimated_usd is not None:
            return clip.estimated_usd
        model = self._context.catalogue[clip.model]
        return model.price_usd(model.voice.max_s)
