"""What the API says: bodies and headers, built by pure functions. The provider's two error envelopes are both here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

from pipeline.studio.ledger import Entry, usd
from pipeline.studio.queue import Generation

__all__ = [
    "Refusal",
    "Trace",
    "balance_body",
    "cost_headers",
    "legacy_body",
    "problem_body",
    "refusal_answer",
    "retrieve_body",
    "submit_body",
    "timestamp",
    "transactions_body",
    "usage_body",
]

Body = dict[str, Any]


class Refusal(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status.
        message: one line for people.
        envelope: which of the two shapes the provider gives this error.
    """

    def __init__(self, status: int, message: str, envelope: Literal["problem", "legacy"] = "problem") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.envelope = envelope


@dataclass(frozen=True, slots=True)
class Trace:
    """What tells one request from all others: its path, its id, when it came (seconds of the Unix epoch)."""

    path: str
    request_id: str
    at: float


def timestamp(at: float) -> str:
    """Seconds of the Unix epoch as ISO 8601, UTC, in milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- errors ------------------------------------------------------------------------------------------------------


def refusal_answer(refusal: Refusal, trace: Trace) -> tuple[str, Body]:
    """Content type and body of an error."""
    if refusal.envelope == "problem":
        return "application/problem+json", problem_body(refusal, trace)
    return "application/json", legacy_body(refusal, trace)


def problem_body(refusal: Refusal, trace: Trace) -> Body:
    """The newer envelope."""
    status = HTTPStatus(refusal.status)
    return {
        "title": status.phrase,
        "status": refusal.status,
        "message": refusal.message,
        "instance": trace.path,
        "requestId": trace.request_id,
        "timestamp": timestamp(trace.at),
        "error": {"name": "".join(status.phrase.title().split()) + "Exception", "message": refusal.message},
    }


def legacy_body(refusal: Refusal, trace: Trace) -> Body:
    """The older envelope; its status is a string."""
    return {
        "message": refusal.message,
        "path": trace.path,
        "requestId": trace.request_id,
        "statusCode": str(refusal.status),
        "timestamp": timestamp(trace.at),
    }


# --- generations -------------------------------------------------------------------------------------------------


def submit_body(public_id: str, cost: int | None) -> Body:
    """The answer to a submit. The cost in credits is not known yet while a linked voice is still to be fetched."""
    return {"id": public_id, "status": "queued", "meta": _meta(cost)}


def retrieve_body(generation: Generation, url: str | None) -> Body:
    """The answer to a retrieve. ``url`` is a fresh link, for a completed generation whose clip is still kept.

    A clip that is no longer kept is answered as an error: it is final, so that no client asks for links for ever,
    and it says what to do.
    """
    body: Body = {"id": generation.public_id, "status": generation.stage, "video": None, "error": None, "meta": None}
    match generation.stage:
        case "fetching":
            body["status"] = "queued"
        case "completed" if url:
            body["video"] = {"url": url}
            body["meta"] = _meta(generation.credits)
            if generation.notes:
                body["meta"]["notes"] = list(generation.notes)
        case "completed":
            body["status"] = "error"
            body["error"] = {"name": "Expired", "message": "the clip is no longer kept: submit it again"}
            body["meta"] = _meta(generation.credits)
        case "error":
            body["error"] = {"name": generation.error_name, "message": generation.error_message}
            body["meta"] = _meta(0)
    return body


def cost_headers(public_id: str, cost: int | None) -> dict[str, str]:
    """The headers that tell what a generation is and costs, in credits."""
    headers = {"x-inference-id": public_id}
    if cost is not None:
        headers |= {"x-aimlapi-credits-used": str(cost), "x-aimlapi-usd-spent": f"{usd(cost):.6f}"}
    return headers


def _meta(cost: int | None) -> Body | None:
    return None if cost is None else {"usage": {"credits_used": cost}}


# --- money -------------------------------------------------------------------------------------------------------


def usage_body(generations: Sequence[Generation], limit: int, offset: int, total: int) -> Body:
    """One page of the usage log, newest submit first."""
    return {
        "data": [_usage_row(generation) for generation in generations],
        "pagination": {
            "limit": limit,
            "offset": offset,
            "total": total,
            "has_more": offset + len(generations) < total,
        },
    }


def _usage_row(generation: Generation) -> Mapping[str, Any]:
    succeeded = generation.stage == "completed"
    cost = (generation.credits or 0) if succeeded else 0
    return {
        "created": timestamp(generation.created_at),
        "status": "succeeded" if succeeded else "failed",
        "model": generation.model,
        "cost": {"usd": usd(cost), "credits": cost},
        "request_id": generation.request_id,
        "inference_id": generation.public_id,
        "client_request_id": generation.client_request_id,
    }


def balance_body(left: int) -> Body:
    """The account's balance, of credits left."""
    return {"current_balance": usd(left), "currency": "USD"}


def transactions_body(entries: Sequence[Entry], limit: int, has_more: bool) -> Body:
    """One page of the ledger, newest first; ``next_cursor`` goes into the query for the next one.

    A charge has an amount below zero and the id of its generation as ``reference_id``.
    """
    return {
        "data": [
            {
                "id": f"txn_{entry.seq}",
                "type": entry.type,
                "reference_id": entry.reference_id,
                "amount": {"usd": usd(entry.credits), "credits": entry.credits},
                "created": timestamp(entry.created_at),
            }
            for entry in entries
        ],
        "pagination": {
            "limit": limit,
            "has_more": has_more,
            "next_cursor": str(entries[-1].seq) if has_more else None,
        },
    }
