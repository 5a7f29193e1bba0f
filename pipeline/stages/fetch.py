"""One file from a link to a part file: streamed, resumed, bounded."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import msgspec

from pipeline.api.pieces import retry_after_s
from pipeline.errors import AvatarBatchError, DiskFull, one_line
from pipeline.stages.digests import Digest, digests_of
from pipeline.stages.links import LinkRefused, check_link
from pipeline.stages.part_file import Holding, PartFile
from pipeline.stages.spool import Spool

__all__ = ["Broken", "Fetch", "Fetched", "LinkExpired", "Part", "fetch"]

WRITE_BYTES = 1 << 20
READ_BYTES, HELD_READ_BYTES = 1 << 16, 1 << 18
"""``read_bufsize``: written piece by piece, a download is half as fast with aiohttp's own 256 KiB (benchmarks/downloads.py); held
in memory it is a fifth faster with them (the race ``large``)."""
MAX_REDIRECTS = 5
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Broken(AvatarBatchError):
    """The download broke off or could not start; what came is kept, and it can be tried again.

    ``retry_after_s`` is what the server asked to wait, where it did.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LinkExpired(AvatarBatchError):
    """The link is no good (any more): the API has a fresh one."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """What must be known of a part file to go on with it.

    Attributes:
        validator: the file's strong ETag, or its Last-Modified, for ``If-Range``; empty where there is neither.
        total_bytes: the whole file's length, where the server told it.
        boot: the machine's boot; after a power cut the tail of a part file can't be trusted.
        output: the clip's file name; under a new one is another part file, perhaps of another clip.
    """

    validator: str = ""
    total_bytes: int | None = None
    boot: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of a file that came whole.

    Attributes:
        digests: the checksums that the server promised for it.
        in_one_piece: whether one answer brought all of it, as long as that answer said it would be.
        content: the file itself, where it is small enough to be written and checked in one go; then it is not on disk.
    """

    digests: tuple[Digest, ...]
    in_one_piece: bool
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    part: Part
    offset: int
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """How a link is fetched.

    Attributes:
        session: has no key in it.
        stall_timeout_s: no byte for so long is a break.
        max_bytes: more is refused.
        reserved_bytes: room on the disk that is left alone.
        allow_private: whether links into private networks are followed.
        received: told of bytes as they come.
        holding: memory for files that come whole; whoever gets such a file gives back what it took.
    """

    session: aiohttp.ClientSession
    stall_timeout_s: float
    max_bytes: int
    reserved_bytes: int
    allow_private: bool
    boot: str
    received: Callable[[int], object] = int
    holding: Holding = field(default_factory=Holding)


NotePart = Callable[[Part], None]


async def fetch(how: Fetch, url: str, path: Path, known: Part, note: NotePart) -> Fetched:
    """Bring the file behind ``url`` to ``path``, going on with what is there if it is of the same file.

    A small file that comes whole is not written but given back; what comes of a broken one is on disk.

    Args:
        known: what was noted of the part file, if anything.
        note: called with what to remember before the first byte of a new file is written.

    Raises:
        LinkExpired: ask the API for a fresh link.
        Broken: try again; the bytes that came stay.
        DiskFull: no room.
    """
    offset = _usable_bytes(path, known, how.boot)
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if known.validator:
            headers["If-Range"] = known.validator
    try:
        async with await _open(how, url, headers) as response:
            answer = _understand(response, offset, known)
            if answer.part.total_bytes is not None and answer.part.total_bytes > how.max_bytes:
                raise Broken(f"the file has {answer.part.total_bytes:,} bytes, more than download.max_bytes allows")
            file = PartFile(path, answer.offset, how.reserved_bytes)
            if answer.offset == 0 or not known.boot:
                file.opening = partial(note, msgspec.structs.replace(answer.part, boot=how.boot))
            async with aclosing(file):
                content = await _take(how, response, file, answer)
            return Fetched(answer.digests, answer.offset == 0 and answer.part.total_bytes is not None, content)
    except _StartAnew:
        path.unlink(missing_ok=True)
        raise
    except LinkRefused as error:
        raise LinkExpired(str(error)) from None
    except TimeoutError:
        raise Broken(f"no byte for {how.stall_timeout_s:g} s") from None
    except (aiohttp.ClientError, ConnectionError, ValueError) as error:
        raise Broken(f"the connection broke: {one_line(str(error) or type(error).__name__, 200)}") from None
    except OSError as error:
        raise _disk_error(error, path) from None


def _usable_bytes(path: Path, known: Part, boot: str) -> int:
    """How much of the part file to go on from; 0 for anew."""
    if not known.boot or known.boot != boot or (not known.validator and known.total_bytes is None):
        return 0
    try:
        info = path.lstat()
    except OSError:
        return 0
    if not stat.S_ISREG(info.st_mode):
        return 0
    size = info.st_size
    if known.total_bytes is not None and size >= known.total_bytes:
        # Whole already, or more than whole: the last byte is asked for again, which shows whether it is the file.
        return known.total_bytes - 1 if size == known.total_bytes and size else 0
    return size


async def _open(how: Fetch, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
    """Send the request, following redirects by hand: each hop is held against the same rules as the link."""
    for _ in range(MAX_REDIRECTS + 1):
        check_link(url, allow_private=how.allow_private)
        read_bytes = HELD_READ_BYTES if how.holding.likely else READ_BYTES
        response = await how.session.get(url, headers=headers, allow_redirects=False, read_bufsize=read_bytes)
        if response.status not in {301, 302, 303, 307, 308}:
            return response
        target = response.headers.get("Location", "")
        response.close()
        url = urljoin(url, target)
    raise LinkRefused("the link redirects without end")


def _understand(response: aiohttp.ClientResponse, offset: int, known: Part) -> _Answer:
    status, headers = response.status, response.headers
    if status in _EXPIRED:
        raise LinkExpired(f"the link answered {status}")
    if status == 416:
        # What is on disk isn't a beginning of this file.
        raise _StartAnew("the server has no such range")
    if status not in {200, 206}:
        raise Broken(f"the link answered {status}", retry_after_s=retry_after_s(headers))
    etag = headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    if status == 200:
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        return _Answer(Part(validator, total), 0, digests_of(headers, whole=True))
    matched = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if not matched or int(matched.group(1)) != offset:
        raise _StartAnew("the server sent another range than was asked for")
    total = None if matched.group(3) == "*" else int(matched.group(3))
    if known.total_bytes is not None and total is not None and total != known.total_bytes:
        raise _StartAnew("the file has another length now")
    if known.validator and validator and validator != known.validator:
        raise _StartAnew("the file is another one now")
    part = Part(known.validator or validator, known.total_bytes if total is None else total)
    return _Answer(part, offset, digests_of(headers, whole=False))


class _StartAnew(Broken):
    """What is on disk is of no use: the part file goes."""


async def _take(how: Fetch, response: aiohttp.ClientResponse, file: PartFile, answer: _Answer) -> bytes | None:
    """Write what comes; or give it back if it is a whole file that may be held in memory, and came soon."""
    total = answer.part.total_bytes
    most = how.max_bytes if total is None else min(how.max_bytes, total)
    spool = Spool(file.write, min(WRITE_BYTES, most - answer.offset))
    held: list[bytes] | None = [] if not answer.offset and total is not None and how.holding.take(total) else None
    clock = asyncio.get_running_loop().time
    until = clock() + how.holding.patience_s

    async def add(piece: bytes) -> None:
        if held is None:
            await spool.add(piece)
            return
        held.append(piece)
        if clock() >= until:
            await let_go()

    async def let_go() -> None:
        nonlocal held
        if held is not None:
            pieces, held = held, None
            how.holding.give_back(total or 0)
            for piece in pieces:
                await spool.add(piece)

    try:
        await _receive(how, response, answer, add)
    except BaseException:
        await let_go()
        raise
    finally:
        await spool.finish()
    return None if held is None else b"".join(held)


async def _receive(
    how: Fetch, response: aiohttp.ClientResponse, answer: _Answer, add: Callable[[bytes], Awaitable[object]]
) -> None:
    total = answer.part.total_bytes
    size, most = answer.offset, how.max_bytes if total is None else min(how.max_bytes, total)
    try:
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > most:
                raise _StartAnew("the server sent more bytes than the file has")
            how.received(len(piece))
            await add(piece)
    except aiohttp.ClientError:
        # aiohttp tells of the break before it hands out what came ahead of it; there is no public way to that.
        for piece in getattr(response.content, "_buffer", ()):
            await add(piece)
        raise
    if total is not None and size != total:
        raise Broken(f"the connection ended {total - size:,} bytes early")


def _disk_error(error: OSError, path: Path) -> AvatarBatchError:
    return DiskFull(f"{path} can't be written ({error.strerror or error}): free space or mend the disk, then run again")
