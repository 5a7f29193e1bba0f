"""Whose file a name in OUT is: no download may take the place of another row's clip."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pipeline.manifest import Problems

__all__ = ["refuse_names_of_clips", "refuse_names_of_strangers", "refuse_names_under_way"]

_OF_STRANGERS = (
    "SELECT id, output FROM clips JOIN present USING (seq) WHERE is_named_anew "
    "AND output NOT IN (SELECT clip_output FROM clips WHERE clip_output IS NOT NULL) ORDER BY seq"
)
# A row whose own clip has the name writes over nothing but that.
_OF_CLIPS = (
    "SELECT clips.id, clips.output, holder.id FROM clips JOIN clips AS holder ON holder.clip_output = clips.output "
    "WHERE holder.seq <> clips.seq AND clips.clip_output IS NOT clips.output AND NOT clips.dropped ORDER BY clips.seq"
)
_UNDER_WAY = (
    "SELECT clips.id, clips.output, holder.id FROM clips JOIN clips AS holder ON holder.output = clips.output "
    "WHERE holder.seq <> clips.seq AND holder.dropped AND NOT clips.dropped "
    "AND holder.status IN ('submitting', 'rendering', 'downloading', 'unconfirmed') ORDER BY clips.seq"
)


def refuse_names_of_strangers(db: sqlite3.Connection, out: Path, problems: Problems) -> None:
    """Note each row that got its name now (``present``) and whose clip would be written over a file that is no row's clip."""
    for row_id, output in db.execute(_OF_STRANGERS):
        if os.path.lexists(out / output):
            problems.add(
                f"{out / output} stands there already and this job knows nothing of it (is its state.db gone?): "
                "move it away, or use another --out",
                row=row_id,
            )


def refuse_names_of_clips(db: sqlite3.Connection, out: Path, problems: Problems) -> None:
    """Note each row whose next clip would be written over the finished clip of another."""
    for row_id, output, holder in db.execute(_OF_CLIPS):
        if os.path.lexists(out / output):
            problems.add(
                f"{out / output} is the clip of row {holder!r}, and this row's would be written over it: give this row "
                "another file name, or move that file away",
                row=row_id,
            )


def refuse_names_under_way(db: sqlite3.Connection, out: Path, problems: Problems) -> None:
    """Note each row whose file name a row has that left the manifest and whose clip is still to come."""
    for row_id, output, holder in db.execute(_UNDER_WAY):
        problems.add(
            f"{out / output} is the file of row {holder!r}, which left the manifest and still renders: let it "
            "finish under its id first, or give this row another file name",
            row=row_id,
        )
