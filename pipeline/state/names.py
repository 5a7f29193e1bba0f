"""Whose file a name in OUT is: no download may take the place of another row's clip, or of a stranger's file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pipeline.manifest import Problems

__all__ = ["refuse_taken_names"]

# Rows that got their name now, which no row's clip has.
_OF_STRANGERS = (
    "SELECT id, output, NULL FROM clips JOIN present USING (seq) WHERE is_named_anew "
    "AND output NOT IN (SELECT clip_output FROM clips WHERE clip_output IS NOT NULL) ORDER BY seq"
)
# A row whose own clip has the name writes over nothing but that.
_OF_CLIPS = (
    "SELECT clips.id, clips.output, holder.id FROM clips JOIN clips AS holder ON holder.clip_output = clips.output "
    "WHERE holder.seq <> clips.seq AND clips.clip_output IS NOT clips.output AND NOT clips.dropped ORDER BY clips.seq"
)
# The holder left the manifest, and its clip is still to come.
_UNDER_WAY = (
    "SELECT clips.id, clips.output, holder.id FROM clips JOIN clips AS holder ON holder.output = clips.output "
    "WHERE holder.seq <> clips.seq AND holder.dropped AND NOT clips.dropped "
    "AND holder.status IN ('submitting', 'rendering', 'downloading', 'unconfirmed') ORDER BY clips.seq"
)
_STRANGERS = (
    "stands there already and this job knows nothing of it (is its state.db gone?): move it away, or use another --out"
)
_CLIP = (
    "is the clip of row {!r}, and this row's would be written over it: give this row another file name, or move that "
    "file away"
)
_STILL_TO_COME = (
    "is the file of row {!r}, which left the manifest and still renders: let it finish under its id first, or give "
    "this row another file name"
)


def refuse_taken_names(db: sqlite3.Connection, out: Path, problems: Problems) -> None:
    """Note each row whose next clip would take the place of a file that is not its own.

    The table ``present`` holds the rows of the manifest, and which of them got their name now.
    """
    for sql, words, is_on_disk in (
        (_OF_STRANGERS, _STRANGERS, True),
        (_OF_CLIPS, _CLIP, True),
        (_UNDER_WAY, _STILL_TO_COME, False),
    ):
        for row_id, output, holder in db.execute(sql):
            if not is_on_disk or os.path.lexists(out / output):
                problems.add(f"{out / output} {words.format(holder)}", row=row_id)
