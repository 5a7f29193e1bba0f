"""What answers look like: JSON bodies, response headers, and the three envelopes of errors."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .plan import Envelope, Plan

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
MESSAGES = {
    401: "You passed an invalid API key. Create a new key or pass an existing one to continue.",
    403: "You've run out of credits. Please top up your balance or update your payment method to continue.",
    404: "Video generation is not found",
    429: "Too many requests. Please slow down and try again later.",
    500: "Internal server error",
    503: "The server is currently unable to handle the request. Please try again later.",
}


@dataclass(slots=True)
class Reply:
    """An answer before it goes out."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, message: str = "", envelope: Envelope | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or MESSAGES.get(status, TITLES.get(status, "Error"))
        self.envelope = envelope


def iso(at: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(value).encode(), headers=headers or {})


def error_reply(status: int, message: str, envelope: Envelope, path: str, request_id: str, now: float) -> Reply:
    """An error in one of its envelopes."""
    title = TITLES.get(status, "Error")
    message = message or MESSAGES.get(status, title)
    if envelope == "html":
        page = (
            f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1>"
            "</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
        )
        return Reply(status, page.encode(), "text/html")
    if envelope == "legacy":
        # The status is a string there.
        return json_reply(
            {
                "message": message,
                "path": path,
                "requestId": request_id,
                "statusCode": str(status),
                "timestamp": iso(now),
            },
            status,
        )
    reply = json_reply(
        {
            "title": title,
            "status": status,
            "message": message,
            "instance": path,
            "requestId": request_id,
            "timestamp": iso(now),
            "error": {"name": title.replace(" ", ""), "message": message},
        },
        status,
    )
    reply.content_type = "application/problem+json"
    return reply


def new_request_id() -> str:
    """An id for one request."""
    return str(uuid.uuid4())


def old_style(plan: Plan, number: int) -> bool:
    """Whether the answers about the n-th generation carry the older field names."""
    return plan.answer_style == "old" or (plan.answer_style == "mixed" and number % 2 == 0)
