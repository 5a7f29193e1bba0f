"""The night as a drawing: what was in flight, what ended, what was refused, what it cost. Pure: numbers in, numbers out.

Hours in which nothing happened (the days between two runs) are taken out of the time axis.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from pipeline.state.views import Span

__all__ = ["Dot", "Timeline", "draw"]

WIDTH, HEIGHT = 1000, 184
LEFT, RIGHT, TOP, BOTTOM = 32, 936, 10, 130
BINS = 226
IDLE_S = 1800.0
"""Nothing in flight for longer than this is taken out of the axis."""

GAP_PX = 14
_STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Dot:
    """A bar below the curve: where, and how strong (0 to 1)."""

    x: float
    strength: float
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the template draws; paths are SVG path data made of numbers only."""

    flight: str
    spend: str
    most_in_flight: int
    spent_usd: float
    finishes: Sequence[Dot]
    failures: Sequence[Dot]
    refusals: Sequence[Dot]
    hours: Sequence[tuple[float, str]]
    breaks: Sequence[float]
    refused: int
    width: int = WIDTH
    height: int = HEIGHT


class _Axis:
    """Seconds to pixels, without the idle stretches."""

    def __init__(self, busy: Sequence[tuple[float, float]]) -> None:
        self._starts = [start for start, _ in busy]
        self._busy = busy
        total = sum(end - start for start, end in busy) or 1.0
        self.per_s = (RIGHT - LEFT - GAP_PX * (len(busy) - 1)) / total
        lengths = [0.0, *accumulate((end - start) * self.per_s + GAP_PX for start, end in busy)]
        self._offsets = [LEFT + length for length in lengths]

    def x(self, at: float) -> float:
        """Where a moment is; one within an idle stretch is at its edge."""
        number = max(0, bisect.bisect_right(self._starts, at) - 1)
        start, end = self._busy[number]
        return round(self._offsets[number] + (min(max(at, start), end) - start) * self.per_s, 1)

    def breaks(self) -> list[float]:
        """Where idle stretches were taken out."""
        return [round(offset - GAP_PX / 2, 1) for offset in self._offsets[1:-1]]

    def hours(self) -> list[tuple[float, str]]:
        """Round times of day with room between their labels."""
        total_s = sum(end - start for start, end in self._busy)
        step = next((step for step in _STEPS_S if total_s / step <= 9), _STEPS_S[-1])
        form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b"
        labels: list[tuple[float, str]] = []
        for start, end in self._busy:
            offset = datetime.fromtimestamp(start).astimezone().utcoffset()
            shift = offset.total_seconds() if offset else 0.0
            at = -(-(start + shift) // step) * step - shift
            while at <= end:
                x = self.x(at)
                if not labels or x - labels[-1][0] > 60:
                    labels.append((x, datetime.fromtimestamp(at).astimezone().strftime(form)))
                at += step
        return labels


def draw(
    spans: Sequence[Span],
    finished: Sequence[float],
    failed: Sequence[float],
    refusals: Sequence[float],
    now: float,
) -> Timeline | None:
    """The drawing; None before the first submit.

    Args:
        spans: all submits.
        finished, failed, refusals: when rows were done, failed, were refused.
        now: where what is still in flight ends for the time being; the last that is known, if no run is at work.
    """
    flights = [
        (span.submitted_at, now if span.ended_at is None else max(span.ended_at, span.submitted_at + 0.001))
        for span in spans
    ]
    moments = [*finished, *failed]
    if not flights:
        return None
    axis = _Axis(_busy([*flights, *((at, at) for at in moments)]))
    steps = sorted([(start, 1) for start, _ in flights] + [(end, -1) for _, end in flights])
    levels = list(accumulate(change for _, change in steps))
    most = max(levels)
    bins = [0] * (BINS + 1)
    level, number = 0, 0
    places = [(axis.x(at), height) for (at, _), height in zip(steps, levels, strict=True)]
    for index in range(BINS + 1):
        edge = LEFT + (RIGHT - LEFT) * (index + 1) / BINS
        bins[index] = level
        while number < len(places) and places[number][0] < edge:
            level = places[number][1]
            bins[index] = max(bins[index], level)
            number += 1
    spent = _spend(axis, spans)
    return Timeline(
        flight=_area(bins, most),
        spend=_line(spent),
        most_in_flight=most,
        spent_usd=spent[-1][1],
        finishes=_dots(axis, finished),
        failures=_dots(axis, failed),
        refusals=_dots(axis, refusals),
        hours=axis.hours(),
        breaks=axis.breaks(),
        refused=len(refusals),
    )


def _busy(stretches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if merged and start - merged[-1][1] <= IDLE_S:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    # A stretch of no length would have no width.
    return [(start, max(end, start + 1.0)) for start, end in merged[-40:]]


def _area(bins: Sequence[int], most: int) -> str:
    width = (RIGHT - LEFT) / BINS
    parts = [f"M{LEFT} {BOTTOM}"]
    for index, level in enumerate(bins[:-1]):
        y = round(BOTTOM - (BOTTOM - TOP) * level / max(1, most), 1)
        parts.append(f"L{LEFT + index * width:.1f} {y}L{LEFT + (index + 1) * width:.1f} {y}")
    return "".join([*parts, f"L{RIGHT} {BOTTOM}Z"])


def _spend(axis: _Axis, spans: Sequence[Span]) -> list[tuple[float, float]]:
    paid = sorted((span.ended_at, span.spent_usd) for span in spans if span.ended_at is not None and span.spent_usd)
    points: list[tuple[float, float]] = [(float(LEFT), 0.0)]
    total = 0.0
    for at, usd in paid:
        total += usd
        x = axis.x(at)
        if x - points[-1][0] < 1 and len(points) > 1:
            points[-1] = (points[-1][0], total)
        else:
            points.append((x, total))
    return [*points, (float(RIGHT), total)]


def _line(points: Sequence[tuple[float, float]]) -> str:
    most = points[-1][1] or 1.0
    y = [round(BOTTOM - (BOTTOM - TOP) * usd / most, 1) for _, usd in points]
    parts = [f"M{points[0][0]} {y[0]}"]
    parts += [f"H{x}V{level}" for (x, _), level in zip(points[1:], y[1:], strict=True)]
    return "".join(parts)


def _dots(axis: _Axis, moments: Sequence[float]) -> list[Dot]:
    counts: dict[float, int] = {}
    for at in moments:
        x = round((axis.x(at) - LEFT) / 4) * 4 + LEFT
        counts[x] = counts.get(x, 0) + 1
    most = max(counts.values(), default=1)
    return [Dot(x, round(0.35 + 0.65 * count / most, 2), count) for x, count in sorted(counts.items())]
