"""Looking at a job's media once each: a batch often has one face and hundreds of voices."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from pipeline.errors import BadMedia, one_line
from pipeline.media import Picture, Voice

__all__ = ["Looks", "LooksMemory", "NoMemory", "stamp_of"]

_Seen = TypeVar("_Seen", Picture, Voice)


class LooksMemory(Protocol):
    """Where looks outlive the process (the state file), so that resuming a large job doesn't decode it all again."""

    def recall(self, path: str, stamp: str) -> Picture | Voice | None:
        """What was seen at ``path`` when its stamp was ``stamp``."""

    def remember(self, path: str, stamp: str, seen: Picture | Voice) -> None:
        """Keep what was seen."""


class NoMemory:
    """For a check that leaves no trace."""

    def recall(self, path: str, stamp: str) -> Picture | Voice | None:
        """Nothing."""
        return None

    def remember(self, path: str, stamp: str, seen: Picture | Voice) -> None:
        """Forget it."""


def stamp_of(path: str | os.PathLike[str]) -> str:
    """Size and modification time of a file: when it changes, so may the content.

    Raises:
        OSError: there is no such file.
    """
    info = os.stat(path)
    return f"{info.st_size}:{info.st_mtime_ns}"


class Looks:
    """Pictures and voices by path, the recent ones in memory, all of them in ``memory``."""

    def __init__(self, memory: LooksMemory | None = None, recent: int = 2048) -> None:
        self._memory = memory or NoMemory()
        self._recent: OrderedDict[tuple[str, str, str], Picture | Voice | str] = OrderedDict()
        self._size = recent

    def picture(self, path: str) -> tuple[Picture, str] | str:
        """The picture and its stamp, or what is wrong with it."""
        return self._look(path, _look_at_picture, Picture)

    def voice(self, path: str) -> tuple[Voice, str] | str:
        """The voice and its stamp, or what is wrong with it."""
        return self._look(path, _look_at_voice, Voice)

    def _look(self, path: str, look: Callable[[Path], _Seen], kind: type[_Seen]) -> tuple[_Seen, str] | str:
        try:
            stamp = stamp_of(path)
        except OSError as error:
            return _missing(path) if isinstance(error, FileNotFoundError) else _unreadable(error)
        key = (kind.__name__, path, stamp)
        seen: Picture | Voice | str | None = self._recent.get(key)
        if seen is None:
            recalled = self._memory.recall(path, stamp)
            seen = recalled if isinstance(recalled, kind) else self._see(path, stamp, look)
            self._recent[key] = seen
            if len(self._recent) > self._size:
                self._recent.popitem(last=False)
        else:
            self._recent.move_to_end(key)
        return (seen, stamp) if isinstance(seen, kind) else str(seen)

    def _see(self, path: str, stamp: str, look: Callable[[Path], _Seen]) -> _Seen | str:
        try:
            seen = look(Path(path))
        except BadMedia as error:
            return one_line(str(error))
        except FileNotFoundError:
            return _missing(path)
        except OSError as error:
            return _unreadable(error)
        self._memory.remember(path, stamp, seen)
        return seen


# Media libraries are slow to import, and a job that is resumed has seen its media before.


def _look_at_picture(path: Path) -> Picture:
    from pipeline.media.pictures import look_at_picture  # noqa: PLC0415

    return look_at_picture(path)


def _look_at_voice(path: Path) -> Voice:
    from pipeline.media.voices import look_at_voice  # noqa: PLC0415

    return look_at_voice(path)


def _missing(path: str) -> str:
    return f"no such file: {'write / between folders, not a backslash' if chr(92) in path else 'check the path'}"


def _unreadable(error: OSError) -> str:
    return f"can't be read ({error.strerror or error}): check its permissions"
