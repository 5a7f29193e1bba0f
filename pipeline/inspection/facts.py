"""What was seen of a clip, and how it is marked. No I/O."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Facts", "Inspection", "Mark"]


class Mark(StrEnum):
    """Why a clip looks or sounds wrong."""

    SILENT = "silent"
    WRONG_VOICE = "wrong_voice"
    OUT_OF_STEP = "out_of_step"
    CUT_SHORT = "cut_short"
    BLACK = "black"
    FROZEN = "frozen"
    STILL_MOUTH = "still_mouth"
    UNREADABLE = "unreadable"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured; None where it could not be told.

    Attributes:
        loudness_db: of the loudest tenth of a second of the clip, in dB below full scale.
        similarity: 0 to 1, of the clip's sound to the row's voice where they fit best.
        offset_ms: how much later than in the voice file the voice is heard in the clip.
        missing_s: how much of the voice's end isn't in the clip.
        black_share, still_share: of the pictures that were looked at.
        mouth: how much better than chance the part of the picture that follows the voice does so; 0 is chance.
        mouth_at: where that part is, as shares of width and height.
    """

    loudness_db: float | None = None
    similarity: float | None = None
    offset_ms: float | None = None
    missing_s: float | None = None
    black_share: float | None = None
    still_share: float | None = None
    mouth: float | None = None
    mouth_at: tuple[float, float] | None = None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a clip: facts, and the marks that the thresholds of that time gave it."""

    facts: Facts = Facts()
    marks: tuple[Mark, ...] = ()
