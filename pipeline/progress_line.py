"""One line that says how a run stands, in as many columns as there are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.clip import Status

__all__ = ["Standing", "duration", "line"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known at a moment; None for what can't be said (yet)."""

    counts: dict[Status, int]
    done_s: float
    voice_s: float
    spent_usd: float
    estimated_usd: float
    in_flight: int
    limit: int
    polls_per_s: float
    bytes_per_s: float
    left_s: float | None
    stopping: bool = False
    looking: bool = False
    trouble: str = ""

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.counts.values())


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``12 min``, ``1 h 05 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def line(now: Standing, columns: int, separator: str = " · ") -> str:
    """The parts that fit, in their order; what matters least is left out first."""
    chosen: dict[int, str] = {}
    for place, text in _by_weight(now):
        longer = chosen | {place: text}
        # Once a part does not fit no lesser one is squeezed in, so that the line keeps its shape from moment to moment.
        if chosen and sum(map(len, longer.values())) + len(separator) * (len(longer) - 1) > columns:
            break
        chosen = longer
    return separator.join(chosen[place] for place in sorted(chosen))


def _by_weight(now: Standing) -> list[tuple[int, str]]:
    """(place in the line, text), what matters most first."""
    counts = now.counts
    parts = [(0, f"{counts[Status.DONE]:,} of {now.total:,} done")]
    if now.trouble:
        parts.append((10, now.trouble))
    if now.looking:
        parts.append((10, "looking at the last clips"))
    if counts[Status.FAILED]:
        parts.append((3, f"{counts[Status.FAILED]:,} failed"))
    if counts[Status.UNCONFIRMED]:
        parts.append((4, f"{counts[Status.UNCONFIRMED]:,} unconfirmed"))
    if now.left_s is not None:
        parts.append((9, f"{duration(now.left_s)} left"))
    if now.estimated_usd:
        parts.append((2, f"${now.spent_usd:,.2f} of ${now.estimated_usd:,.2f}"))
    # Beyond the limit are submits of unknown fate, and what was under way when the limit was found.
    limit = f" of {now.limit:,}" if now.in_flight <= now.limit < 10_000 else ""
    parts.append(
        (5, f"{now.in_flight:,}{limit} in flight" if not now.stopping else f"{now.in_flight:,} in flight, none added")
    )
    if now.voice_s:
        parts.append((1, f"{now.done_s / 60:,.1f} of {now.voice_s / 60:,.1f} min"))
    if counts[Status.DOWNLOADING]:
        parts.append((6, f"{counts[Status.DOWNLOADING]:,} downloading"))
    if now.bytes_per_s >= 50_000:
        parts.append((8, f"{now.bytes_per_s / 1e6:.1f} MB/s"))
    if now.polls_per_s >= 0.05:
        parts.append((7, f"{now.polls_per_s:.1f} polls/s"))
    return parts
