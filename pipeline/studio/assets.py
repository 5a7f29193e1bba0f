"""Pictures and voices as they travel: inside the request as a data URI, or as a link to fetch."""

from __future__ import annotations

import asyncio
import binascii
import os
import re
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

__all__ = ["AssetError", "Inline", "Link", "fetch", "parse_asset", "save"]

_DATA_URI = re.compile(r"data:(?P<type>[^,]{0,200}),", re.IGNORECASE)
_CHUNK_BYTES = 64 * 1024
_FETCH_TRIES = 3
_TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=30)


class AssetError(Exception):
    """A picture or a voice can't be had. Its text is one line for people."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A medium that came inside the request."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A medium that is to be fetched."""

    url: str


def parse_asset(text: str, max_bytes: int) -> Inline | Link:
    """What a body's ``image_url`` or ``audio_url`` says.

    Raises:
        AssetError: it is neither a link nor a Base64 data URI, or holds more than ``max_bytes``.
    """
    if head := _DATA_URI.match(text):
        if not head["type"].lower().endswith(";base64"):
            raise AssetError("Expected a Base64 data URI, received a data URI of another encoding")
        encoded = len(text) - head.end()
        if encoded // 4 * 3 > max_bytes + 2:
            raise AssetError(f"Expected at most {max_bytes} bytes, received {encoded // 4 * 3}")
        try:
            data = binascii.a2b_base64(text[head.end() :].encode("ascii"), strict_mode=True)
        except (binascii.Error, UnicodeEncodeError):
            raise AssetError("Expected Base64, received other characters or wrong padding") from None
        if not data:
            raise AssetError("Expected a file, received an empty data URI")
        if len(data) > max_bytes:
            raise AssetError(f"Expected at most {max_bytes} bytes, received {len(data)}")
        return Inline(data)
    try:
        url = URL(text)
        if url.scheme in {"http", "https"} and url.host and len(text) <= 8192:
            return Link(text)
    except ValueError:
        pass
    raise AssetError("Invalid url: expected http, https or a Base64 data URI, received something else")


def save(data: bytes, path: Path) -> None:
    """Write a medium so that it is surely on disk before its generation is queued."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


async def fetch(session: aiohttp.ClientSession, url: str, path: Path, max_bytes: int) -> None:
    """Fetch a link into ``path``, at most ``max_bytes``, with a few tries where trying again can help.

    Raises:
        AssetError: it can't be had.
    """
    host = URL(url).host  # the whole link may be a signed one: it stays out of messages
    for attempt in range(1, _FETCH_TRIES + 1):
        try:
            async with session.get(url, timeout=_TIMEOUT, max_redirects=5) as response:
                if response.status == 200:
                    await _receive(response, path, max_bytes)
                    return
                trouble = f"HTTP status {response.status}"
                if response.status < 500 and response.status != 429:
                    break
        except TimeoutError:
            trouble = "no answer in time"
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects, aiohttp.NonHttpUrlClientError) as error:
            trouble = type(error).__name__
            break
        except (aiohttp.ClientError, OSError) as error:
            trouble = str(error) or type(error).__name__
        if attempt < _FETCH_TRIES:
            await asyncio.sleep(0.5 * attempt)
    raise AssetError(f"could not be fetched from {host}: {trouble}")


async def _receive(response: aiohttp.ClientResponse, path: Path, max_bytes: int) -> None:
    received = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        received += chunk
        if len(received) > max_bytes:
            raise AssetError(f"has more than {max_bytes} bytes")
    await asyncio.to_thread(save, bytes(received), path)
