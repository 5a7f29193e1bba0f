"""What submit and retrieve answer: pure functions from status, headers and body to a noun or an error with a remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from pipeline.api.pieces import (
    answer_to_question,
    cost_usd_of,
    envelope_message,
    excerpt,
    header_cost_usd,
    message_of,
    notes_of,
    object_of,
    raise_for_client_error,
    server_trouble,
    text_of,
)
from pipeline.errors import GenerationUnknown, RowRefused, ServerTrouble, UnknownFate, one_line

__all__ = ["GENERATIONS_PATH", "Accepted", "Generation", "decipher_retrieve", "decipher_submit"]

GENERATIONS_PATH = "/v2/video/generations"
_ID = re.compile(r"[\x21-\x7e]{1,512}")
_URL = re.compile(r"[\x21-\x7e]{1,8000}")
_RESERVED = "!#$%&'()*+,/:;=?@[]~"
"""What means something in a link (RFC 3986, 2.2)."""
KNOWN_UNFINISHED = frozenset({"queued", "generating", "waiting", "active"})


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


def decipher_submit(status: int, headers: Mapping[str, str], body: bytes) -> Accepted:
    """The answer to a submit.

    Raises:
        UnknownFate: the generation may have been made: 502, 504 and their like, or an answer that can't be read.
        Throttled, ServerTrouble, RowRefused, KeyRefused, OutOfCredits: see the tree in `pipeline.errors`.
    """
    request_id = headers.get("x-request-id")
    if 200 <= status < 300:
        answer = object_of(body)
        generation_id = text_of(answer, "id") or text_of(answer, "generation_id") or headers.get("x-inference-id", "")
        if not _ID.fullmatch(generation_id):
            raise UnknownFate(
                f"the answer to the submit ({status}) holds no id: {excerpt(body)}", request_id=request_id
            )
        cost = cost_usd_of(answer)
        return Accepted(generation_id, header_cost_usd(headers) if cost is None else cost, request_id)
    message = message_of(status, body)
    if status in {500, 503} or 300 <= status < 400 or status == 404:
        # A redirect or a missing path can't have made anything, nor will another row fare better.
        raise server_trouble(status, headers, message)
    if status >= 500 or status == 408:
        raise UnknownFate(f"the API answered {status}: {message}", request_id=request_id)
    raise_for_client_error(status, headers, message)
    raise RowRefused(message, request_id=request_id)


def decipher_retrieve(status: int, headers: Mapping[str, str], body: bytes) -> Generation:
    """The answer to a retrieve.

    Raises:
        GenerationUnknown: 404.
        ServerTrouble: ask again later.
        Throttled, KeyRefused, OutOfCredits: see the tree in `pipeline.errors`.
    """
    request_id = headers.get("x-request-id")
    if status == 404:
        raise GenerationUnknown(message_of(status, body), request_id=request_id)
    answer = answer_to_question(status, headers, body)
    word = text_of(answer, "status").lower()
    if not word:
        raise ServerTrouble(f"the answer names no status: {excerpt(body)}", request_id=request_id, status=status)
    if word in {"error", "failed"}:
        error = answer.get("error")
        words = envelope_message({"error": error})
        return Generation(word, "error", error=one_line(words or "the API gave no reason"), request_id=request_id)
    if word in {"completed", "succeeded"}:
        video = answer.get("video")
        # A link is printable ASCII; spaces and other letters, of a file's name say, are written as such (RFC 3986, 2.1).
        url = quote(text_of(video, "url").strip(), _RESERVED, errors="replace") if isinstance(video, Mapping) else ""
        return Generation(
            word, "completed", url if _URL.fullmatch(url) else None, cost_usd_of(answer), request_id=request_id,
            notes=notes_of(answer),
        )  # fmt: skip
    return Generation(one_line(word, 40), "rendering", request_id=request_id)
