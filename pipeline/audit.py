"""Holding a job's state file against the provider's books: every charge has its clip, every clip one charge."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pipeline.api import ApiClient, LogEntry, LogPage
from pipeline.api.books import Charge
from pipeline.api.ids import client_request_id_prefix, generation_ids_to_try
from pipeline.api.usage_log import CLOCKS_APART, note_lines, walk_log, windows_since
from pipeline.clip import IN_FLIGHT, Status
from pipeline.counted import counted
from pipeline.errors import ConfigError, NotSent, RequestFailed, ServerTrouble, Throttled, UsageError
from pipeline.job import Job
from pipeline.local_studio import local_studio
from pipeline.state.rows import provider_of
from pipeline.state.schema import connect_reader

__all__ = ["Attempt", "Audit", "Finding", "audit_job", "compare"]

TRIES = 5
WAIT_S = 2.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submit of a row, as the state file has it; ``current`` if the row stands by it."""

    row: str
    status: Status
    model: str
    fate: str
    client_request_id: str
    generation_id: str
    expected_usd: float
    current: bool
    clip: Path | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off: ``kind`` for scripts, ``message`` for people with what to do."""

    kind: str
    row: str
    usd: float
    message: str


@dataclass(slots=True)
class Audit:
    """What the books and the state say of each other.

    Attributes:
        findings: what is off.
        charged_usd, expected_usd: of this job's charged submits: by the ledger, and by the state file.
        charged, uncharged: submits that were charged; clips that are complete and not charged (yet).
        rendered_again: charged submits beyond the first of a row, which the user asked for.
        other_charges: charges of the account that are none of this job's.
    """

    findings: list[Finding] = field(default_factory=list)
    charged: int = 0
    charged_usd: float = 0.0
    expected_usd: float = 0.0
    uncharged: int = 0
    rendered_again: int = 0
    other_charges: int = 0

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"sound": not self.findings} | asdict(self)

    def lines(self) -> Iterable[str]:
        """For people."""
        for finding in self.findings:
            yield f"{finding.kind}: {finding.row or 'no row'}: {finding.message}"
        yield (
            f"{counted(self.charged, 'submit')} charged, {self.charged_usd:.2f} USD (the state file expects {self.expected_usd:.2f}); "
            f"{self.uncharged} complete and not charged yet; {self.rendered_again} rendered again on request; "
            f"{counted(self.other_charges, 'charge')} of the account for others"
        )
        yield "all is in order" if not self.findings else f"{counted(len(self.findings), 'thing', 'are')} off"


def compare(attempts: Iterable[Attempt], charges: Iterable[Charge], log: Mapping[str, LogEntry], *, tag: str) -> Audit:
    """Hold submits, charges and the usage log (by client request id) against each other."""
    audit = Audit()
    by_id: dict[str, Attempt] = {}
    by_request: dict[str, Attempt] = {}
    billed: dict[str, list[Charge]] = {}
    for attempt in attempts:
        by_request[attempt.client_request_id] = attempt
        if attempt.generation_id:
            by_id |= dict.fromkeys(generation_ids_to_try(attempt.generation_id, attempt.model), attempt)
    for entry in log.values():
        known = by_request.get(entry.client_request_id)
        if known is not None and entry.inference_id:
            by_id |= dict.fromkeys(generation_ids_to_try(entry.inference_id, known.model), known)
        elif known is None and not entry.failed and entry.client_request_id.startswith(client_request_id_prefix(tag)):
            message = f"{entry.inference_id} was made for this job and no row knows it: ask the provider for the clip"
            audit.findings.append(Finding("charge_without_row", "", entry.cost_usd or 0.0, message))
    for charge in charges:
        attempt_charged = by_id.get(charge.reference_id)
        if attempt_charged is not None:
            billed.setdefault(attempt_charged.client_request_id, []).append(charge)
        elif charge.usd > 0:
            audit.other_charges += 1
    _judge(audit, by_request, billed)
    return audit


def _judge(audit: Audit, attempts: Mapping[str, Attempt], billed: Mapping[str, list[Charge]]) -> None:
    paid_by_row: dict[str, list[Attempt]] = {}
    for request_id, attempt in attempts.items():
        lines = billed.get(request_id, [])
        usd = sum(line.usd for line in lines)
        if not usd > 0:
            audit.uncharged += attempt.fate == "completed"
            continue
        audit.charged += 1
        audit.charged_usd += usd
        audit.expected_usd += attempt.expected_usd
        paid_by_row.setdefault(attempt.row, []).append(attempt)
        if (times := sum(line.usd > 0 for line in lines)) > 1:
            message = f"{attempt.generation_id} was charged {times} times: ask the provider to give it back"
            audit.findings.append(Finding("charged_twice", attempt.row, usd, message))
        elif abs(usd - attempt.expected_usd) > max(0.01, 0.05 * attempt.expected_usd):
            message = (
                f"charged {usd:.4f} USD, expected {attempt.expected_usd:.4f}: check the price in the model catalogue"
            )
            audit.findings.append(Finding("cost_differs", attempt.row, usd - attempt.expected_usd, message))
        _judge_clip(audit, attempt, usd)
    for row, paid in paid_by_row.items():
        # A complete clip is only followed by another when the user asked for that.
        unasked = [attempt for attempt in paid if attempt.fate != "completed"]
        if len(paid) > 1 and unasked:
            message = f"{len(paid)} of its submits were charged, {len(unasked)} of them of unknown fate when it was sent again: ask the provider about those"
            audit.findings.append(Finding("charged_twice", row, 0.0, message))
        audit.rendered_again += max(0, len(paid) - 1)


def _judge_clip(audit: Audit, attempt: Attempt, usd: float) -> None:
    if not attempt.current or attempt.status in IN_FLIGHT - {Status.SUBMITTING}:
        return
    if attempt.status is Status.DONE:
        if attempt.clip is None or not attempt.clip.exists():
            message = f"paid for, and {attempt.clip} is gone: run the job again, which fetches it"
            audit.findings.append(Finding("paid_missing", attempt.row, usd, message))
    elif attempt.status is not Status.PENDING:
        remedy = "retry" if attempt.status is Status.FAILED else "run"
        message = f"paid for, but the row is {attempt.status}: {remedy} the job, which fetches it"
        audit.findings.append(Finding("paid_missing", attempt.row, usd, message))


async def audit_job(job: Job, api_key: str) -> Audit:
    """Read the provider's ledger and usage log, and compare.

    Raises:
        UsageError: there is no state file, it is that of another provider, no key, or the books can't be read now.
    """
    if not job.state_path.exists():
        raise UsageError(
            f"{job.state_path} isn't there: there is nothing to audit yet, start the job with `avatar-batch run`"
        )
    with closing(connect_reader(job.state_path)) as db:
        if refusal := job.refusal_of(provider_of(db)):
            raise UsageError(refusal)
        attempts, first_at, tag = _attempts(db, job.out)
    async with AsyncExitStack() as stack:
        base_url = job.settings.api.url
        if job.settings.api.provider == "local":
            base_url, _ = await stack.enter_async_context(local_studio(job.out / ".studio", job.settings))
            api_key = ""
        elif not api_key:
            raise ConfigError("no API key: set AIMLAPI_API_KEY to the key that the job was run with")
        api = await stack.enter_async_context(ApiClient(base_url, api_key, job.settings.api.timeout_s))
        charges = await _charges(api, datetime.fromtimestamp(first_at, UTC) - CLOCKS_APART)
        log: dict[str, LogEntry] = {}
        for model in sorted({attempt.model for attempt in attempts}):
            log |= await _log(api, model, first_at)
    return compare(attempts, charges, log, tag=tag)


def _attempts(db: sqlite3.Connection, out: Path) -> tuple[list[Attempt], float, str]:
    sql = (
        "SELECT clips.id, status, attempts.model, fate, client_request_id, coalesce(generation_id, ''), "
        "coalesce(cost_usd, reserved_usd), clips.attempt = n, clip_output, submitted_at "
        "FROM attempts JOIN clips USING (seq) ORDER BY n"
    )
    attempts = []
    first_at = time.time()
    for row in db.execute(sql):
        values = list(row[:9])
        values[1] = Status(row[1])
        values[7] = bool(row[7])
        values[8] = out / row[8] if row[8] is not None else None
        attempts.append(Attempt(*values))
        first_at = min(first_at, row[9])
    (tag,) = db.execute("SELECT value FROM job WHERE name = 'tag'").fetchone()
    return attempts, first_at, tag


async def _charges(api: ApiClient, since: datetime) -> list[Charge]:
    charges: list[Charge] = []
    cursor = ""
    while True:
        page = await _patiently(lambda cursor=cursor: api.charges(cursor))  # type: ignore[misc]
        charges += page.charges
        oldest = _time(page.charges[-1].created) if page.charges else None
        if not page.cursor or page.cursor == cursor or (oldest is not None and oldest < since):
            return charges
        cursor = page.cursor


async def _log(api: ApiClient, model: str, first_at: float) -> dict[str, LogEntry]:
    """The usage log by client request id."""

    def ask(window: Mapping[str, str], offset: int) -> Awaitable[LogPage]:
        return _patiently(lambda: api.usage_log(window, model=model, offset=offset))

    found: dict[str, LogEntry] = {}
    async for page in walk_log(ask, windows_since(first_at, time.time())):
        note_lines(page, {entry.client_request_id for entry in page.entries} - {""}, found)
    return found


async def _patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    words = ""
    for number in range(TRIES):
        try:
            return await ask()
        except (NotSent, ServerTrouble, Throttled) as error:
            words = str(error)
            await asyncio.sleep(WAIT_S * number)
        except RequestFailed as error:
            words = str(error)
            break
    raise UsageError(f"the provider's books can't be read now ({words}): try again later")


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
