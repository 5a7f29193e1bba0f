"""Checksums that servers send along with a file, and holding a file against them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

__all__ = ["Digest", "digests_of", "mismatch"]

_LISTED = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
_SIZES = {"sha256": 32, "sha512": 64, "sha1": 20, "md5": 16}


@dataclass(frozen=True, slots=True)
class Digest:
    """A checksum of a whole file: hashlib's name of the algorithm, the value in hexadecimal."""

    algorithm: str
    value: str


def digests_of(headers: Mapping[str, str], *, whole: bool) -> tuple[Digest, ...]:
    """The checksums of the whole file that an answer's headers hold.

    ``Repr-Digest`` (RFC 9530), ``Digest`` (RFC 3230), Amazon's and Google's own headers speak of the file;
    ``Content-MD5`` and ``Content-Digest`` of what was sent, so they count only where that was ``whole``.
    """
    found: list[Digest] = []
    for header in ("repr-digest", "digest", "x-goog-hash") + (("content-digest",) if whole else ()):
        for name, text in re.findall(r"([A-Za-z0-9-]+)=:?([A-Za-z0-9+/]+=*):?", _all_of(headers, header)):
            _add(found, _LISTED.get(name.lower(), ""), text)
    _add(found, "sha256", headers.get("x-amz-checksum-sha256", ""))
    if whole:
        _add(found, "md5", headers.get("content-md5", ""))
    return tuple(dict.fromkeys(found))


def _all_of(headers: Mapping[str, str], name: str) -> str:
    """A header's values; some servers send it once for each."""
    get_all = getattr(headers, "getall", None)
    return ", ".join(get_all(name, ())) if get_all else headers.get(name, "")


def _add(found: list[Digest], algorithm: str, text: str) -> None:
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        return
    if algorithm and len(value) == _SIZES[algorithm]:
        found.append(Digest(algorithm, value.hex()))


def mismatch(content: Path | bytes, digests: tuple[Digest, ...]) -> str | None:
    """Which checksum a file, or what it holds, fails, in words; None if it keeps them all. Reads it once a checksum."""
    for digest in digests:
        with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
            made = hashlib.file_digest(file, lambda: hashlib.new(digest.algorithm, usedforsecurity=False))  # noqa: B023
        if made.hexdigest() != digest.value:
            return f"its {digest.algorithm} is {made.hexdigest()[:16]}…, the server promised {digest.value[:16]}…"
    return None
