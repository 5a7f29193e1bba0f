"""One look at one clip: sound, then picture."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av.error

from pipeline.inspection.facts import Facts, Inspection, Mark
from pipeline.inspection.judge import judge
from pipeline.inspection.picture import Unwanted, black_share, follow_voice, still_share, watch
from pipeline.inspection.pictures import clip_poster, report_files, source_poster
from pipeline.inspection.sound import compare, contour, loudness_db, missing_s, read_sound
from pipeline.settings import InspectSettings

__all__ = ["inspect_clip", "look_at"]

_UNREADABLE = (av.error.FFmpegError, OSError, IndexError, ValueError)


def look_at(
    out: Path, output: str, image: str, audio: str, limits: InspectSettings, wanted: Callable[[], bool] = lambda: True
) -> Inspection:
    """Look at a clip, and put its small pictures into the report's folder while it is warm.

    Raises:
        Unwanted: ``wanted`` says no any more; nothing was put anywhere.
    """
    path = out / output
    voice = None if audio.lower().startswith(("http://", "https://")) else Path(audio)
    try:
        seen = inspect_clip(path, voice, limits, wanted)
    except Unwanted:
        raise
    except Exception:  # whatever a stranger's file does to a decoder, the night goes on
        seen = Inspection(marks=(Mark.UNREADABLE,))
    with suppress(OSError):
        folder = report_files(out)
        clip_poster(path, folder)
        source_poster(image, folder)
    return seen


def inspect_clip(
    clip: Path, voice: Path | None, limits: InspectSettings, wanted: Callable[[], bool] = lambda: True
) -> Inspection:
    """Look at a finished clip.

    Args:
        clip: the file.
        voice: the row's voice; None where it isn't on this machine.
        limits: thresholds.
        wanted: whether to go on.

    Raises:
        Unwanted: it was not to go on.
    """
    try:
        heard = read_sound(clip)
        glances = watch(clip, limits.seconds, wanted)
    except _UNREADABLE:
        return Inspection(marks=(Mark.UNREADABLE,))
    own = _voice(voice)
    loudness = contour(heard)
    match = compare(own, heard) if own else None
    offset_ms = match.offset_ms if match else 0.0
    spoken = contour(own) if own else loudness
    sync = follow_voice(glances, spoken, offset_ms / 1000)
    facts = Facts(
        loudness_db=loudness_db(loudness),
        similarity=match.similarity if match else None,
        offset_ms=match.offset_ms if match and match.similarity >= limits.min_similarity else None,
        missing_s=missing_s(spoken, len(heard), offset_ms) if match else None,
        black_share=black_share(glances),
        still_share=still_share(glances),
        mouth=sync.score if sync else None,
        mouth_at=sync.at if sync else None,
    )
    return Inspection(facts=facts, marks=judge(facts, limits))


def _voice(path: Path | None) -> array[int] | None:
    """The row's voice as it is now; without it the clip's own sound has to do."""
    if path is None:
        return None
    try:
        return read_sound(path) or None
    except _UNREADABLE:
        return None
