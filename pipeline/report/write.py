"""Writing ``report.html`` and its small pictures."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipeline.inspection.pictures import clip_poster, report_files, source_poster
from pipeline.job import Job
from pipeline.placing import write_whole
from pipeline.report.night import Gatherer
from pipeline.report.page import page_html
from pipeline.state.views import StateView

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"


def write_report(job: Job, command: str, *, drawing_s: float = math.inf) -> Path:
    """Write the report of a job as its state file has it now; works beside a run.

    Args:
        job: whose.
        command: how people start this job's commands, ``{}`` in place of the command's name.
        drawing_s: how long posters of clips that nobody has looked at may be drawn; the next report draws the others.

    Raises:
        UsageError: there is no state file yet.
        StateRefused: it can't be read.
        OSError: OUT can't be written.
    """
    with StateView(job.state_path) as view:
        folder = report_files(job.out)
        night = Gatherer(
            job,
            command,
            partial(clip_poster, folder=folder, until=time.monotonic() + drawing_s),
            partial(source_poster, folder=folder),
        ).gather(view)
    shown = {Path(url).name for card in night.cards for url in (card.poster_url, card.face_url) if url}
    path = job.out / REPORT
    write_whole(path, page_html(night).encode("utf-8", "replace"))
    if not night.hidden:
        _sweep(folder, shown)
    return path


def _sweep(folder: Path, shown: set[str]) -> None:
    """Take away pictures of clips that are no more."""
    for path in folder.iterdir():
        if path.suffix == ".jpg" and path.name not in shown:
            with suppress(OSError):
                path.unlink()
