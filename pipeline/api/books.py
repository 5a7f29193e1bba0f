"""The provider's books: the usage log, the ledger of charges, and the balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.api.pieces import CREDITS_PER_USD, answer_to_question, excerpt, number_of, text_of
from pipeline.errors import ServerTrouble

__all__ = ["Charge", "ChargePage", "LogEntry", "LogPage", "decipher_balance", "decipher_charges", "decipher_log_page"]

LOGS_PATH = "/v2/logs"
BILLING_PATH = "/v2/billing"
TRANSACTIONS_PATH = "/v2/billing/transactions"


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


def decipher_log_page(status: int, headers: Mapping[str, str], body: bytes) -> LogPage:
    """A page of the usage log.

    Raises:
        ServerTrouble, Throttled, KeyRefused, OutOfCredits: see the tree in `pipeline.errors`.
    """
    answer = answer_to_question(status, headers, body)
    data, pagination = answer.get("data"), answer.get("pagination")
    if not isinstance(data, list):
        raise ServerTrouble(f"the usage log has no list: {excerpt(body)}")
    entries = tuple(
        LogEntry(
            client_request_id=text_of(line, "client_request_id"),
            inference_id=text_of(line, "inference_id"),
            failed=text_of(line, "status").lower() == "failed",
            cost_usd=number_of(line.get("cost"), "usd"),
            created=text_of(line, "created"),
        )
        for line in data
        if isinstance(line, Mapping)
    )
    return LogPage(entries, isinstance(pagination, Mapping) and pagination.get("has_more") is True)


def decipher_charges(status: int, headers: Mapping[str, str], body: bytes) -> ChargePage:
    """A page of the ledger. Its shape is the least documented of all, so several are understood.

    Raises:
        ServerTrouble, Throttled, KeyRefused, OutOfCredits: see the tree in `pipeline.errors`.
    """
    answer = answer_to_question(status, headers, body)
    data = next(
        (answer[name] for name in ("data", "transactions", "items") if isinstance(answer.get(name), list)), None
    )
    if data is None:
        raise ServerTrouble(f"the ledger has no list: {excerpt(body)}")
    charges = tuple(
        Charge(text_of(line, "reference_id"), taken_usd, text_of(line, "created") or text_of(line, "created_at"))
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
    return number_of(answer_to_question(status, headers, body), "current_balance")
