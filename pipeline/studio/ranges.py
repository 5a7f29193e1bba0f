"""Which bytes of a clip a request gets (RFC 9110, sections 13 and 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Part", "choose"]

_RANGE = re.compile(r"bytes=\s*(?P<first>\d*)-(?P<last>\d*)\s*")


@dataclass(frozen=True, slots=True)
class Part:
    """The status to answer with, and the bytes that go with it."""

    status: int
    first: int
    count: int


def choose(headers: Mapping[str, str], size: int, etag: str, last_modified: str) -> Part:
    """Choose the status and the bytes for a GET or HEAD of ``size`` bytes.

    ``etag`` is strong and quoted, ``last_modified`` an HTTP date; a resumed download must never be put together of
    two different files, so ``If-Range`` holds only where it equals one of the two exactly.
    """
    if (match := headers.get("If-Match")) is not None and not _listed(etag, match, weak=False):
        return Part(412, 0, 0)
    if (none_match := headers.get("If-None-Match")) is not None and _listed(etag, none_match, weak=True):
        return Part(304, 0, 0)
    whole = Part(200, 0, size)
    wanted = _RANGE.fullmatch(headers.get("Range", ""))
    if wanted is None or headers.get("If-Range", etag).strip() not in {etag, last_modified}:
        return whole  # no range, several, or of a unit we don't know: all of these may be answered with the whole
    first, last = wanted["first"], wanted["last"]
    if not first and not last:
        return whole
    if not first:
        count = min(int(last), size)
        return Part(206, size - count, count) if count else Part(416, 0, 0)
    if last and int(last) < int(first):
        return whole
    if int(first) >= size:
        return Part(416, 0, 0)
    end = min(int(last) + 1, size) if last else size
    return Part(206, int(first), end - int(first))


def _listed(etag: str, header: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    tags = (tag.strip() for tag in header.split(","))
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in tags)
