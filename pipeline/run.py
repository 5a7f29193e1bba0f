"""One run of a job: starts the stages, watches for the end, owns the shutdown."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from pipeline.api import ApiClient
from pipeline.budget import Budget
from pipeline.errors import ConfigError, KeyRefused, OutOfCredits, StopRun, Unreachable
from pipeline.events import EventHook, Events, RunLog
from pipeline.exit_code import ExitCode
from pipeline.goal import Goal
from pipeline.interrupts import interrupting
from pipeline.job import Job, Opened, Wishes
from pipeline.local_studio import local_studio
from pipeline.lock import OutLock
from pipeline.pacing import Backoff, Outage, SubmitPace, window_for
from pipeline.pacing.hours import hours_from
from pipeline.quote import quote
from pipeline.stages import (
    DownloadStage,
    HoursStage,
    InspectStage,
    PollStage,
    ReconcileStage,
    RememberStage,
    RunContext,
    SubmitStage,
)
from pipeline.stages.backlog import first_of
from pipeline.stages.links import is_private_host
from pipeline.stages.remember import learning_of
from pipeline.state import Overview, StateFile, StateView
from pipeline.watcher import RunWatcher

__all__ = ["RunResult", "run_job"]

LOOKING_SHARE = 0.25
LOOKING_MOST_S = 60.0
"""How long the end of a run may wait for clips to be looked at, unless it is told: a share of its time, and no more than this."""

GRACE_S = 4.0
"""Whatever ends a run: for submits in the air to be answered, so that their ids are noted."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        exit_code: as the command would end.
        stop_reason: why it stopped early, if it did.
        opened: what was found when the manifest was brought in.
        overview: rows and money at the end.
    """

    exit_code: ExitCode
    stop_reason: StopRun | None
    opened: Opened
    overview: Overview


class _Stage(Protocol):
    async def run(self) -> None: ...


async def run_job(
    job: Job,
    wishes: Wishes | None = None,
    *,
    api_key: str = "",
    on_event: EventHook | None = None,
    watcher: RunWatcher | None = None,
    tell_rows: Callable[[int], None] | None = None,
    handle_signals: bool = False,
) -> RunResult:
    """Render every row that is not done yet, going on with what an earlier run left.

    Args:
        job: the manifest, its settings and OUT.
        wishes: what this run is asked for beyond that.
        api_key: for a paid API; a local studio needs none.
        on_event: called for each event, in the loop's thread.
        watcher: sees the run; the terminal's view.
        tell_rows: called with the number of rows read while the manifest is read.
        handle_signals: end orderly on SIGINT, SIGTERM and SIGHUP, at once on the second (the main thread only).

    Raises:
        UsageError: the manifest, the settings or OUT must change first; nothing was spent.
        DiskFull: there is no room for the state file.
    """
    wishes, watcher = wishes or Wishes(), watcher or RunWatcher()
    if job.settings.api.provider == "aimlapi" and not api_key:
        raise ConfigError("no API key: set AIMLAPI_API_KEY, or leave api.provider at local for a free rehearsal")
    job.refuse_no_manifest()
    with OutLock(job.out):
        opened = await _open(job, wishes, tell_rows)
        with StateView(job.state_path) as view:
            watcher.opened(opened, view.overview())
        log = RunLog(job.out / "run.log", opener=lambda path, flags: os.open(path, flags, 0o600))
        events = Events([log, *([on_event] if on_event else [])])
        try:
            interrupted, reason = await _render(job, wishes, opened, api_key, events, watcher, handle_signals)
            with StateView(job.state_path) as view:
                overview = view.overview()
            code = Goal(job, wishes).exit_code(interrupted=interrupted, reason=reason)
            events.emit("end", exit_code=int(code), rows={str(k): v for k, v in overview.rows.items()},
                        spent_usd=overview.spent_usd)  # fmt: skip
        except BaseException as error:
            if isinstance(error, Exception):
                events.emit("crash", message=str(error), traceback=traceback.format_exc())
            raise
        finally:
            log.close()
    return RunResult(code, reason, opened, overview)


async def _open(job: Job, wishes: Wishes, tell_rows: Callable[[int], None] | None) -> Opened:
    """Bring the manifest in, in a thread that an interrupt ends at the next row, everything as it was before."""
    interrupted = threading.Event()

    def tell(rows: int) -> None:
        if interrupted.is_set():
            raise InterruptedError
        if tell_rows is not None:
            tell_rows(rows)

    # No task, which whoever ends the loop would take for over while its thread goes on.
    reading = asyncio.get_running_loop().run_in_executor(None, job.open, wishes, tell)
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        interrupted.set()
        while not reading.done():  # OUT is held until then, however often this is cancelled
            with suppress(asyncio.CancelledError):
                await asyncio.wait([reading])
        reading.exception()
        raise


async def _render(
    job: Job, wishes: Wishes, opened: Opened, api_key: str, events: Events, watcher: RunWatcher, handle_signals: bool
) -> tuple[bool, StopRun | None]:
    """Run the stages to the end; whether it was interrupted, and why it stopped early."""
    async with AsyncExitStack() as stack:
        state = StateFile(job.state_path)
        stack.push_async_callback(state.close)
        goal = Goal(job, wishes)
        if not goal.is_ahead(state):
            return False, None  # nothing to do: no server is started, no API is asked
        base_url, studio = job.settings.api.url, None
        if job.settings.api.provider == "local":
            base_url, studio = await stack.enter_async_context(local_studio(job.out / ".studio", job.settings))
            api_key = ""
        api = await stack.enter_async_context(ApiClient(base_url, api_key, job.settings.api.timeout_s))
        context = _context(job, state, api, events, opened)
        download = DownloadStage(context, allow_private=await asyncio.to_thread(is_private_host, base_url))
        stages: list[_Stage] = [
            SubmitStage(context, wishes.only), PollStage(context), ReconcileStage(context), download,
            InspectStage(context), HoursStage(context, hours_from(datetime.now(UTC), wishes.start_at, wishes.until)),
            RememberStage(context),
        ]  # fmt: skip
        events.emit("start", job=job.name, base_url=base_url, rows={str(k): v for k, v in state.counts.items() if v})
        if opened.changed_total:
            events.emit("inputs_changed", rows=opened.changed_total, first=list(opened.changed))
        if job.settings.api.provider == "aimlapi" and goal.is_to_submit(state.counts):
            try:
                await quote(context, wishes, opened, watcher)
            except (KeyRefused, OutOfCredits) as reason:
                context.stop_submitting(reason)
        watcher.started(context)
        interrupt = asyncio.Event()
        async with interrupting(interrupt if handle_signals else None):
            try:
                await _watch(goal, context, stages, interrupt, studio, watcher)
            finally:
                watcher.ended()
        return interrupt.is_set(), context.stop_reason


def _context(job: Job, state: StateFile, api: ApiClient, events: Events, opened: Opened) -> RunContext:
    settings = job.settings
    rng = random.Random()
    backoff = Backoff(settings.retry.base_s, settings.retry.max_s, rng)
    window = window_for(settings.submit.max_in_flight)
    pace = SubmitPace(window, settings.submit.requests_per_minute, backoff, settings.api.requests_per_minute)
    return RunContext(
        state=state,
        api=api,
        settings=settings,
        catalogue=settings.catalogue,
        out=job.out,
        pace=pace,
        learning=learning_of(settings, api.base_url, pace, os.environ),
        backoff=backoff,
        outage=Outage(settings.retry.attempts, settings.retry.attempts * settings.retry.max_s),
        budget=Budget(settings.budget.max_usd, state.reserved_usd()),
        events=events,
        rng=rng,
        resubmit_unconfirmed=opened.unconfirmed,
    )


async def _watch(
    goal: Goal,
    context: RunContext,
    stages: Sequence[_Stage],
    interrupt: asyncio.Event,
    studio: asyncio.subprocess.Process | None,
    watcher: RunWatcher,
) -> None:
    """Keep the stages going until there is nothing left to do, or nothing more can be done."""
    submit, *others = [asyncio.create_task(stage.run(), name=type(stage).__name__) for stage in stages]
    beside = [asyncio.create_task(watcher.refresh()), asyncio.create_task(_note_death(studio, context))]
    signals = [asyncio.create_task(event.wait()) for event in (interrupt, context.over)]
    began = context.now()
    for task in (submit, *others, *signals):
        task.add_done_callback(lambda _: context.state.changed.set())
    try:
        try:
            while not interrupt.is_set() and not context.over.is_set():
                context.state.changed.clear()
                if goal.is_reached(context):
                    break
                await context.state.changed.wait()
                _look_for_faults(context, (submit, *others))
        finally:  # also for whoever cancels the run
            context.close_submitting()
            await asyncio.wait([submit], timeout=GRACE_S)
        _look_for_faults(context, [submit])
        if context.fault is not None:
            raise context.fault  # with its traceback in the log
        looking = next(stage for stage in stages if isinstance(stage, InspectStage))
        if not interrupt.is_set() and not context.over.is_set():
            patience_s = context.settings.inspect.wait_s
            if patience_s is None:
                patience_s = min(LOOKING_MOST_S, LOOKING_SHARE * (context.now() - began))
            await first_of(patience_s, looking.all_seen(), *(event.wait() for event in (interrupt, context.over)))
    finally:
        tasks: list[asyncio.Task[Any]] = [submit, *others, *beside, *signals]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _look_for_faults(context: RunContext, tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            context.break_off(error if isinstance(error, Exception) else RuntimeError(repr(error)))


async def _note_death(studio: asyncio.subprocess.Process | None, context: RunContext) -> None:
    """A studio that dies takes its port along: the run can't go on, its rows can."""
    if studio is not None:
        await studio.wait()
        context.abort(
            Unreachable(f"the local studio ended: see {context.out / '.studio' / 'studio.log'}, then run again")
        )
