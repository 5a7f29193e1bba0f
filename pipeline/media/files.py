"""A medium's file: its size and its digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.errors import BadMedia

__all__ = ["digest_of", "sha256_of", "size_of_regular"]


def sha256_of(content: Path | bytes) -> str:
    """The SHA-256 of a file, or of what it holds, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(path: Path) -> str:
    """A digest of the content, to know it again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def size_of_regular(path: Path) -> int:
    """The file's size in bytes.

    Raises:
        BadMedia: it isn't a regular file.
        FileNotFoundError: there is none.
    """
    if not path.is_file():
        # A pipe or a device would hang or never end.
        raise BadMedia("isn't a file: check the path") if path.exists() else FileNotFoundError(path)
    return path.stat().st_size
