"""Walking the usage log: page by page, over as many spans as it takes to reach back to a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pipeline.api.books import LogEntry, LogPage

__all__ = ["CLOCKS_APART", "note_lines", "walk_log", "windows_since"]

SPAN = timedelta(days=90)
"""The log shows at most 92 days at a time."""

PERIOD_REACH = timedelta(hours=20)
"""What is not older is surely within ``period=24h``, which the server counts by its own clock."""

CLOCKS_APART = timedelta(hours=2)
"""By how much this machine's clock and the server's may disagree."""

Ask = Callable[[Mapping[str, str], int], Awaitable[LogPage]]


async def walk_log(ask: Ask, windows: Iterator[Mapping[str, str]]) -> AsyncGenerator[LogPage, None]:
    """The pages of each window in turn.

    Args:
        ask: gets a window and an offset in it, and brings the page; its errors end the walk.
        windows: see `windows_since`.
    """
    for window in windows:
        offset, has_more = 0, True
        while has_more:
            page = await ask(window, offset)
            yield page
            # New lines push older ones to later pages meanwhile: seen twice perhaps, but never missed.
            offset += len(page.entries)
            has_more = page.has_more and bool(page.entries)


def note_lines(page: LogPage, wanted: Container[str], found: dict[str, LogEntry]) -> None:
    """Note the lines of wanted submits by their client request id.

    Where a submit has more lines than one, what was made counts, not what failed beside it.
    """
    for entry in page.entries:
        key = entry.client_request_id
        if key in wanted:
            found[key] = max(found.get(key, entry), entry, key=_tells)


def _tells(entry: LogEntry) -> int:
    """How much a line tells: that a clip was made, that something was billed, or that it failed."""
    return 2 if entry.inference_id else 0 if entry.failed else 1


def windows_since(first_at: float, now: float) -> Iterator[Mapping[str, str]]:
    """What to ask the log for to see all since a time, the latest first.

    Args:
        first_at, now: Unix time in seconds.
    """
    if now - first_at < PERIOD_REACH.total_seconds():
        yield {"period": "24h"}
        return
    since = datetime.fromtimestamp(first_at, UTC) - CLOCKS_APART
    end = datetime.fromtimestamp(now, UTC) + CLOCKS_APART
    while end > since:
        start = max(since, end - SPAN)
        yield {"start": _iso(start), "end": _iso(end)}
        end = start


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
