"""The renderer's seam: picture, voice and prompt in, an MP4 out.

:func:`render` runs in a render process and is the one place that picks the renderer: a head that speaks, or, where
numpy and OpenCV are not installed, the picture as it is.
"""

from __future__ import annotations

import dataclasses
import importlib.util

from pipeline.studio.render.task import RenderError, RenderReport, RenderTask

__all__ = ["CANT_LOOK", "NOT_INSTALLED", "RenderError", "RenderReport", "RenderTask", "can_look", "render"]

NOT_INSTALLED = (
    "the picture stands still: faces speak once numpy and OpenCV are there (pip install 'avatar-batch[studio]')"
)
"""A note of reports."""

CANT_LOOK = (
    "a strict studio looks for the face in every picture, which needs numpy and OpenCV: pip install 'avatar-batch[studio]', "
    "or leave strict off"
)


def can_look() -> bool:
    """Whether faces can be looked for here, and speak: both need the same packages."""
    return all(importlib.util.find_spec(name) for name in ("numpy", "cv2"))


def render(task: RenderTask) -> RenderReport:
    """Make ``task.output``: the whole clip, or nothing at that name.

    Raises:
        RenderError: the clip can't be made of this picture and this voice, or not as strictly as asked.
    """
    # Imported here: the studio's own process has the task's and the error's types from this package, and does well
    # without the 60 MB that OpenCV and its friends take.
    if can_look():
        from pipeline.studio.render import head  # noqa: PLC0415

        return head.render(task)
    if task.strict:
        raise RenderError(CANT_LOOK)
    from pipeline.studio.render import still  # noqa: PLC0415

    report = still.render(task)
    return dataclasses.replace(report, notes=(*report.notes, NOT_INSTALLED))
