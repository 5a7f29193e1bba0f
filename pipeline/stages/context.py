"""What the stages have in common: the state file, the API, the pace, and the word to stop."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.api import ApiClient
from pipeline.budget import Budget
from pipeline.clip import Clip
from pipeline.errors import StopRun, Unreachable
from pipeline.events import Events
from pipeline.models import Catalogue
from pipeline.pacing import Backoff, Learning, Outage, SubmitPace
from pipeline.settings import Settings
from pipeline.state import StateFile

__all__ = ["RunContext"]


@dataclass(slots=True)
class RunContext:
    """One run's shared things.

    Attributes:
        stop_reason: why nothing more is submitted, if so.
        fault: what no run was made for, such as a state file that turned out to be damaged; it ends the run.
        within_hours: set when submitting may begin.
        submitting_over, over: set when nothing more is to be submitted, and when the stages are to end at once.
        room: set when a submit that waits for its turn should look again.
        left_over: rows of unknown fate that stay for the next run, since the usage log can't be read.
        airborne: submits whose request is going out now.
        polls, bytes_received: counted since the run began, for whoever watches.
        resubmit_unconfirmed: the numbers of the rows that the user wants sent again if the usage log does not know them.
    """

    state: StateFile
    api: ApiClient
    settings: Settings
    catalogue: Catalogue
    out: Path
    pace: SubmitPace
    learning: Learning
    backoff: Backoff
    outage: Outage
    budget: Budget
    events: Events
    rng: random.Random
    resubmit_unconfirmed: frozenset[int] = frozenset()
    stop_reason: StopRun | None = None
    fault: Exception | None = None
    within_hours: asyncio.Event = field(default_factory=asyncio.Event)
    submitting_over: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    airborne: int = 0
    left_over: int = 0
    polls: int = 0
    bytes_received: int = 0

    def now(self) -> float:
        """Monotonic seconds, the clock of all pacing."""
        return asyncio.get_running_loop().time()

    def stop_submitting(self, reason: StopRun) -> None:
        """Nothing more goes out; what is paid for is still polled and downloaded."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.events.emit("stop_submitting", reason=type(reason).__name__, message=str(reason))
        self.close_submitting()

    def close_submitting(self) -> None:
        """Nothing more goes out, whether for a reason or because all is done."""
        self.submitting_over.set()
        self.room.set()
        self.state.changed.set()

    def abort(self, reason: StopRun) -> None:
        """Nothing can go on: end the run, every row as it stands."""
        self.stop_submitting(reason)
        self.stop_reason = reason
        self.over.set()
        self.state.changed.set()

    def break_off(self, fault: Exception) -> None:
        """Something went wrong that was not foreseen: end the run, every row as it stands."""
        self.fault = self.fault or fault
        self.over.set()
        self.close_submitting()

    def unanswered(self, words: str) -> None:
        """A request got no answer. An outage that no patience outlasts ends the run."""
        if self.outage.failed(self.now()):
            self.abort(
                Unreachable(f"the API has not answered for a long time ({words}): check the network, then run again")
            )

    def clip_ended(self) -> None:
        """A clip no longer renders, so another may."""
        self.pace.clip_ended(self.now())
        self.room.set()

    def tell(self, action: str, clip: Clip | None = None, **details: object) -> None:
        """Emit an event."""
        self.events.emit(action, clip, **details)
