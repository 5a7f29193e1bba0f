"""The fault plan: everything a test can ask of the emulator, as plain data.

`n-th` lists count from 1. Lists of generations (`stuck`, `fails`, ...) count the generations made since the database
was created; `nth` of a rule counts the requests that this rule matched since the plan was set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from .plain import dump, load

Route = Literal["submit", "retrieve", "logs", "billing", "transactions", "download"]
Kind = Literal[
    "status",  # answer `status` with an envelope, nothing made
    "drop_before",  # reset before the body is read
    "drop_mid_body",  # read half of the body, then reset
    "do_then_drop",  # make and bill it, then reset without an answer
    "do_then_status",  # make and bill it, then answer `status`
    "do_then_hang",  # make and bill it, say nothing for `seconds`, then reset
    "hang_before",  # read nothing and say nothing for `seconds`, then reset
    "garbage_json",  # do it, then 200 with broken JSON
    "cut_body",  # do it, then the headers and half of the JSON, then reset
    "huge_body",  # do it, then a valid JSON answer behind `bytes` of padding
    "redirect",  # `status` (302, 307) to `location`, or to the elsewhere listener; nothing made
    "late_404",  # retrieve: 404 for the first `polls` polls of each id
    "slow",  # wait `seconds`, then behave
]
Envelope = Literal["alternate", "problem", "legacy", "html"]
BadKind = Literal[
    "truncated",  # the file ends early, Content-Length agrees with what is there
    "no_audio",
    "wrong_resolution",
    "wrong_fps",
    "wrong_duration",
    "html",  # an error page with status 200
    "empty",  # zero bytes
    "zeroed",  # the middle of the media data is zeros, every header is right
]


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to a request. Fields that an action does not use are ignored."""

    do: Kind
    status: int = 0  # 0: the action's own default (503, 502, 302)
    envelope: Envelope | None = None  # None: the plan's; do_then_status: html
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # of status and do_then_status, e.g. Retry-After
    seconds: float = 30.0
    bytes: int = 32_000_000
    location: str = ""
    polls: int = 2
    inference_id: bool = True  # garbage_json, cut_body, huge_body: is x-inference-id among the headers?


@dataclass(frozen=True, slots=True)
class Rule:
    """When an action happens: on the n-th requests, on every k-th, by chance, or (none of the three) always."""

    route: Route
    action: Action
    nth: list[int] = field(default_factory=list)
    every: int = 0
    probability: float | None = None
    limit: int | None = None  # at most so often
    client_id: str = ""  # only requests whose X-Client-Request-Id contains this
    generations: list[int] = field(default_factory=list)  # retrieve and download: only these generations


@dataclass(frozen=True, slots=True)
class BadClip:
    """A clip whose file is not what it should be, for its first `first` downloads."""

    kind: BadKind
    nth: list[int] = field(default_factory=list)  # empty: all generations
    first: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Cdn:
    """How the download host behaves. `..._first` counts the requests of each clip, from 1."""

    link_ttl_s: float | None = None
    link_uses: int | None = None
    expired_body: Literal["xml", "html"] = "xml"
    hostile_links: list[str] = field(default_factory=list)  # given instead of the real link, in turn
    hostile_first: int = 1_000_000  # ... by the first so many finished retrieves of a clip
    etag: Literal["strong", "weak", "changing", "none"] = "strong"
    last_modified: bool = True
    ranges: bool = True
    chunked: bool = False
    digests: list[Literal["content-md5", "digest", "repr-digest", "x-amz-checksum-sha256"]] = field(
        default_factory=list
    )
    wrong_digest_first: int = 0
    cut_after_bytes: int | None = None  # of the body of this answer
    cut_first: int = 1
    cut_how: Literal["reset", "close"] = "reset"
    stall_after_bytes: int | None = None
    stall_first: int = 1
    stall_s: float = 30.0
    fail_status: int = 503
    fail_first: int = 0
    redirect_first: int = 0  # to the elsewhere listener, which has the same clip
    endless_first: int = 0
    endless_bytes: int = 300_000_000
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How the emulated provider behaves. The default is a faultless one."""

    seed: int = 0
    # Keys and money
    keys: list[str] = field(default_factory=list)  # accepted; empty: any
    refuse_key_after_n: int | None = None  # 401 once so many submits were accepted
    refuse_key_routes: list[Route] = field(default_factory=lambda: ["submit"])  # ... on these routes
    credits_usd: float | None = None  # None: plenty
    usd_per_s: dict[str, float] = field(default_factory=dict)  # by model, over the built-in prices
    bill_rounding: Literal["exact", "ceil"] = "exact"  # billed seconds
    final_cost_factor: float = 1.0  # what is charged, against what submit announced
    bill_lag_s: float = 0.0  # a charge lands so long after completion
    double_bill_nth: list[int] = field(default_factory=list)
    stray_charges: int = 0  # charges that belong to nothing the account asked for
    transactions_style: Literal["pagination", "flat"] = "pagination"
    # Hidden limits
    max_concurrent: int | None = None
    requests_per_minute: int | None = None
    rate_window_s: float = 60.0  # the limit is kept over a sliding window of this length
    rate_routes: list[Route] = field(default_factory=lambda: ["submit", "retrieve"])
    logs_per_minute: int = 200
    # Rendering
    instant: bool = False
    render_s: float | list[float] = 1.0  # fixed, or [lowest, highest]
    stuck: list[int] = field(default_factory=list)
    fails: list[int] = field(default_factory=list)
    fail_message: str = "The face could not be animated."
    unknown: list[int] = field(default_factory=list)  # retrieve: 404 for good
    completed_without_video: int = 0  # first so many finished retrieves of a clip
    statuses: list[str] = field(default_factory=list)  # sprinkled in between: waiting, active, warming
    # Answers
    envelope: Envelope = "alternate"
    answer_style: Literal["new", "old", "mixed"] = "new"
    id_suffix: bool = True
    inference_id_style: Literal["as_is", "bare", "suffixed"] = "as_is"  # in the log and the transactions
    retrieve_accepts: Literal["exact", "any"] = "exact"  # ids with or without suffix
    check_media: bool = True  # refuse media beyond the vendor's limits with 400
    # Usage log
    log_at: Literal["completion", "submit"] = "completion"
    log_lag_s: float = 0.0
    log_forgets: list[str] = field(default_factory=list)  # client ids
    log_forgets_nth: list[int] = field(default_factory=list)  # generations
    log_forgets_probability: float = 0.0
    # Clips
    outputs: dict[str, list[int]] = field(default_factory=dict)  # model -> [width, height, fps]
    pad_bytes: int = 4096
    bad_clips: list[BadClip] = field(default_factory=list)
    cdn: Cdn = field(default_factory=Cdn)
    # Faults by request, the first rule that fires wins
    rules: list[Rule] = field(default_factory=list)
    journal: bool = True

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(dump(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        """The plan that a JSON text describes; unknown names and wrong types are errors."""
        plan = load(Plan, json.loads(text))
        assert isinstance(plan, Plan)
        return plan
