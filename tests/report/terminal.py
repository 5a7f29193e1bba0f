"""A command in a terminal of its own, and what stands on its screen: only what the project's output needs of one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

__all__ = ["Screen", "Seen", "as_svg", "run_in_terminal"]

_ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
CELL, LINE = 8.43, 20


class Screen:
    """Lines of text, a cursor, and the few control sequences that tqdm uses."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self.lines = [""]
        self._row = self._column = 0
        self.widest = 0

    def feed(self, text: str) -> None:
        """Write as a program does."""
        at = 0
        while at < len(text):
            if matched := _ESCAPE.match(text, at):
                self._control(matched.group(1), matched.group(2))
                at = matched.end()
                continue
            self._put(text[at])
            at += 1

    def _control(self, numbers: str, kind: str) -> None:
        if kind == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif kind == "K":
            self.lines[self._row] = self.lines[self._row][: self._column]

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row, self._column = self._row + 1, 0
            if self._row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1
            self.widest = max(self.widest, self._column)

    @property
    def text(self) -> list[str]:
        """What can be read."""
        return [line.rstrip() for line in self.lines]


@dataclass(slots=True)
class Seen:
    """What a command left, and each state of its bar.

    Attributes:
        bars: every line that held a bar, in order.
        screens: the whole screen at each of them.
    """

    code: int
    screen: Screen
    bars: list[str] = field(default_factory=list)
    screens: list[list[str]] = field(default_factory=list)


def run_in_terminal(command: Sequence[str], *, columns: int, environ: Mapping[str, str], cwd: Path) -> Seen:
    """Run a command to its end in a terminal so many columns wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {name: value for name, value in environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=known, cwd=cwd) as process:
        os.close(slave)
        seen = Seen(0, Screen(columns))
        rest = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # Linux's word for: everybody has closed the other end
                break
            if not data:
                break
            rest += data
            whole = rest.decode("utf-8", "ignore")
            rest = rest[len(whole.encode()) :]
            seen.screen.feed(whole)
            bar = next((line for line in seen.screen.text if "%|" in line), "")
            if bar and (not seen.bars or seen.bars[-1] != bar):
                seen.bars.append(bar)
                seen.screens.append(seen.screen.text)
        os.close(master)
        seen.code = process.wait()
    return seen


def as_svg(title: str, lines: Sequence[str], columns: int) -> str:
    """A picture of a terminal."""
    width, height = columns * CELL + 36, len(lines) * LINE + 66
    rows = "".join(
        f'<text x="18" y="{56 + number * LINE}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    dots = "".join(
        f'<circle cx="{22 + 20 * n}" cy="20" r="6" fill="{fill}"/>'
        for n, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{escape(title)}">'
        f'<rect width="100%" height="100%" rx="10" fill="#12151b"/>{dots}'
        f'<text x="{width / 2:.0f}" y="25" text-anchor="middle" fill="#8b93a3" font-family="system-ui, sans-serif" '
        f'font-size="13">{escape(title)}</text>'
        f'<g fill="#e6e9ef" font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">{rows}</g></svg>\n'
    )
