"""From facts to marks: a pure decision."""

from __future__ import annotations

from pipeline.inspection.facts import Facts, Mark
from pipeline.settings import InspectSettings

__all__ = ["judge"]


def judge(facts: Facts, limits: InspectSettings) -> tuple[Mark, ...]:
    """How a clip is marked.

    One fault is told once: a clip without sound has no voice to compare, a picture that stands still no mouth.
    """
    marks: list[Mark] = []
    if facts.loudness_db is not None and facts.loudness_db < limits.silence_db:
        marks.append(Mark.SILENT)
    elif facts.similarity is not None and facts.similarity < limits.min_similarity:
        marks.append(Mark.WRONG_VOICE)
    else:
        if facts.offset_ms is not None and abs(facts.offset_ms) > limits.max_offset_ms:
            marks.append(Mark.OUT_OF_STEP)
        if facts.missing_s is not None and facts.missing_s > limits.max_missing_s:
            marks.append(Mark.CUT_SHORT)
    if facts.black_share is not None and facts.black_share > limits.max_black_share:
        marks.append(Mark.BLACK)
    elif facts.still_share is not None and facts.still_share > limits.max_still_share:
        marks.append(Mark.FROZEN)
    elif facts.mouth is not None and facts.mouth < limits.min_mouth:
        marks.append(Mark.STILL_MOUTH)
    return tuple(marks)
