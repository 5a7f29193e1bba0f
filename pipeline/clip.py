"""The nouns: a row of the manifest, the status of its clip, how it failed. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["IN_FLIGHT", "Clip", "Failure", "FailureCode", "Row", "Status"]


class Status(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    """The intent is on disk; the request is going out, or its fate isn't known yet."""
    RENDERING = "rendering"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    """A submit whose fate the usage log did not settle: it may be paid for, so it isn't sent again unasked."""


IN_FLIGHT = frozenset({Status.SUBMITTING, Status.RENDERING, Status.DOWNLOADING})


class FailureCode(StrEnum):
    """Why a row failed, in the words that scripts read."""

    BAD_REQUEST = "bad_request"
    GENERATION_ERROR = "generation_error"
    TIMEOUT = "timeout"
    NOT_FOUND = "not_found"
    DOWNLOAD = "download"
    BAD_MEDIA = "bad_media"
    SERVER = "server"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A row's failure: a code for scripts, one line for people."""

    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One validated row of a manifest: everything that is needed to submit it.

    Attributes:
        id: unique in the job.
        image, audio: an absolute path or an http(s) URL.
        prompt: with its fields filled in; empty for none.
        model, provider: names of the API; an empty provider leaves the choice to it.
        options: extra body fields.
        meta: the ``meta_*`` fields, carried to exports and the report.
        output: the clip's file, relative to OUT.
        voice_s: seconds of the voice; None for a URL, which is not fetched.
        estimated_usd: what the clip is expected to cost; None where ``voice_s`` is.
        image_stamp, audio_stamp: size and time of the local files as they were checked; empty for URLs.
        image_digest, audio_digest: of the local files' content; for a URL, itself.
    """

    id: str
    image: str
    audio: str
    prompt: str
    model: str
    provider: str
    options: Mapping[str, Any]
    meta: Mapping[str, str]
    output: str
    voice_s: float | None
    estimated_usd: float | None
    image_stamp: str
    audio_stamp: str
    image_digest: str
    audio_digest: str

    @property
    def fingerprint(self) -> str:
        """A digest of all that shapes the clip: content counts, not where a file lies or when it was copied."""
        parts = [self.image_digest, self.audio_digest, self.prompt, self.model, self.provider, self.options]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Clip:
    """A row as the state file holds it, with its current attempt: what a stage takes out and works on.

    Attributes:
        seq: the row's number in the state file.
        moved: the number of the row's latest move; rows of one status are taken in this order.
        attempt: the number of the current submit, 0 before the first.
        attempts: how many submits the row has had.
        submitted_at, completed_at: Unix seconds; 0 where it has not happened.
        part: what is known of a download under way (JSON), empty without one.
        model, voice_s: of the current attempt; of the row where it is pending or was never sent.
        error_code: what an earlier run left it with, empty for none.
    """

    seq: int
    moved: int
    id: str
    status: Status
    image: str
    audio: str
    prompt: str
    model: str
    provider: str
    options: str
    output: str
    image_stamp: str
    audio_stamp: str
    fingerprint: str
    voice_s: float | None
    estimated_usd: float | None
    attempts: int
    attempt: int
    client_request_id: str
    generation_id: str
    video_url: str
    submitted_at: float
    completed_at: float
    part: str
    error_code: str = ""
