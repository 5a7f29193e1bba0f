"""The renderer's seam: picture, voice and prompt in, an MP4 out.

:func:`render` runs in a render process and is the one place that picks the renderer.
"""

from __future__ import annotations

from pipeline.studio.render import still
from pipeline.studio.render.task import RenderError, RenderReport, RenderTask

__all__ = ["RenderError", "RenderReport", "RenderTask", "render"]


def render(task: RenderTask) -> RenderReport:
    """Make ``task.output``: the whole clip, or nothing at that name.

    Raises:
        RenderError: the clip can't be made of this picture and this voice.
    """
    return still.render(task)
