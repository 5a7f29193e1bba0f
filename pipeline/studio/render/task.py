"""What a renderer is asked for, and what it answers. All of it travels between processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RenderError", "RenderReport", "RenderTask"]


class RenderError(Exception):
    """A clip can't be made. Its text is one line for people: it becomes the generation's error."""


@dataclass(frozen=True, slots=True)
class RenderTask:
    """One clip to render.

    Attributes:
        picture, voice: the media, of the model's formats.
        prompt: what the user asks of the performance; may be empty.
        width, height: the clip's frame in pixels, both even.
        fps: whole frames a second.
        quality: ``preview`` or ``draft``.
        strict: a picture in which no face is found is an error.
        output: the clip's place; its directory exists.
    """

    picture: Path
    voice: Path
    prompt: str
    width: int
    height: int
    fps: int
    quality: str
    strict: bool
    output: Path


@dataclass(frozen=True, slots=True)
class RenderReport:
    """A clip that was rendered: its frames, the seconds of its voice, and what its owner should know of it."""

    frames: int
    duration_s: float
    notes: tuple[str, ...]
