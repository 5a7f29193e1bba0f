"""Holding downloaded files against all that is known of their clips, and putting them in place for good."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import BadMedia
from pipeline.media import ClipFacts, check_clip
from pipeline.media.clips import look_at_clip
from pipeline.media.files import sha256_of
from pipeline.models import Model
from pipeline.placing import Finished, keep_room, put_all_in_place, write_new
from pipeline.stages.digests import mismatch
from pipeline.stages.fetch import Fetched
from pipeline.stages.together import Together

__all__ = ["Arrival", "Refused", "Verified", "Verifier", "refused_path"]

SMALL_BYTES = 1 << 20
DECODERS = 2
"""Clips that are decoded at once: each takes a core and the memory of a few pictures."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that came, and the clip that it should be.

    Attributes:
        part: where it is, or where it goes first if it came in memory.
        output: the clip's place.
        fetched: how it came.
        model, voice_s: what the clip should be; seconds.
    """

    part: Path
    output: Path
    fetched: Fetched
    model: Model
    voice_s: float | None


@dataclass(frozen=True, slots=True)
class Verified:
    """A clip that stands in OUT."""

    facts: ClipFacts
    sha256: str


class Refused(Exception):
    """The file isn't the clip. ``sha256`` tells whether a second download brought the same."""

    def __init__(self, message: str, sha256: str) -> None:
        super().__init__(message)
        self.sha256 = sha256


class Verifier:
    """Checks files and gives them their clips' names.

    Large files are checked side by side. Small ones, which came in memory, are written, checked and put in place
    together by one thread, which puts the large ones in place too: names of a folder share its flush.

    Args:
        out: the folder of all clips.
        at_once: large files that are checked side by side.
        reserved_bytes: room on the disk that is left alone.
    """

    def __init__(self, out: Path, at_once: int, reserved_bytes: int) -> None:
        self._out = out
        self._reserved_bytes = reserved_bytes
        self._threads = ThreadPoolExecutor(at_once, "verify")
        # A thread that has decoded keeps its share of the allocator's memory, so few threads do.
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        self._placing: Together[tuple[Arrival, Verified | None], Verified] = Together(self._place, "place")

    async def verify(self, arrival: Arrival) -> Verified:
        """Check a file and give it the clip's name.

        A file whose bytes are vouched for, by a checksum or by one answer that brought them all, is followed through
        its structure; one that was put together from pieces is decoded too.

        Raises:
            Refused: it isn't the clip; it is in the part file.
            DiskFull, OSError: the disk.
        """
        content = arrival.fetched.content
        if content is not None and len(content) <= SMALL_BYTES:
            return await self._placing.do((arrival, None))
        checked = await asyncio.get_running_loop().run_in_executor(self._threads, self._check_large, arrival)
        return await self._placing.do((replace(arrival, fetched=replace(arrival.fetched, content=None)), checked))

    def close(self) -> None:
        """Let the threads end; decoding is not waited for."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._threads.shutdown()
        self._placing.close()

    def _check(self, arrival: Arrival) -> Verified:
        fetched = arrival.fetched
        clip = arrival.part if fetched.content is None else fetched.content
        sha256 = sha256_of(clip)
        if wrong := mismatch(clip, fetched.digests):
            raise Refused(f"came damaged: {wrong}", sha256)
        try:
            if fetched.digests or fetched.in_one_piece:
                facts = look_at_clip(clip, decode=False)
            else:
                facts = self._decoders.submit(look_at_clip, clip).result()
        except BadMedia as error:
            raise Refused(str(error), sha256) from None
        if wrong := check_clip(facts, arrival.model, arrival.voice_s):
            raise Refused(wrong, sha256)
        return Verified(facts, sha256)

    def _check_large(self, arrival: Arrival) -> Verified:
        if arrival.fetched.content is not None:
            self._write(arrival)
        return self._check(arrival)

    def _place(self, batch: Sequence[tuple[Arrival, Verified | None]]) -> list[Verified | Exception]:
        outcomes: list[Verified | Exception] = []
        new_bytes = 0
        for arrival, checked in batch:
            try:
                if checked is None:
                    new_bytes += len(arrival.fetched.content or b"")
                    keep_room(self._out, self._reserved_bytes + new_bytes)
                outcomes.append(checked or self._check_small(arrival))
            except Exception as error:
                outcomes.append(error)
        good = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Verified)]
        arrivals = [batch[number][0] for number in good]
        failures = put_all_in_place([Finished(one.part, one.output, one.fetched.content) for one in arrivals])
        for number, one, failure in zip(good, arrivals, failures, strict=True):
            outcomes[number] = failure or outcomes[number]
            if failure is None:
                with suppress(OSError):
                    os.unlink(refused_path(one.part))  # an earlier download of it, which is of no use any more
        return outcomes

    def _check_small(self, arrival: Arrival) -> Verified:
        try:
            return self._check(arrival)
        except Refused:
            self._write(arrival)
            raise

    def _write(self, arrival: Arrival) -> None:
        content = arrival.fetched.content or b""
        keep_room(self._out, self._reserved_bytes + len(content))
        os.close(write_new(arrival.part, content))


def refused_path(part: Path) -> Path:
    """Where a file is kept that was refused: it is paid for, and people may want to look."""
    return part.with_name(part.name.removesuffix(".mp4.part") + ".refused.part")
