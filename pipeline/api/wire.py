"""What the API's answers mean: pure functions from status, headers and body to a noun or an error with a remedy.

Every answer may be one of two JSON envelopes, a proxy's HTML page, or broken. What it says is foreign text: it is
never shown, logged or kept but through ``one_line``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import msgspec

from pipeline.errors import (
    GenerationUnknown,
    KeyRefused,
    OutOfCredits,
    RowRefused,
    ServerTrouble,
    Throttled,
    UnknownFate,
    one_line,
)

__all__ = [
    "CREDITS_PER_USD",
    "GENERATIONS_PATH",
    "Accepted",
    "Charge",
    "ChargePage",
    "Generation",
    "LogEntry",
    "LogPage",
    "client_request_id_prefix",
    "decipher_balance",
    "decipher_charges",
    "decipher_log_page",
    "decipher_retrieve",
    "decipher_submit",
    "generation_ids_to_try",
    "new_client_request_id",
]

GENERATIONS_PATH = "/v2/video/generations"
LOGS_PATH = "/v2/logs"
BILLING_PATH = "/v2/billing"
TRANSACTIONS_PATH = "/v2/billing/transactions"
CREDITS_PER_USD = 2_000_000
MOST_NOTES, MOST_NOTE_CHARS = 8, 200
LONGEST_WAIT_S = 86_400.0

KNOWN_UNFINISHED = frozenset({"queued", "generating", "waiting", "active"})
_ID = re.compile(r"[\x21-\x7e]{1,512}")
_URL = re.compile(r"[\x21-\x7e]{1,8000}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submit was taken: the generation's id, what it will cost where the API says so, the server's request id."""

    generation_id: str
    cost_usd: float | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation as retrieve tells it.

    Attributes:
        status: the API's word, in lower case.
        state: ``rendering``, ``completed`` or ``error``; a word that nobody knows means rendering.
        url: the clip's link, where it is completed and there is one.
        error: the API's words, where it failed.
        notes: what the renderer says of the clip, one clean line each.
    """

    status: str
    state: str
    url: str | None = None
    cost_usd: float | None = None
    error: str | None = None
    request_id: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def word_is_known(self) -> bool:
        """Whether the status is one that the documentation or experience knows."""
        return self.state != "rendering" or self.status in KNOWN_UNFINISHED


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the usage log. ``failed`` says that it was not billed; ``created`` is the API's text."""

    client_request_id: str
    inference_id: str
    failed: bool
    cost_usd: float | None
    created: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of the usage log, newest first, and whether older lines follow."""

    entries: tuple[LogEntry, ...]
    has_more: bool


def new_client_request_id(tag: str) -> str:
    """A correlation id of the form that the API keeps: 1 to 128 characters of ``A-Z a-z 0-9 . _ : -``."""
    return f"{client_request_id_prefix(tag)}{uuid4().hex}"


def client_request_id_prefix(tag: str) -> str:
    """What all correlation ids of the job with this tag begin with."""
    return f"avatar-batch:{tag}:"


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the ledger. ``usd`` is what was taken, below zero for what was given back or topped up."""

    reference_id: str
    usd: float
    created: str


@dataclass(frozen=True, slots=True)
class ChargePage:
    """A page of the ledger, newest first; ``cursor`` leads to the next, empty at the end."""

    charges: tuple[Charge, ...]
    cursor: str


# --- answers -----------------------------------------------------------------------------------------------------


def decipher_submit(status: int, headers: Mapping[str, str], body: bytes) -> Accepted:
    """The answer to a submit.

    Raises:
        UnknownFate: the generation may have been made: 502, 504 and their like, or an answer that can't be read.
        Throttled, ServerTrouble, RowRefused, KeyRefused, OutOfCredits: see the table of remedies.
    """
    request_id = headers.get("x-request-id")
    if 200 <= status < 300:
        answer = _object(body)
        generation_id = _text(answer, "id") or _text(answer, "generation_id") or headers.get("x-inference-id", "")
        if not _ID.fullmatch(generation_id):
            raise UnknownFate(
                f"the answer to the submit ({status}) holds no id: {_excerpt(body)}", request_id=request_id
            )
        cost = _cost_usd(answer)
        return Accepted(generation_id, _header_cost_usd(headers) if cost is None else cost, request_id)
    message = _message(status, body)
    if status in {500, 503} or 300 <= status < 400 or status == 404:
        # A redirect or a missing path can't have made anything, nor will another row fare better.
        raise ServerTrouble(f"the API answered {status}: {message}", request_id=request_id)
    if status >= 500 or status == 408:
        raise UnknownFate(f"the API answered {status}: {message}", request_id=request_id)
    _raise_for_client_error(status, headers, message)
    raise RowRefused(message, request_id=request_id)


def decipher_retrieve(status: int, headers: Mapping[str, str], body: bytes) -> Generation:
    """The answer to a retrieve.

    Raises:
        GenerationUnknown: 404.
        ServerTrouble: ask again later.
        Throttled, KeyRefused, OutOfCredits: see the table of remedies.
    """
    request_id = headers.get("x-request-id")
    if status == 404:
        raise GenerationUnknown(_message(status, body), request_id=request_id)
    answer = _answer_to_question(status, headers, body)
    word = _text(answer, "status").lower()
    if not word:
        raise ServerTrouble(f"the answer names no status: {_excerpt(body)}", request_id=request_id)
    if word in {"error", "failed"}:
        error = answer.get("error")
        words = _envelope_message({"error": error})
        return Generation(word, "error", error=one_line(words or "the API gave no reason"), request_id=request_id)
    if word in {"completed", "succeeded"}:
        video = answer.get("video")
        url = _text(video, "url") if isinstance(video, Mapping) else ""
        # A link is printable ASCII; anything else is none, and is not kept.
        return Generation(
            word, "completed", url if _URL.fullmatch(url) else None, _cost_usd(answer), request_id=request_id,
            notes=_notes(answer),
        )  # fmt: skip
    return Generation(one_line(word, 40), "rendering", request_id=request_id)


def decipher_log_page(status: int, headers: Mapping[str, str], body: bytes) -> LogPage:
    """A page of the usage log.

    Raises:
        ServerTrouble, Throttled, KeyRefused, OutOfCredits: see the table of remedies.
    """
    answer = _answer_to_question(status, headers, body)
    data, pagination = answer.get("data"), answer.get("pagination")
    if not isinstance(data, list):
        raise ServerTrouble(f"the usage log has no list: {_excerpt(body)}")
    entries = tuple(
        LogEntry(
            client_request_id=_text(line, "client_request_id"),
            inference_id=_text(line, "inference_id"),
            failed=_text(line, "status").lower() == "failed",
            cost_usd=_number(line.get("cost"), "usd"),
            created=_text(line, "created"),
        )
        for line in data
        if isinstance(line, Mapping)
    )
    return LogPage(entries, isinstance(pagination, Mapping) and pagination.get("has_more") is True)


def decipher_charges(status: int, headers: Mapping[str, str], body: bytes) -> ChargePage:
    """A page of the ledger. Its shape is the least documented of all, so several are understood.

    Raises:
        ServerTrouble, Throttled, KeyRefused, OutOfCredits: see the table of remedies.
    """
    answer = _answer_to_question(status, headers, body)
    data = next(
        (answer[name] for name in ("data", "transactions", "items") if isinstance(answer.get(name), list)), None
    )
    if data is None:
        raise ServerTrouble(f"the ledger has no list: {_excerpt(body)}")
    charges = tuple(
        Charge(_text(line, "reference_id"), taken_usd, _text(line, "created") or _text(line, "created_at"))
        for line in data
        if isinstance(line, Mapping) and (taken_usd := _taken_usd(line)) is not None
    )
    pagination = answer.get("pagination")
    paging = pagination if isinstance(pagination, Mapping) else answer
    cursor = paging.get("next_cursor") or paging.get("cursor") or ""
    return ChargePage(charges, str(cursor) if paging.get("has_more", bool(cursor)) else "")


def _taken_usd(line: Mapping[str, Any]) -> float | None:
    """The amount that a line took: what is below zero in the account's view, whatever form the amount has."""
    for name in ("amount", "cost"):
        value = line.get(name)
        if isinstance(value, Mapping):
            usd, credits_used = _amount(value.get("usd")), _amount(value.get("credits"))
            value = usd if usd is not None else credits_used / CREDITS_PER_USD if credits_used is not None else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return abs(value) if name == "cost" else -value
    return None


def _amount(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def decipher_balance(status: int, headers: Mapping[str, str], body: bytes) -> float | None:
    """The account's balance in USD; None if the answer tells none."""
    return _number(_answer_to_question(status, headers, body), "current_balance")


def generation_ids_to_try(inference_id: str, model: str) -> tuple[str, ...]:
    """The usage log's ``inference_id`` as retrieve may know it: as it stands, then with or without its suffix."""
    suffix = f":{model}"
    bare = inference_id.removesuffix(suffix)
    return tuple(dict.fromkeys((inference_id, bare + suffix, bare)))


# --- pieces ------------------------------------------------------------------------------------------------------


def _answer_to_question(status: int, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """A 2xx answer to a request that changes nothing; whatever is wrong with it, it can be asked again."""
    request_id = headers.get("x-request-id")
    if 200 <= status < 300:
        answer = _object(body)
        if not answer:
            raise ServerTrouble(f"the answer can't be read: {_excerpt(body)}", request_id=request_id)
        return answer
    message = _message(status, body)
    if 400 <= status < 500:
        _raise_for_client_error(status, headers, message)
    raise ServerTrouble(f"the API answered {status}: {message}", request_id=request_id)


def _raise_for_client_error(status: int, headers: Mapping[str, str], message: str) -> None:
    if status == 401:
        raise KeyRefused(f"the API refused the key ({message}): set a valid key in AIMLAPI_API_KEY, then run again")
    if status in {402, 403}:
        raise OutOfCredits(f"the API refused to spend more ({message}): top up or raise the key's cap, then run again")
    if status in {425, 429}:
        raise Throttled(message, request_id=headers.get("x-request-id"), retry_after_s=_retry_after_s(headers))


def _object(body: bytes) -> Mapping[str, Any]:
    # Half a surrogate pair is no text, but must not hide what else an answer says, such as a paid clip's link.
    for text in (body, _SURROGATE.sub(rb"\\ufffd", body)):
        try:
            answer = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        return answer if isinstance(answer, dict) else {}
    return {}


def _message(status: int, body: bytes) -> str:
    """What an error answer says, whatever its envelope."""
    answer = _object(body)
    return one_line(_envelope_message(answer) or _excerpt(body) or f"HTTP {status}")


def _envelope_message(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    inner = error if isinstance(error, Mapping) else {}
    name = _text(inner, "name")
    words = _text(inner, "message") or _text(answer, "message") or _text(answer, "title")
    if not words and isinstance(answer.get("message"), list):
        words = "; ".join(map(str, answer["message"]))
    if not words and isinstance(error, str):
        words = error
    return f"{name}: {words}" if name and words and name.lower() not in words.lower() else words or name


def _excerpt(body: bytes) -> str:
    text = body[:4096].decode("utf-8", "replace")
    title = _TITLE.search(text)
    if title:
        return one_line(title.group(1), 120)
    return one_line(re.sub(r"<[^>]*>", " ", text), 120)


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _number(answer: object, name: str) -> float | None:
    value = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return float(value)


def _cost_usd(answer: Mapping[str, Any]) -> float | None:
    meta = answer.get("meta")
    usage = meta.get("usage") if isinstance(meta, Mapping) else None
    credits_used = _number(usage, "credits_used")
    if credits_used is None:
        credits_used = _number(usage, "tokens_used")
    return None if credits_used is None else credits_used / CREDITS_PER_USD


def _notes(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Nothing documents notes but the studio, so whatever is no short list of lines is cut down to one."""
    meta = answer.get("meta")
    said = meta.get("notes") if isinstance(meta, Mapping) else None
    if not isinstance(said, list):
        return ()
    lines = (one_line(note, MOST_NOTE_CHARS) for note in said[:MOST_NOTES] if isinstance(note, str))
    return tuple(dict.fromkeys(line for line in lines if line))


def _header_cost_usd(headers: Mapping[str, str]) -> float | None:
    for name, divisor in (("x-aimlapi-usd-spent", 1), ("x-aimlapi-credits-used", CREDITS_PER_USD)):
        try:
            value = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        if 0 <= value < 1e12:
            return value
    return None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What the server asks to wait: seconds, or until a date; more than a day is none of its business."""
    until = _date(headers.get("retry-after", ""))
    if until is not None:
        # By the server's own clock where it tells that: this machine's may be wrong.
        now = _date(headers.get("date", "")) or datetime.now(UTC)
        seconds = max(0.0, (until - now).total_seconds())
        return seconds if seconds <= LONGEST_WAIT_S else None
    for name in ("retry-after", "ratelimit-reset", "x-ratelimit-reset"):
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
