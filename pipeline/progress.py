"""The terminal while a job runs: a tqdm line where there is one, a plain line now and then where there is none."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

import click
from tqdm import tqdm

from pipeline.clip import FailureCode, Status
from pipeline.counted import counted
from pipeline.events import Event
from pipeline.job import Opened
from pipeline.progress_line import Standing, line
from pipeline.reading import Reading
from pipeline.remedies import FAILURES
from pipeline.stages import RunContext
from pipeline.state import Overview
from pipeline.tally import Tally
from pipeline.trouble import Trouble
from pipeline.watcher import Quote, RunWatcher

__all__ = ["Progress"]

REFRESH_S = 0.5
PLAIN_FIRST_S = 30.0
PLAIN_MOST_S = 600.0
NAMED = 10
"""Rows that are told by their id."""

SAID_OF_A_KIND = 5
"""Failures of one code that are told as they happen; a thousand alike would only hide the others."""

_TOLD = {
    "failed": "failed: {code}: {message}",
    "unconfirmed": "unconfirmed: {message}",
    "lost": "no answer to the submit ({message}): looking for it in the usage log, it is not sent again",
    "adopted": "found in the usage log and adopted",
    "waits": "nothing is submitted before {until}; what renders already is polled and fetched",
    "stop_submitting": "{message}",
    "balance_low": "the account holds {balance_usd:.2f} USD, the rows to render cost about {estimated_usd:.2f}: it will not last",
    "inputs_changed": "{rows} of the rows changed since the clip was made: kept; --rerender-changed renders them again",
    "unknown_status": "unknown status {status!r}: taken for not finished yet",
}
_TOLD_VERBOSE = {
    "submitting": "submitting",
    "accepted": "accepted as {generation_id}",
    "throttled": "too many requests: slowing down ({message})",
    "unreachable": "the API can't be reached: {message}",
    "server_trouble": "the server is in trouble: {message}",
    "poll_trouble": "a poll got no answer: {message}",
    "not_made": "{message}: it is sent again",
    "resubmit_unconfirmed": "not in the usage log: sent again, as asked",
    "marked": "looks wrong: {marks}",
    "not_looked_at": "could not be looked at: {message}",
    "inspection_over": "no more clips are looked at: {message}",
    "noted": "the renderer says: {notes}",
    "completed": "rendered in {render_s} s, downloading",
    "download_broken": "download broke at {bytes} bytes: {message}",
    "link_expired": "the link is no good: {message}",
    "relinking": "asking for a fresh link",
    "refused_file": "refused: the file {message}",
    "done": "done: {output}",
}


class Progress(RunWatcher):
    """Writes to standard error, so that standard output stays for results.

    Args:
        quiet: only what went wrong.
        verbose: each step of each row.
        ask: whether to ask before money is spent.
        only: ids of the rows that the run submits; all, if empty.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        ask: bool = False,
        only: Sequence[str] = (),
        stream: TextIO | None = None,
    ) -> None:
        self._only = only
        self._ask = ask
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._verbose = verbose
        self._told = _TOLD | (_TOLD_VERBOSE if verbose else {})
        self._bar: tqdm[Any] | None = None
        self._context: RunContext | None = None
        self._tally: Tally | None = None
        self._trouble = Trouble()
        self._overview: Overview | None = None
        self._reading = Reading(quiet=quiet, stream=self._stream)
        self._said_times: dict[str, int] = {}
        self._last_line = ""
        utf8 = (getattr(self._stream, "encoding", "") or "").lower().replace("-", "") == "utf8"
        self._separator = " · " if utf8 else ", "

    # --- before the stages -----------------------------------------------------------------------------------

    def rows_read(self, rows: int) -> None:
        """Show that a large manifest is being read."""
        self._reading.rows_read(rows)

    def opened(self, opened: Opened, overview: Overview) -> None:
        """Say what will be done."""
        self._reading.wipe()
        self._overview = overview
        rows = overview.rows
        self._say(
            f"{counted(overview.total, 'row')}: {rows[Status.DONE]} done, {rows[Status.PENDING]} to render, "
            f"{rows[Status.RENDERING] + rows[Status.SUBMITTING] + rows[Status.DOWNLOADING]} under way, "
            f"{rows[Status.FAILED]} failed; {overview.voice_s / 60:.1f} min of video, "
            f"about {overview.estimated_usd:.2f} USD in all"
        )
        if named := list(dict.fromkeys(self._only)):
            more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
            self._say(f"only these rows are submitted, unless they are done: {', '.join(named[:NAMED])}{more}")
        if opened.intake.dropped:
            gone = counted(opened.intake.dropped, "row", "are")
            self._say(f"{gone} no longer in the manifest: set aside, clips stay")
        if opened.lost_files:
            gone = counted(len(opened.lost_files), "finished clip", "are")
            self._say(f"{gone} gone from OUT: fetched again, not bought again")
        if opened.retried and opened.retried.left:
            self._say(f"not retried, since they neither failed nor are done: {', '.join(opened.retried.left[:NAMED])}")

    def confirm(self, quote: Quote) -> bool:
        """Ask once before real money is spent, where somebody is there to answer and no budget was given."""
        if not self._ask or not (sys.stdin.isatty() and self._stream.isatty()):
            return True
        balance = "" if quote.balance_usd is None else f" (the account holds {quote.balance_usd:.2f})"
        unknown = f", and what {quote.unknown_length} of unknown length cost," if quote.unknown_length else ""
        words = f"Spend about {quote.estimated_usd:.2f} USD on {counted(quote.rows, 'clip')}{unknown}{balance}?"
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would wait for the answer
        try:
            return click.confirm(words, err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, before)

    # --- beside the stages -----------------------------------------------------------------------------------

    def started(self, context: RunContext) -> None:
        """Begin to show: from where the job stands, not from nothing."""
        self._context = context
        self._trouble.patience_s = context.outage.patience_s
        if self._overview is not None:
            self._tally = Tally(context, self._overview, self._trouble, self._only)
        if self._stream.isatty() and not self._quiet and self._tally is not None:
            self._bar = tqdm(
                desc=self._fitted(self._tally.standing()),
                total=sum(context.state.counts.values()), initial=context.state.counts[Status.DONE],
                file=self._stream, bar_format="{percentage:3.0f}%|{bar}| {desc}", dynamic_ncols=True, leave=False,
                mininterval=0, disable=False,
            )  # fmt: skip
            self._show()

    async def refresh(self) -> None:
        """Keep the line true until cancelled; where lines stay (a pipe, a CI log), ever fewer of them."""
        plain_s = PLAIN_FIRST_S
        while True:
            await asyncio.sleep(REFRESH_S if self._bar is not None else plain_s)
            plain_s = min(PLAIN_MOST_S, plain_s * 1.25)
            self._show()

    def on_event(self, event: Event) -> None:
        """Tell what people should know at once, and count the rest."""
        if self._tally is not None:
            self._tally.take(event)
        self._say_trouble(self._trouble.take(event))
        form = self._told.get(event.action)
        if form is None:
            return
        kind = str(event.details.get("code", event.action))
        times = self._said_times[kind] = self._said_times.get(kind, 0) + 1
        if times > SAID_OF_A_KIND and not self._verbose:
            if times == SAID_OF_A_KIND + 1:
                self._say(f"more of the kind {kind!r} are counted, not told: the report has them all", always=True)
            return
        known = {"code": "", "message": "", **event.details}
        self._say(f"{event.row}: {form.format(**known)}" if event.row else form.format(**known), always=True)
        if times == 1 and event.action in {"failed", "unconfirmed"} and kind in set(FailureCode):
            self._say(f"  {FAILURES[FailureCode(kind)].todo}")

    def ended(self) -> None:
        """Take the line away; where lines stay, leave the last word."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        else:
            self._show()
        self._context = None

    def _show(self) -> None:
        if self._context is None or self._tally is None:
            return
        if self._trouble.is_outage and not self._context.outage.failures:
            self._say_trouble(self._trouble.answered(time.time()))  # by a poll, which is no event
        standing = self._tally.standing()
        if self._bar is not None:
            self._bar.n = standing.counts[Status.DONE]
            self._bar.set_description_str(self._fitted(standing), refresh=True)
        elif not self._quiet:
            words = line(standing, 1000, self._separator)
            if words != self._last_line:
                self._say(words)
                self._last_line = words

    def _say_trouble(self, words: str) -> None:
        if words:
            self._say(words, always=self._trouble.is_outage)

    def _fitted(self, standing: Standing) -> str:
        """The words first: the bar takes what they leave, and some columns if that is little."""
        columns = self._columns()
        return line(standing, columns - 8 - min(24, columns // 8), self._separator)

    def _columns(self) -> int:
        try:
            return max(20, os.get_terminal_size(self._stream.fileno()).columns or 80)
        except (OSError, ValueError):
            return 80

    def _say(self, line: str, *, always: bool = False) -> None:
        if self._quiet and not always:
            return
        if self._bar is not None:
            tqdm.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
