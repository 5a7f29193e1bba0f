"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["flush_folder", "put_in_place", "write_whole"]


def put_in_place(part: Path, path: Path) -> None:
    """A finished file under its name, durably: content, then name, then the folder that holds the name.

    Raises:
        OSError: the disk.
    """
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Put the names in a folder on disk.

    Raises:
        OSError: the disk.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write what can be made again: readers see the old file or the new one, and a failed one leaves nothing behind.

    Raises:
        OSError: the disk.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
