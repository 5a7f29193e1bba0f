"""Everything that a page shows, gathered from the state file and the run's log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.clip import IN_FLIGHT, Status
from pipeline.eta import Eta
from pipeline.job import Job
from pipeline.lock import is_held
from pipeline.remedies import NOTES, Remedy
from pipeline.report.cards import Card, CardMaker, needs_people
from pipeline.report.runlog import RunLogDigest
from pipeline.report.timeline import Timeline, draw
from pipeline.state.views import Overview, Record, StateView

__all__ = ["Gatherer", "Group", "Night", "row_words"]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same trouble. ``sort`` is failure, mark or note; ``kind`` is its code."""

    sort: str
    kind: str
    remedy: Remedy
    cards: Sequence[Card]
    command: str


@dataclass(frozen=True, slots=True)
class Night:
    """What the templates are given.

    Attributes:
        began, ended: of all submits; Unix seconds.
        running: a run works on the job now.
        stop: the words with which the latest run stopped early.
        render_s: a typical render time.
        left_s: how long the run still takes.
        marked, noted: finished clips that look wrong, and those of which the renderer said something.
        hidden: rows beyond those that are shown.
        command: how people start this job's commands, ``{}`` in place of the command's name.
    """

    name: str
    manifest: str
    command: str
    overview: Overview
    made_at: float
    began: float | None
    ended: float | None
    running: bool
    stop: str
    render_s: float | None
    left_s: float | None
    marked: int
    noted: int
    again: int
    groups: Sequence[Group]
    cards: Sequence[Card]
    hidden: int
    timeline: Timeline | None
    provider: str
    log: Path
    state: Path


class Gatherer:
    """Gathers a job's night, again and again for a live page.

    Args:
        job: whose.
        command: how people start this job's commands, ``{}`` in place of the command's name.
        clip_poster, source_poster: give the file name of a small picture.
    """

    def __init__(
        self, job: Job, command: str, clip_poster: Callable[[Path], str], source_poster: Callable[[str], str]
    ) -> None:
        self._job = job
        self._command = command
        self._log = RunLogDigest(job.out / "run.log")
        self._posters = (clip_poster, source_poster)

    def gather(self, view: StateView) -> Night:
        """All of it, as it is now."""
        now = time.time()
        self._log.read()
        overview = view.overview()
        maker = CardMaker(self._job.out, self._log.starts, *self._posters)
        seen = _Seen()
        most = self._job.settings.report.max_clips
        shown: list[tuple[int, Record]] = []
        for number, record in enumerate(view.records(), 1):
            seen.add(record)
            if len(shown) < most or needs_people(record) < 3:
                shown.append((number, record))
        shown.sort(key=lambda item: (needs_people(item[1]), item[0]))
        cards = [maker.card(number, record) for number, record in shown[:most]]
        spans = list(view.spans())
        began = min((span.submitted_at for span in spans), default=None)
        ends = [span.ended_at for span in spans if span.ended_at is not None] + seen.finished + seen.failed
        running = is_held(self._job.out)
        # What is in flight while no run watches says nothing of the night, and would squeeze it day by day.
        known = [*ends, *(span.submitted_at for span in spans), self._log.last]
        until = now if running else min(now, max(known))
        return Night(
            name=self._job.name,
            manifest=str(self._job.manifest),
            command=self._command,
            overview=overview,
            made_at=now,
            began=began,
            ended=max(ends, default=None),
            running=running,
            stop="" if running else self._log.stop,
            render_s=statistics.median(seen.took) if seen.took else None,
            left_s=seen.left_s(now, overview) if running else None,
            marked=seen.marked,
            noted=seen.noted,
            again=seen.again,
            groups=_groups(cards, self._command),
            cards=cards,
            hidden=overview.total - len(cards),
            timeline=draw(spans, seen.finished, seen.failed, self._log.refusals, until),
            provider=view.provider(),
            log=self._job.out / "run.log",
            state=self._job.state_path,
        )


class _Seen:
    """What is counted while the rows go by."""

    def __init__(self) -> None:
        self.finished: list[float] = []
        self.failed: list[float] = []
        self.took: list[float] = []
        self.marked = 0
        self.noted = 0
        self.again = 0
        self._spans: list[tuple[float, float | None, str]] = []

    def add(self, record: Record) -> None:
        if record.finished_at is not None and record.status is Status.DONE:
            self.finished.append(record.finished_at)
            self.marked += bool(record.inspection and record.inspection.marks)
            self.noted += bool(record.notes)
        elif record.finished_at is not None and record.status is Status.FAILED:
            self.failed.append(record.finished_at)
        self.again += record.attempts > 1
        if record.accepted_at is None:
            return
        if record.completed_at is not None:
            self.took.append(record.completed_at - record.accepted_at)
        if record.completed_at is not None or record.status in IN_FLIGHT:
            self._spans.append((record.accepted_at, record.completed_at, record.id))

    def left_s(self, now: float, overview: Overview) -> float | None:
        """From all renders, in the order in which they ended."""
        eta = Eta()
        for began, _, row in self._spans:
            eta.accepted(row, began)
        for end, row in sorted((end, row) for _, end, row in self._spans if end is not None):
            eta.ended(row, end)
        rendering = sum(overview.rows[status] for status in (Status.RENDERING, Status.SUBMITTING))
        return eta.left_s(now, overview.rows[Status.PENDING], max(1, rendering))


def row_words(ids: Iterable[str]) -> str:
    """Ids as words of a command; one that begins with a dash would be taken for an option."""
    words = list(ids)
    return " ".join(["--", *words] if any(word.startswith("-") for word in words) else words)


def _groups(cards: Sequence[Card], command: str) -> list[Group]:
    """Failures by code, then marks, then notes, each with what to do; the largest first."""
    found: dict[str, dict[str, list[Card]]] = {"failure": {}, "mark": {}, "note": {}}
    remedies: dict[str, Remedy] = {}

    def sort_in(card: Card, sort: str, kind: str, remedy: Remedy) -> None:
        remedies[kind] = remedy
        rows = found[sort].setdefault(kind, [])
        if not rows or rows[-1] is not card:
            rows.append(card)

    for card in cards:
        if card.remedy and card.record.error_code:
            sort_in(card, "failure", str(card.record.error_code), card.remedy)
        for mark, remedy in card.marks:
            sort_in(card, "mark", str(mark), remedy)
        for note, remedy in card.notes:
            # Strangers' notes may all differ: they are one group, and each row says its own.
            sort_in(card, "note", note if note in NOTES else "note", remedy)
    groups = []
    for sort, by_kind in found.items():
        for kind, rows in sorted(by_kind.items(), key=lambda item: -len(item[1])):
            ids = row_words(card.record.id for card in rows[:200])
            verb, _, rest = remedies[kind].command.partition(" JOB")
            line = command.replace("{}", verb, 1) + rest.replace("{ids}", ids)
            groups.append(Group(sort, kind, remedies[kind], rows, line))
    return groups
