"""One generation: facts fixed when it was made, plus counters. Its state is a function of the clock alone.

Nothing runs in the background, so an emulator that was killed and started again goes on as if it had been there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["rendering", "completed", "error", "stuck"]


@dataclass(slots=True)
class Generation:
    """What the provider knows of one accepted submit."""

    number: int
    id: str
    client_request_id: str | None
    request_id: str
    created: float
    ready_at: float | None  # None: never
    fails: bool
    fail_message: str
    model: str
    seconds: float
    output: tuple[int, int, int]
    pad_bytes: int
    usd: float  # as announced by submit
    credits: int
    final_usd: float  # as charged
    final_credits: int
    prompt: str | None
    image_url: str  # http(s) URLs as they came, data URIs as "data:<type>"
    image_sha256: str | None
    audio_url: str
    audio_sha256: str | None
    options: dict[str, Any] = field(default_factory=dict)
    key_sha256: str = ""
    retrieves: int = 0
    finished_retrieves: int = 0  # retrieves that found it completed
    downloads: int = 0

    @property
    def bare_id(self) -> str:
        """The id without its model suffix: the name of the file on the download host."""
        return self.id.partition(":")[0]

    def state(self, now: float) -> State:
        """Where it stands."""
        if self.ready_at is None:
            return "stuck"
        if now < self.ready_at:
            return "rendering"
        return "error" if self.fails else "completed"

    def share_done(self, now: float) -> float:
        """How much of the rendering time is over, 0 to 1."""
        if self.ready_at is None:
            return min(1.0, max(0.0, now - self.created))
        length = self.ready_at - self.created
        return 1.0 if length <= 0 else min(1.0, max(0.0, (now - self.created) / length))

    def charged_at(self, lag_s: float) -> float | None:
        """When its charge lands; None: it is not billed."""
        return None if self.ready_at is None or self.fails else self.ready_at + lag_s


def inference_id(generation: Generation, style: str) -> str:
    """The id as the usage log and the transactions write it."""
    if style == "bare":
        return generation.bare_id
    if style == "suffixed":
        return f"{generation.bare_id}:{generation.model}"
    return generation.id
