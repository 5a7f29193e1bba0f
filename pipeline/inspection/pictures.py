"""Small pictures for the pages: a frame of each clip, and the row's own picture beside it.

They are kept in ``OUT/report_files`` under names made of what they show, so an old one is never taken for a new one.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import av.error
from PIL import Image, ImageOps

from pipeline.placing import write_whole

__all__ = [
    "clip_poster",
    "clip_poster_name",
    "draw_clip",
    "draw_source",
    "report_files",
    "source_poster",
    "source_poster_name",
]

FOLDER = "report_files"
CLIP_PX = 400
SOURCE_PX = 120
MAX_PIXELS = 120_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
_NO_PICTURE = (av.error.FFmpegError, Image.DecompressionBombError, OSError, SyntaxError, ValueError, IndexError)


def report_files(out: Path, *, make: bool = True) -> Path:
    """The folder of the report's pictures; made if it isn't there."""
    folder = out / FOLDER
    if make:
        folder.mkdir(exist_ok=True)
    return folder


def clip_poster_name(clip: Path) -> str:
    """The file name of a clip's poster; empty if the clip isn't there."""
    return _name("clip", clip)


def source_poster_name(image: str) -> str:
    """The file name of a row's small picture; empty for a link, which is not fetched, and for a file that is gone."""
    return "" if image.lower().startswith(("http://", "https://")) else _name("face", Path(image))


def clip_poster(clip: Path, folder: Path, until: float = math.inf) -> str:
    """The poster's file name in ``folder``, drawn if it isn't there yet; empty if there is nothing to draw.

    Args:
        until: a time of ``time.monotonic`` from which on nothing more is drawn.
    """
    return _kept(folder, clip_poster_name(clip), lambda: draw_clip(clip) if time.monotonic() < until else b"")


def source_poster(image: str, folder: Path) -> str:
    """The small picture's file name in ``folder``, drawn if it isn't there yet; empty if there is nothing to draw."""
    return _kept(folder, source_poster_name(image), lambda: draw_source(Path(image)))


def draw_clip(clip: Path) -> bytes:
    """A frame from a third of the way into the clip, as a small JPEG; empty if it can't be decoded."""
    try:
        with av.open(os.fspath(clip), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.skip_frame = "NONKEY"
            container.seek(int((container.duration or 0) / 3))
            frame = next(container.decode(stream))
            scale = min(1.0, CLIP_PX / max(frame.width, frame.height))
            small = frame.reformat(
                width=max(2, round(frame.width * scale)), height=max(2, round(frame.height * scale)), format="rgb24",
                interpolation="AREA",
            )  # fmt: skip
            return _jpeg(small.to_image())  # type: ignore[no-untyped-call]
    except (*_NO_PICTURE, StopIteration):
        return b""


def draw_source(image: Path) -> bytes:
    """The row's picture, small; empty if it can't be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(image, formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    return b""
                picture.draft("RGB", (SOURCE_PX, SOURCE_PX))
                picture.thumbnail((SOURCE_PX * 2, SOURCE_PX * 2))
                return _jpeg(ImageOps.exif_transpose(picture).convert("RGB"))
    except _NO_PICTURE:
        return b""


def _name(kind: str, path: Path) -> str:
    try:
        info = path.stat()
    except (OSError, ValueError):
        return ""
    text = f"{path.absolute()}\0{info.st_size}\0{info.st_mtime_ns}"
    return f"{kind}-{hashlib.blake2b(text.encode('utf-8', 'surrogateescape'), digest_size=10).hexdigest()}.jpg"


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=72, optimize=True)
    return file.getvalue()


def _kept(folder: Path, name: str, draw: Callable[[], bytes]) -> str:
    if not name:
        return ""
    path = folder / name
    if not path.exists():
        data = draw()
        if not data:
            return ""
        try:
            write_whole(path, data)
        except OSError:
            return ""
    return name
