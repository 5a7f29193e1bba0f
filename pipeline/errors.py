"""Errors, one class a remedy.

::

    AvatarBatchError
    ├── UsageError            fix what you gave: exit 2, nothing was spent
    │   ├── ConfigError           a setting
    │   ├── ManifestError         rows, media (carries every problem found)
    │   ├── OutHeld               another run works in OUT: wait for it or stop it
    │   └── StateRefused          the state file can't be trusted or understood: repair, or choose another OUT
    ├── BadMedia              a picture, a voice or a clip isn't what it must be
    ├── StopRun               nothing more can be submitted now: exit 3, every row stays resumable
    │   ├── KeyRefused            give a valid key
    │   ├── OutOfCredits          top up, or raise the key's cap
    │   ├── BudgetReached         raise the budget
    │   ├── NotConfirmed          say yes, or give a budget
    │   ├── HoursOver             run again when it may submit
    │   ├── DiskFull              free space
    │   ├── StateBroken           the state file failed under the run: run again, which says what is the matter with it
    │   └── Unreachable           check the network, then run again
    └── RequestFailed         what became of one request
        ├── NotSent               the API surely never had it: send again
        ├── Throttled             too many: slow everything down, send again
        ├── ServerTrouble         the server failed and made nothing: send again later
        ├── RowRefused            this row as it is will never be taken: fix the row
        ├── GenerationUnknown     the API doesn't know the id (for a moment, or for good)
        └── UnknownFate           it may have been carried out: reconcile, never send again
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AvatarBatchError",
    "BadMedia",
    "BudgetReached",
    "ConfigError",
    "DiskFull",
    "GenerationUnknown",
    "HoursOver",
    "KeyRefused",
    "ManifestError",
    "NotConfirmed",
    "NotSent",
    "OutHeld",
    "OutOfCredits",
    "Problem",
    "RequestFailed",
    "RowRefused",
    "ServerTrouble",
    "StateBroken",
    "StateRefused",
    "StopRun",
    "Throttled",
    "UnknownFate",
    "Unreachable",
    "UsageError",
    "one_line",
]

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]?)")


def one_line(text: str, limit: int = 500) -> str:
    """Foreign text (a server's words, a file's name) as one line that is safe to print, log and keep.

    Terminal escape sequences, control and direction characters are taken out, white space is folded, and what
    is longer than ``limit`` characters is cut.
    """
    # Cut before the pattern work, so that megabytes from a server cost nothing.
    text = _ESCAPES.sub("", text[: limit * 8])
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class AvatarBatchError(Exception):
    """The root of every error that the project raises on purpose. Its text is one line for people."""


# --- fix what you gave -------------------------------------------------------------------------------------------


class UsageError(AvatarBatchError):
    """The call, the config, the manifest or OUT must change first. Nothing was spent."""


class ConfigError(UsageError):
    """A setting has an unknown name or a value that can't be."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a manifest.

    Attributes:
        file: the manifest's name as the user gave it.
        line: 1-based line of the manifest, 0 where no line is to blame.
        row: the row's id, empty where it has none yet.
        text: what is wrong and what to do.
    """

    file: str
    line: int
    row: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        row = f" row {self.row!r}:" if self.row else ""
        return one_line(f"{where}:{row} {self.text}")


class ManifestError(UsageError):
    """The manifest or its media have problems; ``problems`` holds them in file order.

    Attributes:
        problems: those that are kept for display.
        total: how many there are in all.
    """

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        super().__init__("\n".join(str(problem) for problem in self.problems))


class OutHeld(UsageError):
    """Another live run works in this OUT."""


class StateRefused(UsageError):
    """The state file is damaged, of another version, or not this job's."""


class BadMedia(AvatarBatchError):
    """A picture, a voice or a clip isn't what it must be."""


# --- stop the run ------------------------------------------------------------------------------------------------


class StopRun(AvatarBatchError):
    """Nothing more can be submitted now. What is paid for is still polled and downloaded."""


class KeyRefused(StopRun):
    """401: the key is missing, wrong or expired."""


class OutOfCredits(StopRun):
    """402, 403: the account has no credits left, or the key's cap is reached."""


class BudgetReached(StopRun):
    """The next submit could take the job's spend beyond its budget."""


class NotConfirmed(StopRun):
    """The user was asked before money is spent, and said no."""


class HoursOver(StopRun):
    """The time came until which this run was to submit."""


class DiskFull(StopRun):
    """OUT has no room left."""


class StateBroken(StopRun):
    """The state file can't be written any more, though there is room."""


class Unreachable(StopRun):
    """The API can't be reached at all."""


# --- what became of one request ----------------------------------------------------------------------------------


class RequestFailed(AvatarBatchError):
    """One request did not get the answer it asked for.

    Attributes:
        request_id: the server's ``x-request-id``, where it sent one.
        retry_after_s: what the server asked to wait, where it did.
        status: of its answer, where there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(one_line(message))
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.status = status


class NotSent(RequestFailed):
    """The API surely never had the whole request."""


class Throttled(RequestFailed):
    """429, or 425."""


class ServerTrouble(RequestFailed):
    """Nothing was made: 500, 503, no such path, a request that was cut off; or a harmless question got no good answer."""


class RowRefused(RequestFailed):
    """400 and its like: never sent again as it is."""


class GenerationUnknown(RequestFailed):
    """404 on retrieve."""


class UnknownFate(RequestFailed):
    """The request may have been carried out and billed."""
