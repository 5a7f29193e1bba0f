"""What to do about a failed row, a marked clip or a renderer's note: one place for the terminal, the pages and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.clip import FailureCode
from pipeline.inspection.facts import Mark

__all__ = ["FAILURES", "MARKS", "NOTE", "NOTES", "Remedy"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """A thing that went wrong, in people's words.

    Attributes:
        title: what it is.
        todo: what to do, a sentence.
        command: the command that does it, or the first step of it, after ``avatar-batch``; ``{ids}`` stands for the rows.
        paid: whether that command may spend money.
    """

    title: str
    todo: str
    command: str
    paid: bool


FAILURES: Mapping[FailureCode, Remedy] = {
    FailureCode.BAD_REQUEST: Remedy(
        "The API refused the row",
        "Its words say what it did not like: change the row's picture, voice or prompt in the manifest, then retry. "
        "Nothing was billed.",
        "retry JOB {ids}",
        paid=True,
    ),
    FailureCode.GENERATION_ERROR: Remedy(
        "The render failed at the provider",
        "A failed render is not billed. Retry once as it is; if it fails again, another picture (one clear face, "
        "looking ahead) or a cleaner voice helps.",
        "retry JOB {ids}",
        paid=True,
    ),
    FailureCode.TIMEOUT: Remedy(
        "Still not rendered when patience ran out",
        "The clip may be paid for: retry asks for the same clip again, it is not bought again. "
        "If the provider is slow today, raise poll.give_up_after_s.",
        "retry JOB",
        paid=False,
    ),
    FailureCode.NOT_FOUND: Remedy(
        "The API does not know the clip",
        "It may be paid for. Hold the job against the provider's books first; then ask the provider for the clip, or send "
        "the row again with --resubmit-unconfirmed (a failed row: name it with retry, which is paid again).",
        "audit JOB",
        paid=False,
    ),
    FailureCode.DOWNLOAD: Remedy(
        "Rendered, but it could not be fetched",
        "It is paid for: retry fetches it again, it is not bought again. Check the network and the disk of OUT first.",
        "retry JOB",
        paid=False,
    ),
    FailureCode.BAD_MEDIA: Remedy(
        "The file that came is not the clip",
        "Retry without an id fetches it again, free of charge. If the same file comes again, retry with its id "
        "renders it anew, which is paid.",
        "retry JOB",
        paid=False,
    ),
    FailureCode.SERVER: Remedy(
        "The server failed again and again",
        "Nothing was made. Wait for the provider to recover, then retry.",
        "retry JOB {ids}",
        paid=True,
    ),
    FailureCode.UNCONFIRMED: Remedy(
        "Nobody knows whether it was made",
        "The answer to the submit was lost and the usage log does not settle it, so it is not sent again unasked. Run "
        "once more later: the log is asked again. Only if it surely was not made: --resubmit-unconfirmed.",
        "run JOB",
        paid=False,
    ),
}

MARKS: Mapping[Mark, Remedy] = {
    Mark.SILENT: Remedy(
        "Silent",
        "Nothing can be heard. Play it; if it is so, check that the voice file itself is not silent, then render the row "
        "again.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.WRONG_VOICE: Remedy(
        "Another voice",
        "Its sound does not match the row's voice file. Play it beside the voice; if it is the wrong clip, render the "
        "row again. If the voice file was changed since, --rerender-changed does it.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.OUT_OF_STEP: Remedy(
        "Out of step",
        "The voice is heard too early or too late. If picture and sound fit each other, raise inspect.max_offset_ms; "
        "else render the row again.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.CUT_SHORT: Remedy(
        "Cut short",
        "The end of the voice is missing. Render the row again; if it is cut again, split the voice in two rows.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.BLACK: Remedy(
        "Black picture",
        "Most of it is black. Play it, then render the row again.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.FROZEN: Remedy(
        "Frozen picture",
        "The picture hardly moves. Play it; a picture with one clear face, looking ahead, moves best.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.STILL_MOUTH: Remedy(
        "Mouth does not follow the voice",
        "Something moves, but not with the voice. Play it with the sound on; render the row again if the lips are off.",
        "retry JOB {ids}",
        paid=True,
    ),
    Mark.UNREADABLE: Remedy(
        "Could not be looked at",
        "A decoder stumbled over it. Play it; if your player does too, render the row again.",
        "retry JOB {ids}",
        paid=True,
    ),
}

NOTES: Mapping[str, Remedy] = {
    "face not found": Remedy(
        "No face in the picture",
        "The studio found no face, so nobody speaks in this clip; the paid API would likely refuse the picture. Give the row "
        "one that shows a face from the front, large and in focus, then render changed rows again.",
        "run JOB --rerender-changed",
        paid=True,
    ),
}
"""Of the notes that the studio is known to make; other renderers' get ``NOTE``."""

NOTE = Remedy(
    "A note from the renderer",
    "Read what it says and play the clip; render the row again if it is wrong.",
    "retry JOB {ids}",
    paid=True,
)
