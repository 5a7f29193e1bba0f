"""A row as its card on the page shows it."""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.clip import FailureCode, Status
from pipeline.inspection.facts import Facts, Mark
from pipeline.remedies import FAILURES, MARKS, NOTE, NOTES, Remedy
from pipeline.state.views import Record

__all__ = ["Card", "CardMaker", "needs_people"]

FOLDER_URL = "report_files/"
_NOT_BILLED = frozenset({FailureCode.BAD_REQUEST, FailureCode.GENERATION_ERROR, FailureCode.SERVER})


@dataclass(frozen=True, slots=True)
class Card:
    """One row for the page. Times are seconds, None where it has not come so far.

    Attributes:
        number: the row's place in the manifest, from 1.
        clip_url, poster_url, face_url: relative to the page; empty for none.
        marks: what looks wrong, with words.
        notes: what the clip's renderer said of it, with words.
        remedy: of its failure.
        row: what a manifest needs to render it again, as JSON.
    """

    number: int
    record: Record
    clip_url: str
    poster_url: str
    face_url: str
    marks: tuple[tuple[Mark, Remedy], ...]
    notes: tuple[tuple[str, Remedy], ...]
    remedy: Remedy | None
    queue_s: float | None
    render_s: float | None
    download_s: float | None
    row: str

    @property
    def status(self) -> str:
        """The status's word."""
        return str(self.record.status)

    @property
    def facts(self) -> Facts:
        """What was measured."""
        return self.record.inspection.facts if self.record.inspection else Facts()

    @property
    def seconds(self) -> float | None:
        """Of the clip, else of the voice that it is to speak."""
        return self.record.duration_s if self.record.duration_s is not None else self.record.voice_s

    @property
    def usd(self) -> float | None:
        """What it cost, else what it is expected to cost; None for a failure that isn't billed."""
        if self.record.cost_usd is None and self.record.error_code not in _NOT_BILLED:
            return self.record.estimated_usd
        return self.record.cost_usd


def needs_people(record: Record) -> int:
    """Cards that need people come first: failed, of unknown fate, marked or noted, all others."""
    if record.status is Status.FAILED:
        return 0
    if record.status is Status.UNCONFIRMED:
        return 1
    marked = record.status is Status.DONE and record.inspection and record.inspection.marks
    return 2 if marked or record.notes else 3


class CardMaker:
    """Makes cards out of records.

    Args:
        out: the job's OUT, in which the page lies.
        starts: when runs began, ascending.
        clip_poster, source_poster: give the file name of a small picture, empty for none.
    """

    def __init__(
        self,
        out: Path,
        starts: Sequence[float],
        clip_poster: Callable[[Path], str],
        source_poster: Callable[[str], str],
    ) -> None:
        self._out = out
        self._starts = starts
        self._clip_poster = clip_poster
        self._source_poster = source_poster

    def card(self, number: int, record: Record) -> Card:
        """The card of the row at this place of the manifest."""
        clip = Path(record.output) if record.output else None
        poster = self._clip_poster(clip) if clip else ""
        face = self._source_poster(record.image)
        marks = record.inspection.marks if record.inspection and record.status is Status.DONE else ()
        return Card(
            number,
            record,
            clip_url="./" + quote(os.path.relpath(clip, self._out)) if clip else "",
            poster_url=FOLDER_URL + poster if poster else "",
            face_url=FOLDER_URL + face if face else "",
            marks=tuple((mark, MARKS[mark]) for mark in marks),
            notes=tuple((note, NOTES.get(note, NOTE)) for note in record.notes),
            remedy=FAILURES[record.error_code] if record.error_code else None,
            queue_s=self._queue_s(record),
            render_s=_between(record.accepted_at, record.completed_at),
            download_s=_between(record.completed_at, record.finished_at) if record.status is Status.DONE else None,
            row=_row(record),
        )

    def _queue_s(self, record: Record) -> float | None:
        """How long it waited in its run until it was sent."""
        if record.submitted_at is None:
            return None
        run = bisect.bisect_right(self._starts, record.submitted_at)
        return record.submitted_at - self._starts[run - 1] if run else None


def _between(start: float | None, end: float | None) -> float | None:
    return max(0.0, end - start) if start is not None and end is not None else None


def _row(record: Record) -> str:
    known = {
        "prompt": record.prompt,
        "provider": record.provider,
        "options": dict(record.options),
        "model": record.model,
    }
    row: dict[str, Any] = {"id": record.id, "image": record.image, "audio": record.audio}
    row |= {name: value for name, value in known.items() if value}
    return json.dumps(row | record.meta, ensure_ascii=False)
