"""Pieces of the API's answers: envelopes, words, numbers, headers.

Every answer may be one of two JSON envelopes, a proxy's HTML page, or broken. What it says is foreign text: it is
never shown, logged or kept but through ``one_line``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from pipeline.errors import KeyRefused, OutOfCredits, ServerTrouble, Throttled, one_line

__all__ = [
    "CREDITS_PER_USD",
    "answer_to_question",
    "cost_usd_of",
    "envelope_message",
    "excerpt",
    "header_cost_usd",
    "message_of",
    "notes_of",
    "number_of",
    "object_of",
    "raise_for_client_error",
    "retry_after_s",
    "server_trouble",
    "text_of",
]

CREDITS_PER_USD = 2_000_000
MOST_NOTES, MOST_NOTE_CHARS = 8, 200
LONGEST_WAIT_S = 86_400.0
# Only a 429 means the limits that the latter two tell of; some servers send them with every answer.
_RESETS = ("retry-after", "ratelimit-reset", "x-ratelimit-reset")

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def answer_to_question(status: int, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """A 2xx answer to a request that changes nothing; whatever is wrong with it, it can be asked again.

    Raises:
        ServerTrouble, Throttled, KeyRefused, OutOfCredits: it is none.
    """
    if 200 <= status < 300:
        answer = object_of(body)
        if not answer:
            words = f"the answer can't be read: {excerpt(body)}"
            raise ServerTrouble(words, request_id=headers.get("x-request-id"), status=status)
        return answer
    message = message_of(status, body)
    if 400 <= status < 500:
        raise_for_client_error(status, headers, message)
    raise server_trouble(status, headers, message)


def raise_for_client_error(status: int, headers: Mapping[str, str], message: str) -> None:
    """Raise what a 4xx means whatever was asked, if it has such a meaning.

    Raises:
        KeyRefused: 401. OutOfCredits: 402, 403. Throttled: 425, 429.
    """
    if status == 401:
        raise KeyRefused(f"the API refused the key ({message}): set a valid key in AIMLAPI_API_KEY, then run again")
    if status in {402, 403}:
        raise OutOfCredits(f"the API refused to spend more ({message}): top up or raise the key's cap, then run again")
    if status in {425, 429}:
        raise Throttled(message, request_id=headers.get("x-request-id"), retry_after_s=retry_after_s(headers, _RESETS))


def server_trouble(status: int, headers: Mapping[str, str], message: str) -> ServerTrouble:
    """What an answer means after which the request may be sent again."""
    return ServerTrouble(
        f"the API answered {status}: {message}",
        request_id=headers.get("x-request-id"),
        retry_after_s=retry_after_s(headers),
        status=status,
    )


def object_of(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; an empty one where there is none."""
    # Half a surrogate pair is no text, but must not hide what else an answer says, such as a paid clip's link.
    for text in (body, _SURROGATE.sub(rb"\\ufffd", body)):
        try:
            answer = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        return answer if isinstance(answer, dict) else {}
    return {}


def message_of(status: int, body: bytes) -> str:
    """What an error answer says, whatever its envelope."""
    answer = object_of(body)
    return one_line(envelope_message(answer) or excerpt(body) or f"HTTP {status}")


def envelope_message(answer: Mapping[str, Any]) -> str:
    """What an envelope says went wrong; empty if it says nothing."""
    error = answer.get("error")
    inner = error if isinstance(error, Mapping) else {}
    name = text_of(inner, "name")
    words = text_of(inner, "message") or text_of(answer, "message") or text_of(answer, "title")
    if not words and isinstance(answer.get("message"), list):
        words = "; ".join(map(str, answer["message"]))
    if not words and isinstance(error, str):
        words = error
    return f"{name}: {words}" if name and words and name.lower() not in words.lower() else words or name


def excerpt(body: bytes) -> str:
    """The beginning of a body that is no envelope, such as a proxy's page."""
    text = body[:4096].decode("utf-8", "replace")
    title = _TITLE.search(text)
    if title:
        return one_line(title.group(1), 120)
    return one_line(re.sub(r"<[^>]*>", " ", text), 120)


def text_of(answer: Mapping[str, Any], name: str) -> str:
    """A field's text; empty where it is none."""
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def number_of(answer: object, name: str) -> float | None:
    """A field's number, not below zero; None where it is none."""
    value = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return float(value)


def cost_usd_of(answer: Mapping[str, Any]) -> float | None:
    """What an answer says was spent, in USD."""
    meta = answer.get("meta")
    usage = meta.get("usage") if isinstance(meta, Mapping) else None
    credits_used = number_of(usage, "credits_used")
    if credits_used is None:
        credits_used = number_of(usage, "tokens_used")
    return None if credits_used is None else credits_used / CREDITS_PER_USD


def notes_of(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Nothing documents notes but the studio, so whatever is no short list of lines is cut down to one."""
    meta = answer.get("meta")
    said = meta.get("notes") if isinstance(meta, Mapping) else None
    if not isinstance(said, list):
        return ()
    lines = (one_line(note, MOST_NOTE_CHARS) for note in said[:MOST_NOTES] if isinstance(note, str))
    return tuple(dict.fromkeys(line for line in lines if line))


def header_cost_usd(headers: Mapping[str, str]) -> float | None:
    """What an answer's headers say was spent, in USD."""
    for name, divisor in (("x-aimlapi-usd-spent", 1), ("x-aimlapi-credits-used", CREDITS_PER_USD)):
        try:
            value = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        if 0 <= value < 1e12:
            return value
    return None


def retry_after_s(headers: Mapping[str, str], names: Sequence[str] = ("retry-after",)) -> float | None:
    """What the server asks to wait: seconds, or until a date; more than a day is none of its business.

    Args:
        names: the headers that may tell, the first of them first.
    """
    until = _date(headers.get("retry-after", ""))
    if until is not None:
        # By the server's own clock where it tells that: this machine's may be wrong.
        now = _date(headers.get("date", "")) or datetime.now(UTC)
        seconds = max(0.0, (until - now).total_seconds())
        return seconds if seconds <= LONGEST_WAIT_S else None
    for name in names:
        try:
            seconds = float(headers[name])
        except (KeyError, ValueError):
            continue
        if 0 <= seconds <= LONGEST_WAIT_S:
            return seconds
    return None


def _date(text: str) -> datetime | None:
    """An HTTP date (RFC 9110), or None."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
