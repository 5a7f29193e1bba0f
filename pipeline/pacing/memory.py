"""What a run has learned of an API, kept for the next one: a small file a base URL and model, in the user's cache.

Nothing depends on it: a file that is gone, broken or from another version is as good as none, and one that can't be
written is not.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.pacing.render_times import Observation
from pipeline.placing import write_whole

__all__ = ["CACHE_VARIABLE", "Learned", "Memory", "cache_folder"]

CACHE_VARIABLE = "AVATAR_BATCH_CACHE_DIR"
"""The folder to use instead of the user's cache; empty: nothing is kept."""

VERSION = 1
SLOWEST_PER_S = 1 / 600
"""A rate below is no limit of an API that renders clips but a night of trouble, or nonsense."""
MOST_AT_ONCE = 1_000_000
"""No account has room for more."""
QUICKEST_S, LONGEST_S = 0.01, 86_400.0
"""Render times that can be."""
KEPT = 48
"""Render times that are kept: enough to start from, few enough to be outweighed by a night that is different."""


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one model at one base URL.

    Attributes:
        clips_at_once: the limit of clips rendering at once; None if none was met.
        requests_per_s, submits_per_s: rates that were found; None if none was met.
        render_times: ``after_s, by_s, voice_s`` of clips, the latest last.
    """

    version: int = VERSION
    clips_at_once: int | None = None
    requests_per_s: float | None = None
    submits_per_s: float | None = None
    render_times: tuple[tuple[float, float, float], ...] = ()

    @classmethod
    def of(
        cls, clips_at_once: int | None, requests_per_s: float, submits_per_s: float, observations: Sequence[Observation]
    ) -> Learned:
        """What a run knows at its end; rates are inf where none was met."""
        times = [(one.after_s, one.by_s, one.voice_s) for one in observations if one.ended]
        return cls(
            clips_at_once=clips_at_once,
            requests_per_s=requests_per_s if requests_per_s < math.inf else None,
            submits_per_s=submits_per_s if submits_per_s < math.inf else None,
            render_times=tuple(times[-KEPT:]),
        )

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The render times, for an estimate to start from."""
        return tuple(Observation(*one) for one in self.render_times if _is_possible(*one))


class Memory:
    """Recalls and keeps.

    Args:
        base_url: of the API.
        folder: where the files are; None: nothing is recalled, nothing is kept.
    """

    def __init__(self, base_url: str, folder: Path | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._folder = folder

    def recall(self, model: str) -> Learned:
        """What earlier runs learned; nothing, if there is no telling."""
        if self._folder is None:
            return Learned()
        try:
            learned = msgspec.json.decode(self._path(self._folder, model).read_bytes(), type=Learned)
        except (OSError, ValueError):
            return Learned()
        sound = learned.version == VERSION and 0 < (learned.clips_at_once or 1) <= MOST_AT_ONCE
        rates = (learned.requests_per_s, learned.submits_per_s)
        sound = sound and all(rate is None or rate >= SLOWEST_PER_S for rate in rates)
        return learned if sound else Learned()

    def keep(self, model: str, learned: Learned) -> None:
        """Keep it for the next run."""
        if self._folder is None:
            return
        path = self._path(self._folder, model)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, msgspec.json.encode(learned))

    def _path(self, folder: Path, model: str) -> Path:
        # A digest, since neither is a file's name; the key has no part in it.
        digest = hashlib.blake2b(f"{self._base_url}\n{model}".encode(), digest_size=12).hexdigest()
        return folder / f"pace-{digest}.json"


def _is_possible(after_s: float, by_s: float, voice_s: float) -> bool:
    return 0 <= after_s < by_s and QUICKEST_S <= by_s <= LONGEST_S and 0 <= voice_s <= LONGEST_S


def cache_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The folder for what is kept, by the customs of the platform; None where the user wants nothing kept.

    (XDG Base Directory Specification 0.8; Apple's File System Programming Guide.)
    """
    if CACHE_VARIABLE in environ:
        return Path(environ[CACHE_VARIABLE]) if environ[CACHE_VARIABLE] else None
    home = environ.get("HOME")
    if platform == "darwin" and home:
        return Path(home) / "Library" / "Caches" / "avatar-batch"
    base = environ.get("XDG_CACHE_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "avatar-batch"
    return Path(home) / ".cache" / "avatar-batch" if home else None
