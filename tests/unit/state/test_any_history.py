"""Any history of a job, crashes and wishes included, held against a small model of the truth.

What must never happen: a second submit of a row whose earlier one may be paid for, unless the user asked for it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.job import Job, Wishes
from pipeline.settings import Settings
from pipeline.state import StateFile
from pipeline.state.rows import counts_by_status
from tests.unit.state.conftest import clip_of

T = TypeVar("T")
NAMES = ("a", "b", "c")
MAY_BE_PAID = {"sent", "lost", "accepted", "completed", "unconfirmed"}
some_name = st.sampled_from(NAMES)
some_cost = st.sampled_from([None, 0.0, 0.25, 0.75])


@dataclass
class Attempt:
    fate: str
    reserved: float
    cost: float | None = None
    has_id: bool = False


@dataclass
class Truth:
    """What is known of a row from outside of the state file."""

    attempts: list[Attempt] = field(default_factory=list)
    asked: bool = False
    """Whether the next submit is the user's wish; a submit uses it up unless nothing was made."""
    asked_before: bool = False
    prompt: int = 0
    sent_prompt: int = -1

    @property
    def current(self) -> Attempt:
        return self.attempts[-1]

    @property
    def may_be_paid(self) -> bool:
        return any(attempt.fate in MAY_BE_PAID for attempt in self.attempts)


class AnyHistory(RuleBasedStateMachine):
    """Moves as the stages make them, in any order that the statuses allow; runs begin as the job begins them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.job = Job(self.folder / "job.csv", Settings(), self.folder / "out")
        self.job.out.mkdir()
        self.truth = {name: Truth() for name in NAMES}
        self.present = set(NAMES)
        self.requests = 0
        self.may_resubmit: frozenset[int] = frozenset()
        self.state: StateFile | None = None

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        if self.state is not None:
            self.do(self.state.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    # --- runs ------------------------------------------------------------------------------------------------

    @initialize()
    def first_run(self) -> None:
        self.begin(Wishes())

    def begin(self, wishes: Wishes) -> None:
        """End the run, whatever it was doing, and begin another."""
        if self.state is not None:
            self.do(self.state.close())
        lines = [
            f"{name},https://h/f.png,https://h/v.mp3,prompt {self.truth[name].prompt}" for name in sorted(self.present)
        ]
        self.job.manifest.write_text("\n".join(["id,image,audio,prompt", *lines]) + "\n")
        opened = self.job.open(wishes)
        self.may_resubmit = opened.unconfirmed

        async def start() -> StateFile:
            return StateFile(self.job.state_path)

        self.state = self.do(start())

    @rule(
        wishes=st.builds(
            Wishes, rerender_changed=st.booleans(), resubmit_unconfirmed=st.booleans(), retry=st.booleans()
        ),
        only=st.sets(some_name),
    )
    def killed_and_run_again(self, wishes: Wishes, only: set[str]) -> None:
        wishes = replace(wishes, only=sorted(only & self.present))
        before = {name: self.status(name) for name in NAMES}
        self.begin(wishes)
        self.expect(before, wishes)

    @rule(names=st.sets(some_name, min_size=1))
    def killed_and_named_rows_retried(self, names: set[str]) -> None:
        before = {name: self.status(name) for name in NAMES}
        wishes = Wishes(retry=True, retry_ids=sorted(names & self.present))
        if wishes.retry_ids:
            self.begin(wishes)
            self.expect(before, wishes)

    def expect(self, before: dict[str, Status | None], wishes: Wishes) -> None:
        """What the beginning of a run may do to what is known, and what it asks for."""
        for name, old in before.items():
            truth, new = self.truth[name], self.status(name)
            if old is None or new is None:
                continue
            here = name in self.present
            if old is Status.SUBMITTING:
                truth.current.fate = "lost"
            if old is Status.UNCONFIRMED and new in {Status.RENDERING, Status.SUBMITTING}:
                truth.current.fate = "accepted" if truth.current.has_id else "lost"
            if not here or new is not Status.PENDING or old is Status.PENDING:
                continue
            assert not wishes.only or name in wishes.only, f"{name} is not among {wishes.only}"
            changed = truth.prompt != truth.sent_prompt
            truth.asked |= old is Status.DONE and (name in wishes.retry_ids or (wishes.rerender_changed and changed))
            truth.asked |= old is Status.FAILED and name in wishes.retry_ids
            truth.asked |= old is Status.UNCONFIRMED and wishes.resubmit_unconfirmed

    @rule(name=some_name)
    def a_prompt_changes(self, name: str) -> None:
        self.truth[name].prompt += 1

    @precondition(lambda self: len(self.present) > 1)
    @rule(name=some_name)
    def a_row_leaves_the_manifest(self, name: str) -> None:
        self.present.discard(name)
        self.begin(Wishes())
        for other, truth in self.truth.items():
            self.expect({other: self.status_before(truth, other)}, Wishes())

    @rule(name=some_name)
    def a_row_comes_back(self, name: str) -> None:
        before = {one: self.status(one) for one in NAMES}
        self.present.add(name)
        self.begin(Wishes())
        self.expect(before, Wishes())

    def status_before(self, truth: Truth, name: str) -> Status | None:
        """By the model: what was in the air, and what was unconfirmed."""
        if not truth.attempts:
            return None
        if truth.current.fate in {"sent", "lost"}:
            return Status.SUBMITTING
        status = self.status(name)
        in_the_air = {Status.RENDERING, Status.SUBMITTING}
        return Status.UNCONFIRMED if truth.current.fate == "unconfirmed" and status in in_the_air else status

    # --- rows ------------------------------------------------------------------------------------------------

    @property
    def db(self) -> StateFile:
        assert self.state is not None
        return self.state

    def status(self, name: str) -> Status | None:
        rows = self.db._reader.execute("SELECT status FROM clips WHERE id = ?", (name,)).fetchall()
        return Status(rows[0][0]) if rows else None

    def clip(self, name: str, status: Status) -> Clip | None:
        return clip_of(self.db, name) if self.status(name) is status else None

    @rule(name=some_name, reserved=st.sampled_from([0.5, 1.25]))
    def submitted(self, name: str, reserved: float) -> None:
        inbox = self.db.inbox(Status.PENDING, only=[name])
        clip = inbox.get_nowait()
        if clip is None:
            return
        truth = self.truth[name]
        assert truth.asked or not truth.may_be_paid, f"{name} may be paid for and is sent again: {truth.attempts}"
        self.requests += 1
        self.do(self.db.begin_submit(clip, f"r{self.requests}", reserved))
        truth.attempts.append(Attempt("sent", reserved))
        truth.sent_prompt = truth.prompt
        truth.asked_before, truth.asked = truth.asked, False

    @rule(name=some_name)
    def throttled(self, name: str) -> None:
        if (clip := self.clip(name, Status.SUBMITTING)) and self.truth[name].current.fate == "sent":
            self.do(self.db.take_back(clip, forget=True))
            self.truth[name].attempts.pop()
            self.truth[name].asked = self.truth[name].asked_before

    @rule(name=some_name, ends=st.booleans())
    def the_server_made_nothing(self, name: str, ends: bool) -> None:
        if clip := self.clip(name, Status.SUBMITTING):
            if ends:
                self.do(self.db.fail(clip, Failure(FailureCode.SERVER, "500"), fate="refused"))
            else:
                self.do(self.db.take_back(clip, forget=False))
            self.truth[name].current.fate = "refused"
            self.truth[name].asked = self.truth[name].asked_before

    @rule(name=some_name)
    def the_answer_was_lost(self, name: str) -> None:
        if (clip := self.clip(name, Status.SUBMITTING)) and self.truth[name].current.fate == "sent":
            self.do(self.db.lose(clip))
            self.truth[name].current.fate = "lost"

    @rule(name=some_name, cost=some_cost)
    def accepted_or_adopted(self, name: str, cost: float | None) -> None:
        if clip := self.clip(name, Status.SUBMITTING):
            self.do(self.db.accept(clip, f"g{self.requests}", cost))
            current = self.truth[name].current
            current.fate, current.cost, current.has_id = "accepted", cost, True

    @rule(name=some_name)
    def the_log_does_not_know_it(self, name: str) -> None:
        if (clip := self.clip(name, Status.SUBMITTING)) and self.truth[name].current.fate == "lost":
            if clip.seq in self.may_resubmit:
                self.do(self.db.resubmit(clip))
                self.truth[name].asked = True
            else:
                self.do(self.db.unconfirm(clip, Failure(FailureCode.UNCONFIRMED, "not in the log")))
            self.truth[name].current.fate = "unconfirmed"

    @rule(name=some_name)
    def the_generation_is_not_known(self, name: str) -> None:
        if clip := self.clip(name, Status.RENDERING):
            if clip.completed_at:
                self.do(self.db.fail(clip, Failure(FailureCode.NOT_FOUND, "404")))
            else:
                self.do(self.db.unconfirm(clip, Failure(FailureCode.NOT_FOUND, "404")))
                self.truth[name].current.fate = "unconfirmed"

    @rule(name=some_name, cost=some_cost)
    def completed(self, name: str, cost: float | None) -> None:
        if clip := self.clip(name, Status.RENDERING):
            current = self.truth[name].current
            before = current.reserved if current.cost is None else current.cost
            more = self.do(self.db.complete(clip, "https://cdn/x", cost))
            current.fate, current.cost = "completed", current.cost if cost is None else cost
            assert more == pytest.approx((current.reserved if current.cost is None else current.cost) - before)

    @rule(name=some_name)
    def the_generation_failed(self, name: str) -> None:
        if clip := self.clip(name, Status.RENDERING):
            fate = None if clip.completed_at else "failed"
            self.do(self.db.fail(clip, Failure(FailureCode.GENERATION_ERROR, "no face"), fate=fate))
            self.truth[name].current.fate = fate or self.truth[name].current.fate

    @rule(name=some_name)
    def it_rendered_for_too_long(self, name: str) -> None:
        if clip := self.clip(name, Status.RENDERING):
            self.do(self.db.fail(clip, Failure(FailureCode.TIMEOUT, "2 h")))

    @rule(name=some_name)
    def the_link_expired(self, name: str) -> None:
        if clip := self.clip(name, Status.DOWNLOADING):
            self.do(self.db.relink(clip))

    @rule(name=some_name)
    def downloaded(self, name: str) -> None:
        if clip := self.clip(name, Status.DOWNLOADING):
            (self.job.out / clip.output).touch()
            self.do(self.db.finish(clip, sha256="ab", size_bytes=0, duration_s=5.0))

    @rule(name=some_name, code=st.sampled_from([FailureCode.DOWNLOAD, FailureCode.BAD_MEDIA]))
    def the_download_failed(self, name: str, code: FailureCode) -> None:
        if clip := self.clip(name, Status.DOWNLOADING):
            self.do(self.db.fail(clip, Failure(code, "broken")))

    @rule(name=some_name)
    def a_clip_is_deleted(self, name: str) -> None:
        if clip := self.clip(name, Status.DONE):
            (self.job.out / clip.output).unlink(missing_ok=True)

    # --- what holds at all times -----------------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        if self.state is not None:
            attempts = [attempt for truth in self.truth.values() for attempt in truth.attempts]
            held = sum(
                a.reserved if a.cost is None else a.cost for a in attempts if a.fate not in {"failed", "refused"}
            )
            assert self.state.reserved_usd() == pytest.approx(held)
            on_disk = [fate for (fate,) in self.state._reader.execute("SELECT fate FROM attempts ORDER BY fate")]
            assert on_disk == sorted(attempt.fate for attempt in attempts)

    @invariant()
    def the_counts_are_those_of_the_table(self) -> None:
        if self.state is not None:
            assert self.state.counts == counts_by_status(self.state._reader)

    @invariant()
    def nothing_is_done_without_a_paid_clip(self) -> None:
        if self.state is not None:
            sql = "SELECT 1 FROM clips LEFT JOIN attempts ON n = attempt WHERE status IN ('downloading', 'done') AND fate IS NOT 'completed'"
            assert self.state._reader.execute(sql).fetchone() is None


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=15, stateful_step_count=50)
