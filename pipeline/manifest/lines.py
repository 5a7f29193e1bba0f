"""Text of a manifest, a line at a time: UTF-8 with or without BOM, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Unreadable", "lines_of"]

MAX_LINE_BYTES = 1 << 20
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
# What YAML calls non-printable; also in a CSV nobody means it.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Unreadable(Exception):
    """The text can't be read on from ``line``; the message says why and what to do."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def lines_of(path: Path) -> Iterator[str]:
    """The file's lines with their line ends, decoded.

    Raises:
        Unreadable: the file can't be opened, isn't UTF-8, or holds control characters.
    """
    try:
        if not path.is_file():
            raise Unreadable(0, "isn't a file: check the path" if path.exists() else "no such file: check the path")
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                yield _decoded(line, number)
    except OSError as error:
        raise Unreadable(0, f"can't be read ({error.strerror}): check the path and its permissions") from None


def _decoded(line: bytes, number: int) -> str:
    if number == 1 and line[:2] in _BOMS:
        raise Unreadable(1, f"is {_BOMS[line[:2]]} text: save it as UTF-8")
    if len(line) >= MAX_LINE_BYTES:
        raise Unreadable(number, f"a line of more than {MAX_LINE_BYTES:,} bytes: this is hardly a manifest")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            number, f"isn't UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1}): save it as UTF-8"
        ) from None
    if control := _CONTROL.search(text):
        raise Unreadable(
            number, f"control character U+{ord(control.group()):04X} at column {control.start() + 1}: remove it"
        )
    return text
