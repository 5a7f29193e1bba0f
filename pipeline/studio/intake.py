"""From a submit's body to an order with its media on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import BadMedia
from pipeline.media import Picture, Voice, check_picture, check_voice
from pipeline.media.pictures import look_at_picture
from pipeline.media.voices import look_at_voice
from pipeline.models import Model
from pipeline.studio.answers import Refusal, Trace
from pipeline.studio.assets import AssetError, Inline, Link, save
from pipeline.studio.home import Home
from pipeline.studio.ledger import credits_of_usd
from pipeline.studio.queue import Frame, Order
from pipeline.studio.validation import Submit

__all__ = ["frame_of", "inspect_picture", "inspect_voice", "lay_out", "price_of"]

Looked = TypeVar("Looked")

_FALLBACK_SHORT_SIDE_PX = 720
_FALLBACK_FPS = 25


def lay_out(submit: Submit, home: Home, generation_id: str, client_request_id: str | None, trace: Trace) -> Order:
    """Write the media that came inside the request, and look at them. Blocks: to be run in a thread.

    Raises:
        Refusal: 400, a medium is not what its model takes; nothing is left on disk.
    """
    try:
        picture = voice = None
        if isinstance(submit.image, Inline):
            save(submit.image.data, home.picture(generation_id))
            picture = _or_refuse("image_url", inspect_picture, home.picture(generation_id), submit.model)
        if isinstance(submit.audio, Inline):
            save(submit.audio.data, home.voice(generation_id))
            voice = _or_refuse("audio_url", inspect_voice, home.voice(generation_id), submit.model)
    except BaseException:
        home.drop_media(generation_id)
        raise
    return Order(
        id=generation_id,
        model=submit.model.name,
        prompt=submit.prompt,
        options=submit.options,
        image_link=submit.image.url if isinstance(submit.image, Link) else None,
        audio_link=submit.audio.url if isinstance(submit.audio, Link) else None,
        frame=frame_of(submit.model, submit.options, picture) if picture else None,
        credits=price_of(submit.model, voice) if voice else None,
        client_request_id=client_request_id,
        request_id=trace.request_id,
        created_at=trace.at,
    )


def inspect_picture(path: Path, model: Model) -> Picture:
    """Look at a picture.

    Raises:
        AssetError: the model doesn't take it.
    """
    try:
        picture = look_at_picture(path)
    except BadMedia as error:
        raise AssetError(str(error)) from None
    if problem := check_picture(picture, model.picture):
        raise AssetError(problem)
    return picture


def inspect_voice(path: Path, model: Model) -> Voice:
    """Look at a voice.

    Raises:
        AssetError: the model doesn't take it.
    """
    try:
        voice = look_at_voice(path)
    except BadMedia as error:
        raise AssetError(str(error)) from None
    if problem := check_voice(voice, model.voice):
        raise AssetError(problem)
    return voice


def _or_refuse(field: str, inspect: Callable[[Path, Model], Looked], path: Path, model: Model) -> Looked:
    try:
        return inspect(path, model)
    except AssetError as error:
        raise Refusal(400, f"{field}: {error}") from None


def price_of(model: Model, voice: Voice) -> int:
    """What a clip of this voice costs, in credits."""
    return credits_of_usd(model.price_usd(voice.duration_s))


def frame_of(model: Model, options: Mapping[str, Any], picture: Picture) -> Frame:
    """The frame of the clip: the model's, or where it promises none the picture's shape at the resolution asked for."""
    fps = model.fps or _FALLBACK_FPS
    if model.width and model.height:
        return Frame(model.width, model.height, fps)
    resolution = str(options.get("resolution", ""))
    short_px = (
        int(resolution.removesuffix("p")) if resolution.removesuffix("p").isdecimal() else _FALLBACK_SHORT_SIDE_PX
    )
    long_px = round(short_px * max(picture.width, picture.height) / min(picture.width, picture.height) / 2) * 2
    return Frame(long_px, short_px, fps) if picture.width >= picture.height else Frame(short_px, long_px, fps)
