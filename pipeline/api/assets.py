"""How a row's picture and voice reach the API: the one seam that an upload to a bucket would take.

``inline``: a local file travels inside the request as a Base64 data URI. A small one is encoded beforehand; a larger one
is read and encoded piece by piece while the request goes out, so that memory holds neither it nor the request.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiofiles
import msgspec

from pipeline.clip import Clip
from pipeline.errors import RowRefused

__all__ = ["SubmitBody", "prepare_bodies", "prepare_body"]

# A multiple of 3, so that the pieces' Base64 joins without padding inside.
PIECE_BYTES = 3 * 64 * 1024
# Small files are encoded while they are looked at, which saves hops to a thread.
WHOLE_BELOW_BYTES = 256 * 1024

_MIME = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".mp3": "audio/mpeg", ".wav": "audio/wav", ".m4a": "audio/mp4", ".mp4": "audio/mp4", ".aac": "audio/aac",
}  # fmt: skip
_MAGIC = (
    (b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"ID3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"), (b"\xff\xf9", "audio/aac"), (b"\xff\xfb", "audio/mpeg"), (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size_bytes: int
    mime: str

    @property
    def prefix(self) -> bytes:
        return f'"data:{self.mime};base64,'.encode()

    @property
    def encoded_bytes(self) -> int:
        return len(self.prefix) + (self.size_bytes + 2) // 3 * 4 + 1


class SubmitBody:
    """The JSON body of a submit as a stream of known length.

    Attributes:
        length: of the whole body in bytes, for ``Content-Length``.
        started: whether the connection asked for the first piece.
        complete: whether the last piece was handed to the connection. While it is False the server can't have the
            whole request, so nothing can have been made of it.
        failure: why the row's files could not be sent, where that is the reason.
    """

    def __init__(self, parts: list[bytes | _File]) -> None:
        self._parts = parts
        self.length = sum(len(part) if isinstance(part, bytes) else part.encoded_bytes for part in parts)
        self.started = False
        self.complete = False
        self.failure: RowRefused | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body's bytes, once. A file that is no longer what was checked ends them early, with ``failure`` set."""
        self.started = True
        try:
            for part in self._parts[:-1]:
                if isinstance(part, bytes):
                    yield part
                    continue
                async for piece in _encoded(part):
                    yield piece
        except RowRefused as failure:
            self.failure = failure
            raise
        self.complete = True
        last = self._parts[-1]
        if isinstance(last, bytes):
            yield last


def prepare_bodies(clips: Sequence[Clip]) -> list[SubmitBody | Exception]:
    """The bodies for rows, or why there is none."""
    bodies: list[SubmitBody | Exception] = []
    for clip in clips:
        try:
            bodies.append(prepare_body(clip))
        except RowRefused as error:
            bodies.append(error)
    return bodies


def prepare_body(clip: Clip) -> SubmitBody:
    """The body for a row, after a look whether its files are still those that were checked. Reads files.

    Raises:
        RowRefused: a file is gone or has changed.
    """
    body: dict[str, Any] = {"model": clip.model}
    if clip.prompt:
        body["prompt"] = clip.prompt
    if clip.provider:
        body["provider"] = clip.provider
    body |= msgspec.json.decode(clip.options)
    image = _asset("image", clip.image, clip.image_stamp)
    audio = _asset("audio", clip.audio, clip.audio_stamp)
    head = msgspec.json.encode(body)[:-1]
    return SubmitBody([*_joined(head + b',"image_url":', image, b',"audio_url":', audio), b"}"])


def _joined(*parts: bytes | _File) -> list[bytes | _File]:
    """Neighbouring bytes in one piece: each piece is a system call."""
    joined: list[bytes | _File] = []
    for part in parts:
        if joined and isinstance(part, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _asset(field: str, place: str, stamp: str) -> bytes | _File:
    if not stamp:
        return msgspec.json.encode(place)
    content = b""
    try:
        info = os.stat(place)
        with open(place, "rb") as file:
            head = file.read(12)
            if info.st_size <= WHOLE_BELOW_BYTES:
                content = head + file.read(WHOLE_BELOW_BYTES)
    except OSError as error:
        raise RowRefused(
            f"{field}: {place} can't be read any more ({error.strerror}): put it back, then retry"
        ) from None
    if f"{info.st_size}:{info.st_mtime_ns}" != stamp:
        raise RowRefused(f"{field}: {place} has changed since it was checked: retry checks it anew")
    whole = _File(place, info.st_size, _mime_of(head, place))
    if len(content) == info.st_size:
        return whole.prefix + base64.b64encode(content) + b'"'
    return whole


def _mime_of(head: bytes, place: str) -> str:
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    if head[:4] == b"RIFF":
        return "image/webp" if head[8:12] == b"WEBP" else "audio/wav"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    return _MIME.get(os.path.splitext(place)[1].lower(), "application/octet-stream")


async def _encoded(file: _File) -> AsyncIterator[bytes]:
    yield file.prefix
    left = file.size_bytes
    try:
        async with aiofiles.open(file.path, "rb") as source:
            while left > 0 and (chunk := await source.read(PIECE_BYTES)):
                left -= len(chunk)
                yield base64.b64encode(chunk)
    except OSError as error:
        raise RowRefused(f"{file.path} can't be read any more ({error.strerror}): put it back, then retry") from None
    if left:
        # The promised length can't be kept: the request is broken off, and the server has only a part of it.
        raise RowRefused(f"{file.path} changed while it was sent: retry checks it anew")
    yield b'"'
