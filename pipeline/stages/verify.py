"""Holding a downloaded file against all that is known of the clip, and putting it in place for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BadMedia
from pipeline.media import ClipFacts, check_clip
from pipeline.media.clips import look_at_clip
from pipeline.media.files import sha256_of
from pipeline.models import Model
from pipeline.placing import put_in_place
from pipeline.stages.digests import mismatch
from pipeline.stages.fetch import Fetched

__all__ = ["Refused", "Verified", "Verifier"]

DECODERS = 2
"""Clips that are decoded at once: each takes a core and the memory of a few pictures."""


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
    """Works in the downloads' threads; decoding has threads of its own, waiting for the disk has not.

    A thread that has decoded keeps its share of the allocator's memory, so few threads do.
    """

    def __init__(self) -> None:
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")

    def verify(self, part: Path, output: Path, *, fetched: Fetched, model: Model, voice_s: float | None) -> Verified:
        """Check the part file and give it the clip's name.

        A file whose bytes are vouched for, by a checksum or by one answer that brought them all, is followed through
        its structure; one that was put together from pieces is decoded too.

        Args:
            fetched: how it came.
            model, voice_s: what the clip should be; seconds.

        Raises:
            Refused: it isn't that.
            OSError: the disk.
        """
        sha256 = sha256_of(part)
        if wrong := mismatch(part, fetched.digests):
            raise Refused(f"came damaged: {wrong}", sha256)
        try:
            if fetched.digests or fetched.in_one_piece:
                facts = look_at_clip(part, decode=False)
            else:
                facts = self._decoders.submit(look_at_clip, part).result()
        except BadMedia as error:
            raise Refused(str(error), sha256) from None
        if wrong := check_clip(facts, model, voice_s):
            raise Refused(wrong, sha256)
        put_in_place(part, output)
        return Verified(facts, sha256)

    def close(self) -> None:
        """Let the threads end; what they do now is not waited for."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
