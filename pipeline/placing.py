"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DiskFull
from pipeline.uncached import write_all

__all__ = [
    "Finished", "create_new", "flush", "keep_room", "put_all_in_place", "put_in_place", "write_new", "write_whole",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finished:
    """A file that is to have its name.

    Attributes:
        part: where it is, or where it is made.
        path: its place.
        content: what it holds, where it is not on disk yet.
    """

    part: Path
    path: Path
    content: bytes | None = None


def put_in_place(part: Path, path: Path) -> None:
    """A finished file under its name, durably.

    Raises:
        OSError: the disk.
    """
    (error,) = put_all_in_place([Finished(part, path)])
    if error is not None:
        raise error


def put_all_in_place(files: Sequence[Finished]) -> list[OSError | None]:
    """Finished files under their names, durably: contents, then names, then the folders that hold them.

    Many together are quicker than one by one: what waits for one flush is flushed by it.

    Returns:
        The disk's error for each, or None.
    """
    errors: list[OSError | None] = [None] * len(files)
    descriptors: dict[int, int] = {}
    for number, file in enumerate(files):
        try:
            descriptors[number] = _open_written(file)
        except OSError as error:
            errors[number] = error
    folders: dict[Path, list[int]] = {}
    for number, descriptor in descriptors.items():
        file = files[number]
        try:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(file.part, file.path)
            folders.setdefault(file.path.parent, []).append(number)
        except OSError as error:
            errors[number] = error
    for folder, numbers in folders.items():
        try:
            flush(folder)
        except OSError as error:
            for number in numbers:
                errors[number] = error
    return errors


def flush(path: Path) -> None:
    """Put a file's content on disk, or the names in a folder.

    Raises:
        OSError: the disk.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_new(path: Path) -> int:
    """An empty file to write: in place of an old one, never through a link, in a folder that is made if there is none.

    Returns:
        Its descriptor.

    Raises:
        OSError: the disk.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        path.unlink()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, flags, 0o666)


def write_new(path: Path, content: bytes) -> int:
    """A new file (see `create_new`) with a content, not flushed yet.

    Returns:
        Its descriptor.

    Raises:
        OSError: the disk.
    """
    descriptor = create_new(path)
    try:
        write_all(descriptor, content)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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


def keep_room(folder: Path, size_bytes: int) -> None:
    """Look whether a folder's disk has so much room for whoever is not root.

    Raises:
        DiskFull: it hasn't.
        OSError: there is no such folder.
    """
    info = os.statvfs(folder)
    if info.f_bavail * info.f_frsize < size_bytes:
        raise DiskFull(f"the disk of {folder} is full: free space, then run again")


def _open_written(file: Finished) -> int:
    if file.content is None:
        return os.open(file.part, os.O_RDONLY)
    return write_new(file.part, file.content)
