"""Query parameters of the usage log and the ledger, read and bounded. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pipeline.studio.answers import Refusal

__all__ = ["number", "window"]

_PERIOD = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhdw])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = timedelta(days=92)
_DEFAULT = timedelta(days=1)


def number(query: Mapping[str, str], field: str, default: int, least: int, most: int) -> int:
    """A whole number of the query.

    Raises:
        Refusal: 400, it isn't one, or is out of bounds.
    """
    text = query.get(field)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise Refusal(400, f"{field}: Expected number, received string")
    if not least <= int(text) <= most:
        raise Refusal(400, f"{field}: Expected a number from {least} to {most}, received {int(text)}")
    return int(text)


def window(query: Mapping[str, str], now: float) -> tuple[float, float]:
    """The window of time that a query asks for, as seconds of the Unix epoch: [start, end).

    ``period`` (24h, 7d, …) reaches back from now; else ``start`` and ``end`` are ISO 8601, UTC where no offset is
    given; the last 24 hours without any.

    Raises:
        Refusal: 400, it can't be read, is empty, or is longer than 92 days.
    """
    if (period := query.get("period")) is not None:
        match = _PERIOD.fullmatch(period)
        if not match:
            raise Refusal(400, "period: Expected a number and m, h, d or w, received another string")
        length = int(match["count"]) * _UNITS[match["unit"]]
        _check(length)
        # What is submitted in this very second belongs to the window too.
        return now - length.total_seconds(), now + 1
    end = _moment("end", query["end"]) if "end" in query else now + 1
    start = _moment("start", query["start"]) if "start" in query else end - _DEFAULT.total_seconds()
    _check(timedelta(seconds=end - start - (0 if "end" in query else 1)))
    return start, end


def _moment(field: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Refusal(400, f"{field}: Expected an ISO 8601 date, received another string") from None


def _check(length: timedelta) -> None:
    if not timedelta() < length <= _LONGEST:
        days = length / timedelta(days=1)
        raise Refusal(
            400, f"Expected a window of more than 0 and at most {_LONGEST.days} days, received {days:.2f} days"
        )
