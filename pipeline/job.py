"""A job: a manifest, its settings and its OUT; checking it, and bringing it into the state file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

import msgspec

from pipeline.clip import Row
from pipeline.errors import DiskFull, UsageError
from pipeline.manifest import Looks, Problems, RowReader
from pipeline.settings import Settings
from pipeline.state.intake import Intake, StoredLooks, take_in
from pipeline.state.put_back import Stood, made_pending, note_standing
from pipeline.state.refusal import damaged, is_held
from pipeline.state.rows import provider_of
from pipeline.state.schema import connect, create, refuse_network_disk
from pipeline.state.unchanged import intake_if_unchanged, mark_of, note_mark
from pipeline.state.upkeep import (
    Retried,
    changed_rows,
    forget_lost_files,
    known_ids,
    recover,
    rerender,
    resubmit,
    retry,
)

__all__ = ["Checked", "Job", "Opened", "Wishes"]


@dataclass(slots=True)
class Checked:
    """What a check found: rows, seconds of voice and estimated USD where they can be known, and how many rows can't."""

    rows: int = 0
    voice_s: float = 0.0
    estimated_usd: float = 0.0
    unknown_length: int = 0
    by_model: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.by_model[row.model] = self.by_model.get(row.model, 0) + 1
        if row.voice_s is None or row.estimated_usd is None:
            self.unknown_length += 1
        else:
            self.voice_s += row.voice_s
            self.estimated_usd += row.estimated_usd


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one run is asked for beyond the job itself.

    Attributes:
        only: ids to submit, and to do the other wishes for; all, if empty.
        retry: whether failed rows are taken up first, those of ``retry_ids`` or all.
        start_at, until: times of day, by this machine's clock, between which rows are submitted.
    """

    only: Sequence[str] = ()
    retry: bool = False
    retry_ids: Sequence[str] = ()
    rerender_changed: bool = False
    resubmit_unconfirmed: bool = False
    start_at: time | None = None
    until: time | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found when a job was brought into its state file.

    Attributes:
        changed: ids of rows whose inputs are no longer those their clip was made from (the first 20), and how many.
        lost_files: ids of finished clips that are gone from OUT and are fetched again.
        unconfirmed: numbers of the rows to send again if the usage log does not know them.
        taken_up: rows that wishes made pending, as they stood before.
    """

    intake: Intake
    changed: tuple[str, ...]
    changed_total: int
    lost_files: tuple[str, ...]
    unconfirmed: frozenset[int]
    retried: Retried | None
    rerendered: int
    taken_up: tuple[Stood, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A manifest with the settings and the OUT that it is rendered with.

    Attributes:
        manifest: ``.yaml``, ``.yml`` or ``.csv``.
        out: where the state file and the clips are.
    """

    manifest: Path
    settings: Settings
    out: Path

    @classmethod
    def at(cls, manifest: Path, settings: Settings | None = None, out: Path | None = None) -> Job:
        """A job with the default OUT, ``out/<the manifest's stem>``, where none is given."""
        return cls(manifest, settings or Settings(), out or Path("out") / manifest.stem)

    @property
    def name(self) -> str:
        """The manifest's stem."""
        return self.manifest.stem

    @property
    def state_path(self) -> Path:
        """The state file."""
        return self.out / "state.db"

    def check(self, tell: Callable[[int], None] | None = None, see: Callable[[Row], None] | None = None) -> Checked:
        """Read and validate everything; no network, nothing written.

        Args:
            tell: called with the number of rows read so far.
            see: called with each row.

        Raises:
            ManifestError: all that is wrong.
        """
        problems = Problems(str(self.manifest))
        checked = Checked()
        for row in self._reader(Looks(), problems).rows():
            checked.add(row)
            if see:
                see(row)
            if tell:
                tell(checked.rows)
        problems.raise_if_any()
        return checked

    def refuse_no_manifest(self) -> None:
        """Raise what reading would, if the manifest isn't there: a mistyped path must not leave an OUT behind.

        Raises:
            ManifestError, UsageError: there is no such manifest.
        """
        self._reader(Looks(), Problems(str(self.manifest))).refuse_no_file()

    def open(self, wishes: Wishes, tell: Callable[[int], None] | None = None) -> Opened:
        """Bring the manifest into the state file and do what the run asks for. The lock on OUT must be held.

        It happens whole or not at all: after an error the state is what it was, or still isn't there.

        Raises:
            ManifestError: the manifest has problems.
            UsageError: OUT can't be used, or a wish names no row.
            StateRefused: the state file can't be trusted.
            DiskFull: no room for the state file.
        """
        refuse_network_disk(self.out)
        fresh = False
        try:
            if not self.state_path.exists():
                create(self.state_path)
                fresh = True
            with closing(connect(self.state_path)) as db:
                return self._open(db, wishes, tell)
        except BaseException as error:
            if fresh:
                for suffix in ("", "-wal", "-shm", ".new"):
                    self.state_path.with_name(self.state_path.name + suffix).unlink(missing_ok=True)
            if is_held(error):
                raise UsageError(damaged(self.state_path, error)) from None
            if isinstance(error, sqlite3.OperationalError):
                raise DiskFull(f"{self.state_path} can't be written ({error}): free space, then run again") from None
            if isinstance(error, OSError) and not isinstance(error, InterruptedError):
                raise UsageError(f"{self.out} can't be written ({error.strerror}): choose another --out") from None
            raise

    def _open(self, db: sqlite3.Connection, wishes: Wishes, tell: Callable[[int], None] | None) -> Opened:
        db.execute("BEGIN IMMEDIATE")
        try:
            if refusal := self.refusal_of(provider_of(db)):
                raise UsageError(refusal)
            db.execute("INSERT OR IGNORE INTO job VALUES ('provider', ?)", (self.settings.api.provider,))
            mark = self._mark()
            intake = intake_if_unchanged(db, mark) if mark else None
            if intake is None:
                intake = self._take_in(db, tell)
                if mark and self._mark() == mark:  # nobody wrote the manifest while it was read
                    note_mark(db, mark)
            known_ids(db, wishes.only)
            opened = self._fulfil(db, wishes, intake)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return opened

    def _take_in(self, db: sqlite3.Connection, tell: Callable[[int], None] | None) -> Intake:
        problems = Problems(str(self.manifest))
        reader = self._reader(Looks(StoredLooks(db)), problems)
        with closing(reader.rows()) as rows:  # whatever happens, in this thread: they have a database of their own
            intake = take_in(db, _told(rows, tell), self.out, problems)
        problems.raise_if_any()
        return intake

    def _mark(self) -> str:
        """Of the manifest and all settings that its rows depend on; empty where reading it will tell what is wrong."""
        models = msgspec.json.encode(dict(self.settings.catalogue), order="sorted").decode()
        try:
            return mark_of(self.manifest, (models, self.settings.output.template))
        except OSError:
            return ""

    def _fulfil(self, db: sqlite3.Connection, wishes: Wishes, intake: Intake) -> Opened:
        # What becomes pending stays so after this run, and the next one pays for it: --only holds for each wish.
        is_wished = wishes.rerender_changed or wishes.retry or wishes.resubmit_unconfirmed
        if is_wished:
            note_standing(db)
        rerendered = rerender(db, wishes.only) if wishes.rerender_changed else 0
        retried = retry(db, wishes.retry_ids, wishes.only) if wishes.retry else None
        unconfirmed = resubmit(db, wishes.only) if wishes.resubmit_unconfirmed else frozenset()
        recover(db)
        lost = forget_lost_files(db, self.out)
        changed = changed_rows(db)
        return Opened(
            intake, tuple(row_id for _, row_id, _ in changed[:20]), len(changed), tuple(lost), unconfirmed, retried,
            rerendered, made_pending(db) if is_wished else (),
        )  # fmt: skip

    def _reader(self, looks: Looks, problems: Problems) -> RowReader:
        return RowReader(
            self.manifest, catalogue=self.settings.catalogue, template=self.settings.output.template, looks=looks,
            problems=problems,
        )  # fmt: skip

    def refusal_of(self, held: str) -> str:
        """Why OUT is not to be used, going by whose clips it holds; empty if it may be.

        A rehearsal's clips and ids mean nothing to the paid API, nor the other way round.

        Args:
            held: ``api.provider`` of its first run; empty if there was none.
        """
        provider = self.settings.api.provider
        if held in {"", provider}:
            return ""
        kinds = {"local": "the local studio's rehearsal", "aimlapi": "clips of the paid API"}
        return (
            f"{self.out} holds {kinds[held]}, and api.provider is set to {provider} now: use another --out "
            f"(such as --out {self.out}-{provider}), or set api.provider={held}"
        )


def _told(rows: Iterator[Row], tell: Callable[[int], None] | None) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        if tell:
            tell(number)
        yield row
