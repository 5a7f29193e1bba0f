"""The page: templates, words for numbers, and the pieces that a live page is sent."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.clip import Status
from pipeline.report.cards import Card
from pipeline.report.night import Night

if TYPE_CHECKING:
    import jinja2

__all__ = ["Verdict", "card_html", "page_html", "piece_html", "took", "verdict_of"]

_STATES = (
    Status.DONE, Status.DOWNLOADING, Status.RENDERING, Status.SUBMITTING, Status.PENDING, Status.UNCONFIRMED, Status.FAILED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """The night in a sentence; ``tone`` is good, bad, warn or live; ``short`` is for the window's title."""

    tone: str
    headline: str
    short: str


def verdict_of(night: Night) -> Verdict:
    """What people want to know first."""
    rows, total = night.overview.rows, night.overview.total
    done, failed, unconfirmed = rows[Status.DONE], rows[Status.FAILED], rows[Status.UNCONFIRMED]
    left = total - done - failed - unconfirmed
    troubles = [f"{count:,} {words}" for count, words in (
        (failed, "failed"), (unconfirmed, "of unknown fate"), (night.marked, "look wrong" if night.marked > 1 else "looks wrong"),
        (night.noted, "have a note" if night.noted > 1 else "has a note"),
    ) if count]  # fmt: skip
    trouble = f": {', '.join(troubles)}" if troubles else ""
    done_of_all = f"{done:,} of {total:,} clips are done" if total != 1 else f"{done} of 1 clip is done"
    if night.running:
        return Verdict("live", f"{done_of_all} so far{trouble}", f"{done}/{total}")
    if left:
        return Verdict(
            "warn" if not failed else "bad",
            f"{done_of_all}, {left:,} {'is' if left == 1 else 'are'} still to be made{trouble}",
            f"{done}/{total}",
        )
    if done == total:
        what = "The clip is done" if total == 1 else f"All {total:,} clips are done"
        return Verdict("warn" if troubles else "good", ", ".join([what, *troubles]), "done")
    return Verdict("bad", f"{done_of_all}{trouble}", f"{failed + unconfirmed} failed")


def page_html(night: Night, *, live: bool = False, revision: int = 0) -> str:
    """The whole page; a live one knows its revision, so that it can ask for what came since."""
    return _environment().get_template("page.html").render(
        night=night, verdict=verdict_of(night), states=_states(night), live=live, revision=revision, nonce=secrets.token_urlsafe(16),
        css=_text("page.css"), js=_text("page.js"),
    )  # fmt: skip


def piece_html(name: str, night: Night) -> str:
    """One of the pieces above the clips: ``summary``, ``attention`` or ``timeline``."""
    template = _environment().get_template(f"{name}.html")
    return template.render(night=night, verdict=verdict_of(night), states=_states(night))


def card_html(card: Card) -> str:
    """A card alone."""
    return _environment().get_template("card.html").render(card=card)


def _states(night: Night) -> Sequence[tuple[str, int]]:
    return [(str(status), night.overview.rows[status]) for status in _STATES if night.overview.rows[status]]


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - a twentieth of a second that only who makes a page should pay

    # Everything is escaped, whatever the file's name; only the project's own style and script are marked safe.
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"took": took, "usd": _usd, "moment": _moment, "until": _until, "clock": _clock, "seen": _seen}
    return made


def _text(name: str) -> str:
    return files("pipeline.report").joinpath("templates", name).read_text(encoding="utf-8")


# --- words for numbers -------------------------------------------------------------------------------------------


def took(seconds: float) -> str:
    """``4.2 s``, ``45 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 89.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _usd(usd: float) -> str:
    return f"${usd:,.2f}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%a %d %b %Y, %H:%M")


def _until(end: float, start: float) -> str:
    """The end of a stretch: its day only where it is another one."""
    first, last = (datetime.fromtimestamp(at).astimezone() for at in (start, end))
    return last.strftime("%H:%M" if first.date() == last.date() else "%a %d %b, %H:%M")


def _seen(card: Card) -> str:
    """What was measured of a marked clip, in words."""
    facts = card.facts
    known: list[tuple[Any, str]] = [
        (facts.similarity, "voice {:.0%} alike"), (facts.offset_ms, "offset {:+.0f} ms"),
        (facts.missing_s or None, "{:.1f} s missing"), (facts.loudness_db, "loudest moment {:.0f} dB"),
        (facts.black_share or None, "{:.0%} black"), (facts.still_share or None, "{:.0%} still"),
        (facts.mouth, "mouth {:+.2f}"),
    ]  # fmt: skip
    return ", ".join(form.format(value) for value, form in known if value is not None)
