"""The studio's directory: what lies where, who may read it, who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.studio.options import StudioRefused

__all__ = ["Home"]

_LOCK_EVERY_S = 0.05


class Home:
    """Paths inside a studio's directory. Names are made of generation ids of our own, never of anything received."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.database = self.directory / "studio.db"
        self._media = self.directory / "media"
        self._clips = self.directory / "clips"
        self._lock = self.directory / "lock"
        self._secret = self.directory / "secret"

    def picture(self, generation: str) -> Path:
        """The picture that a generation starts from."""
        return self._media / f"{generation}.picture"

    def voice(self, generation: str) -> Path:
        """The voice that a generation starts from."""
        return self._media / f"{generation}.voice"

    def clip(self, generation: str) -> Path:
        """The finished clip of a generation."""
        return self._clips / f"{generation}.mp4"

    def drop_media(self, generation: str) -> None:
        """Remove what a generation started from; it has ended."""
        self.picture(generation).unlink(missing_ok=True)
        self.voice(generation).unlink(missing_ok=True)

    def tidy(self, unfinished: set[str]) -> None:
        """Remove what a killed studio left half-done: parts of clips, and media that no unfinished generation needs."""
        for part in self._clips.glob("*.part"):
            part.unlink(missing_ok=True)
        for path in self._media.iterdir():
            if path.name.partition(".")[0] not in unfinished:
                path.unlink(missing_ok=True)

    def secret(self) -> bytes:
        """The key that clip links are signed with: made once, so that links outlive a restart."""
        try:
            descriptor = os.open(self._secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            found = self._secret.read_bytes()
            if len(found) >= 32:
                return found
            # Cut short by a crash at its very first start: links signed with it are as good as expired.
            self._secret.unlink()
            return self.secret()
        with os.fdopen(descriptor, "wb") as file:
            made = secrets.token_bytes(32)
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        return made

    @contextlib.contextmanager
    def held(self, patience_s: float = 0.0) -> Iterator[None]:
        """Make the directory and hold it; the kernel lets go of it when this process ends, however it ends.

        ``patience_s`` is how long to wait for another studio that holds it and may be about to end.

        Raises:
            StudioRefused: it can't be made, or another live studio holds it.
        """
        try:
            for directory in (self.directory, self._media, self._clips):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StudioRefused(f"{self.directory} can't be used: {error.strerror}") from None
        try:
            if not _locked(descriptor, patience_s):
                holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip() or "unknown"
                raise StudioRefused(
                    f"{self.directory} is held by another studio ({holder}): stop it, or choose another directory"
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _locked(descriptor: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOCK_EVERY_S)
        else:
            return True
