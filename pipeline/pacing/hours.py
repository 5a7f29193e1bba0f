"""Operating hours: wall times such as 06:00 as the moments they next stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

__all__ = ["Hours", "hours_from", "next_at", "parse_time"]

_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\Z")


def parse_time(text: str) -> time:
    """The wall time that ``HH:MM`` (24 hours; 24:00 is midnight) stands for.

    Raises:
        ValueError: it is none.
    """
    match = _TIME.match(text.strip())
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise ValueError(f"{text!r} isn't a time of day such as 06:00 or 22:30")
    return time(int(match[1]) % 24, int(match[2]))


def next_at(wall: time, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The next moment, after ``now``, at which clocks show ``wall``.

    A time that clocks skip in spring is the moment that they skip it; one that they show twice in autumn is the first
    of both, and the second where the first is past.

    Args:
        wall: a time without a zone.
        now: an aware moment.
        zone: whose clocks; None for those of this machine.
    """
    today = now.astimezone(zone).date()
    moments = [
        _moment(datetime.combine(today + timedelta(days=days), wall, tzinfo=zone), fold)
        for days in (-1, 0, 1, 2)
        for fold in (0, 1)
    ]
    return min(moment for moment in moments if moment > now).astimezone(zone)


@dataclass(frozen=True, slots=True)
class Hours:
    """The moments between which a run may submit; None: from now on, and without an end."""

    start: datetime | None = None
    end: datetime | None = None


def hours_from(
    now: datetime, start_at: time | None = None, until: time | None = None, zone: tzinfo | None = None
) -> Hours:
    """The hours of a run that is started ``now``.

    Between both times it begins at once: a run from 22:00 until 06:00 that is started at 23:00 is not late by a day.
    """
    start = next_at(start_at, now, zone) if start_at else None
    end = next_at(until, now, zone) if until else None
    if start and end and end <= start:
        start = None
    elif start and until:
        end = next_at(until, start, zone)
    return Hours(start, end)


def _moment(local: datetime, fold: int) -> datetime:
    moment = local.replace(fold=fold).astimezone(UTC)
    back = moment.astimezone(local.tzinfo)
    if back.replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return moment
    # Skipped: by PEP 495 the two folds lie around the gap, by its length. It begins where the earlier offset ends.
    other = local.replace(fold=1 - fold).astimezone(UTC)
    return _first_of_gap(min(moment, other), max(moment, other), local)


def _first_of_gap(low: datetime, high: datetime, local: datetime) -> datetime:
    """The moment within so that clocks jump: before it they show less than ``local``, from then on more."""
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        shown = middle.astimezone(local.tzinfo).replace(tzinfo=None)
        if shown < local.replace(tzinfo=None):
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
