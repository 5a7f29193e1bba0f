"""What is known of a medium once it was looked at, held against what a model takes or makes."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models import Model, PictureLimits, VoiceLimits

__all__ = ["ClipFacts", "Picture", "Voice", "check_clip", "check_picture", "check_voice"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its format in lower case (``jpeg``), size in pixels and bytes, a digest of its content."""

    format: str
    width: int
    height: int
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice track: its format in lower case (``mp3``), seconds of sound, bytes, a digest of its content."""

    format: str
    duration_s: float
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A whole clip: pixels, frames a second, seconds of picture and of sound, bytes."""

    width: int
    height: int
    fps: float
    video_s: float
    audio_s: float
    size_bytes: int


def check_picture(picture: Picture, limits: PictureLimits) -> str | None:
    """What keeps a model from taking the picture, with the remedy; None if nothing does."""
    short_px, long_px = sorted((picture.width, picture.height))
    if picture.format not in limits.formats:
        return f"is {picture.format.upper()}; the model takes {_list(limits.formats)}: convert it"
    if picture.size_bytes > limits.max_bytes:
        return f"has {picture.size_bytes:,} bytes; the model takes {limits.max_bytes:,}: save it smaller"
    if short_px < limits.min_side_px:
        return (
            f"is {picture.width}x{picture.height}; each side must be {limits.min_side_px} px or more: use a larger one"
        )
    if long_px > limits.max_aspect * short_px:
        return f"is {picture.width}x{picture.height}; the sides may differ by 1:{limits.max_aspect:g} at most: crop it"
    return None


def check_voice(voice: Voice, limits: VoiceLimits) -> str | None:
    """What keeps a model from taking the voice, with the remedy; None if nothing does."""
    if voice.format not in limits.formats:
        return f"is {voice.format.upper()}; the model takes {_list(limits.formats)}: convert it"
    if voice.size_bytes > limits.max_bytes:
        return f"has {voice.size_bytes:,} bytes; the model takes {limits.max_bytes:,}: save it as MP3 or M4A"
    if voice.duration_s < limits.min_s:
        return f"lasts {voice.duration_s:.2f} s; the model needs {limits.min_s:g} s or more"
    if voice.duration_s > limits.max_s:
        return f"lasts {voice.duration_s:.1f} s; the model takes {limits.max_s:g} s at most: split it"
    return None


def check_clip(clip: ClipFacts, model: Model, voice_s: float | None) -> str | None:
    """What tells that this isn't the clip the model makes of a voice of ``voice_s`` seconds; None if nothing does.

    A portrait picture may turn the model's frame, so it is the short side that has to be the model's.
    """
    if model.width and model.height and abs(min(clip.width, clip.height) - min(model.width, model.height)) > 8:
        return f"is {clip.width}x{clip.height}, the model makes {model.width}x{model.height}"
    if model.fps and abs(clip.fps - model.fps) > 0.5:
        return f"has {clip.fps:g} frames a second, the model makes {model.fps}"
    if voice_s is not None:
        tolerance_s = max(0.5, 0.02 * voice_s)
        for what, seconds in (("picture", clip.video_s), ("sound", clip.audio_s)):
            if abs(seconds - voice_s) > tolerance_s:
                return f"has {seconds:.2f} s of {what}, the voice lasts {voice_s:.2f} s"
    return None


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(name.upper() for name in names)
