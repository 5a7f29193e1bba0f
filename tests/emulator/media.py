"""Looking at what a submit brings: data URIs decoded, pictures and voices held against the vendor's limits."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import av
from av.audio.frame import AudioFrame
from PIL import Image

from .answers import Refusal

URL_SECONDS = 5.0  # a voice behind a URL is not fetched
PICTURE_BYTES = 10_000_000
VOICE_BYTES = 5_000_000
VOICE_FORMATS = {"mp3", "wav", "aac", "mov", "mp4", "m4a"}
REMEMBER = 4096
REMEMBER_URIS = 64
REMEMBER_URI_LENGTH = 400_000
Field = Literal["image_url", "audio_url"]


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture or a voice as a submit named it."""

    url: str  # "data:<type>" for a data URI
    sha256: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the bytes found."""

    problem: str = ""
    seconds: float = URL_SECONDS


class Media:
    """Looks at each distinct file once."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[Field, str], Look] = OrderedDict()
        self._parsed: OrderedDict[tuple[Field, str], Medium] = OrderedDict()

    def parse(self, field: Field, value: str) -> Medium:
        """A URL or a data URI taken apart, or a Refusal. Short ones are remembered: jobs use a picture many times."""
        known = self._parsed.get((field, value))
        if known is not None:
            return known
        medium = parse(field, value)
        if len(value) <= REMEMBER_URI_LENGTH:
            self._parsed[field, value] = medium
            if len(self._parsed) > REMEMBER_URIS:
                self._parsed.popitem(last=False)
        return medium

    async def look(self, field: Field, medium: Medium) -> Look:
        """The problem with a file, if any, and the length of a voice."""
        if medium.sha256 is None:
            return Look()
        key = (field, medium.sha256)
        if key not in self._seen:
            self._seen[key] = await asyncio.to_thread(look_at, field, medium.data)
            if len(self._seen) > REMEMBER:
                self._seen.popitem(last=False)
        return self._seen[key]


def parse(field: Field, value: str) -> Medium:
    """A URL or a data URI, or a Refusal."""
    if value.startswith(("http://", "https://")):
        return Medium(value, None, b"")
    head, comma, payload = value.partition(",")
    family = "image/" if field == "image_url" else "audio/"
    if not head.startswith("data:") or not comma or not head.endswith(";base64"):
        raise Refusal(400, f"{field}: Expected a URL or a Base64 data URI, received {value[:40]!r}", "problem")
    if not head.startswith(f"data:{family}"):
        raise Refusal(400, f"{field}: Expected a data URI of type {family}*, received {head!r}", "problem")
    try:
        data = base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise Refusal(400, f"{field}: Expected valid Base64, received {error}", "problem") from error
    return Medium(head.removesuffix(";base64"), hashlib.sha256(data).hexdigest(), data)


def look_at(field: Field, data: bytes) -> Look:
    """Open the file for real."""
    return _picture(data) if field == "image_url" else _voice(data)


def _picture(data: bytes) -> Look:
    if len(data) > PICTURE_BYTES:
        return Look(f"Expected an image of at most {PICTURE_BYTES} bytes, received {len(data)}")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind, (width, height) = picture.format, picture.size
    except Exception as error:  # whatever a decoder makes of hostile bytes
        return Look(f"Expected a JPEG, PNG or WEBP image, received {type(error).__name__}")
    if kind not in ("JPEG", "PNG", "WEBP"):
        return Look(f"Expected a JPEG, PNG or WEBP image, received {kind}")
    if min(width, height) < 300:
        return Look(f"Expected sides of at least 300 px, received {width}x{height}")
    if not 1 / 2.5 <= width / height <= 2.5:
        return Look(f"Expected an aspect ratio between 1:2.5 and 2.5:1, received {width}x{height}")
    return Look()


def _voice(data: bytes) -> Look:
    try:
        with av.open(io.BytesIO(data), "r") as file:
            formats = set(file.format.name.split(","))
            frames = (frame for frame in file.decode(audio=0) if isinstance(frame, AudioFrame))
            seconds = sum(frame.samples / frame.sample_rate for frame in frames)
    except Exception as error:  # as above
        return Look(f"Expected MP3, WAV, M4A or AAC audio, received {type(error).__name__}")
    if len(data) > VOICE_BYTES:
        return Look(f"Expected audio of at most {VOICE_BYTES} bytes, received {len(data)}", seconds)
    if not formats & VOICE_FORMATS:
        return Look(f"Expected MP3, WAV, M4A or AAC audio, received {file.format.name}", seconds)
    if not 2.0 <= seconds <= 300.0:
        return Look(f"Expected audio of 2 to 300 seconds, received {seconds:.2f}", seconds)
    return Look(seconds=seconds)
