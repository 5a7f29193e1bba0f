"""What a client is asked to do."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A job for a client that has no manifest.

    Attributes:
        at_once: clips under way together.
        interval_s: between two polls of a clip.
        tries: of a request (the bare script), or of a whole clip (the documented loop, the SDK).
    """

    base_url: str
    model: str
    rows: int
    tag: str
    at_once: int
    interval_s: float
    tries: int
    image: str
    audio: str
    out: str

    @classmethod
    def from_arguments(cls) -> Task:
        """The task whose file is named on the command line."""
        return cls(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write it for another process."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def body(self, row: int) -> dict[str, str]:
        """The submit of a row."""
        return {"model": self.model, "prompt": f"{self.tag}:r{row}", **self.media()}

    def media(self) -> dict[str, str]:
        """Picture and voice as data URIs."""
        kinds = {"image_url": (self.image, "image/png"), "audio_url": (self.audio, "audio/wav")}
        return {
            name: f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
            for name, (path, kind) in kinds.items()
        }

    def clip(self, row: int) -> Path:
        """Where the row's clip goes."""
        return Path(self.out) / f"r{row}.mp4"
