"""The terminal while a job runs: a tqdm line where there is one, a plain line now and then where there is none."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, TextIO

import click
from tqdm import tqdm

from pipeline.clip import Status
from pipeline.events import Event
from pipeline.job import Opened
from pipeline.run import Quote, RunWatcher
from pipeline.stages import RunContext
from pipeline.state import Overview

__all__ = ["Progress", "duration"]

PLAIN_EVERY_S = 30.0
REFRESH_S = 0.5

_TOLD = {
    "failed": "failed: {code}: {message}",
    "unconfirmed": "unconfirmed: {message}",
    "lost": "no answer to the submit ({message}): looking for it in the usage log, it is not sent again",
    "adopted": "found in the usage log and adopted",
    "stop_submitting": "{message}",
    "balance_low": "the account holds {balance_usd:.2f} USD, the rows to render cost about {estimated_usd:.2f}: it will not last",
    "inputs_changed": "{rows} rows changed since their clip was made and are kept: --rerender-changed renders them again",
    "unknown_status": "unknown status {status!r}: taken for not finished yet",
}
_TOLD_VERBOSE = {
    "submitting": "submitting",
    "accepted": "accepted as {generation_id}",
    "throttled": "too many requests: slowing down ({message})",
    "unreachable": "the API can't be reached: {message}",
    "server_trouble": "the server is in trouble: {message}",
    "poll_trouble": "a poll got no answer: {message}",
    "completed": "rendered in {render_s} s, downloading",
    "download_broken": "download broke at {bytes} bytes: {message}",
    "link_expired": "the link is no good: {message}",
    "done": "done: {output}",
}


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``12 min``, ``1 h 05 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress(RunWatcher):
    """Writes to standard error, so that standard output stays for results.

    Args:
        quiet: only what went wrong.
        verbose: each step of each row.
        ask: whether to ask before money is spent.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, ask: bool = False, stream: TextIO | None = None
    ) -> None:
        self._ask = ask
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._told = _TOLD | (_TOLD_VERBOSE if verbose else {})
        self._bar: tqdm[Any] | None = None
        self._context: RunContext | None = None
        self._overview: Overview | None = None
        self._began = 0.0
        self._done_at_start = 0
        self._reading = False

    # --- before the stages -----------------------------------------------------------------------------------

    def rows_read(self, rows: int) -> None:
        """Show that a large manifest is being read."""
        if rows % 1000 == 0 and not self._quiet and self._stream.isatty():
            self._stream.write(f"\rchecking rows: {rows:,}")
            self._stream.flush()
            self._reading = True

    def opened(self, opened: Opened, overview: Overview) -> None:
        """Say what will be done."""
        if self._reading:
            self._stream.write("\r\033[K")
        self._overview = overview
        self._done_at_start = overview.rows[Status.DONE]
        rows = overview.rows
        self._say(
            f"{overview.total} rows: {rows[Status.DONE]} done, {rows[Status.PENDING]} to render, "
            f"{rows[Status.RENDERING] + rows[Status.SUBMITTING] + rows[Status.DOWNLOADING]} under way, "
            f"{rows[Status.FAILED]} failed; {overview.voice_s / 60:.1f} min of video, "
            f"about {overview.estimated_usd:.2f} USD in all"
        )
        if opened.intake.dropped:
            self._say(f"{opened.intake.dropped} rows are no longer in the manifest: set aside, their clips stay")
        if opened.lost_files:
            self._say(
                f"{len(opened.lost_files)} finished clips are gone from OUT and are fetched again, not bought again"
            )
        if opened.retried and opened.retried.left:
            self._say(f"not retried, since they neither failed nor are done: {', '.join(opened.retried.left[:10])}")

    def confirm(self, quote: Quote) -> bool:
        """Ask once before real money is spent, where somebody is there to answer and no budget was given."""
        if not self._ask or not (sys.stdin.isatty() and self._stream.isatty()):
            return True
        balance = "" if quote.balance_usd is None else f" (the account holds {quote.balance_usd:.2f})"
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would wait for the answer
        try:
            return click.confirm(f"Spend about {quote.estimated_usd:.2f} USD on {quote.rows} clips{balance}?", err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, before)

    # --- beside the stages -----------------------------------------------------------------------------------

    def started(self, context: RunContext) -> None:
        """Begin to show."""
        self._context = context
        self._began = context.now()
        if self._stream.isatty() and not self._quiet:
            total = sum(context.state.counts.values())
            self._bar = tqdm(
                total=total, initial=self._done_at_start, unit="clip", dynamic_ncols=True, file=self._stream,
                bar_format="{percentage:3.0f}%|{bar}| {postfix}", leave=False, mininterval=0,
            )  # fmt: skip
            self._show()

    async def refresh(self) -> None:
        """Keep the line true until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S if self._bar is not None else PLAIN_EVERY_S)
            self._show()

    def on_event(self, event: Event) -> None:
        """Tell what people should know at once."""
        form = self._told.get(event.action)
        if form is not None:
            known = {"code": "", "message": "", **event.details}
            self._say(f"{event.row}: {form.format(**known)}" if event.row else form.format(**known), always=True)

    def ended(self) -> None:
        """Take the line away."""
        self._show()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._context = None

    def _show(self) -> None:
        context = self._context
        if context is None:
            return
        line = self._line(context)
        if self._bar is not None:
            self._bar.n = context.state.counts[Status.DONE]
            self._bar.set_postfix_str(line, refresh=True)
        elif not self._quiet:
            self._say(line)

    def _line(self, context: RunContext) -> str:
        counts = context.state.counts
        total = sum(counts.values())
        parts = [f"{counts[Status.DONE]}/{total} done"]
        parts += [f"{counts[status]} {status}" for status in (Status.FAILED, Status.UNCONFIRMED) if counts[status]]
        rendering = counts[Status.RENDERING] + counts[Status.SUBMITTING]
        parts.append(f"{rendering} rendering (limit {context.pace.window.size})")
        if counts[Status.DOWNLOADING]:
            parts.append(f"{counts[Status.DOWNLOADING]} downloading")
        if self._overview is not None:
            parts.append(f"{context.budget.committed_usd:.2f} of {self._overview.estimated_usd:.2f} USD")
        finished = counts[Status.DONE] - self._done_at_start
        left = total - counts[Status.DONE] - counts[Status.FAILED] - counts[Status.UNCONFIRMED]
        if finished > 0 and left > 0:
            parts.append(f"{duration((context.now() - self._began) / finished * left)} left")
        return ", ".join(parts)

    def _say(self, line: str, *, always: bool = False) -> None:
        if self._quiet and not always:
            return
        if self._bar is not None:
            tqdm.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
