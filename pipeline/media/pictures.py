"""Pictures, read by Pillow."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pipeline.errors import BadMedia
from pipeline.media.facts import Picture
from pipeline.media.files import digest_of, size_of_regular

__all__ = ["look_at_picture"]

MAX_PIXELS = 120_000_000
"""Pictures beyond this are refused unread: they are decompression bombs, or of no use to a 1080p model."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What may be opened at all: Pillow's other formats include one that runs Ghostscript. Those listed and not taken are named in the refusal."""


def look_at_picture(path: Path) -> Picture:
    """Read a picture's header, then decode it once (small, where the format can), so that a cut file is seen.

    Raises:
        BadMedia: it isn't a picture, is cut short, or is absurdly large.
        OSError: it can't be read at all.
    """
    size_bytes = size_of_regular(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: the check below is stricter
            with Image.open(path, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise BadMedia(
                        f"{width}x{height} pixels are more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller"
                    )
                # A phone's MPO is a JPEG with more pictures behind the first.
                kind = {"MPO": "JPEG"}.get(image.format or "", image.format or "unknown")
                picture = Picture(kind.lower(), width, height, size_bytes, digest_of(path))
                image.draft("RGB", (width // 8, height // 8))
                image.load()
    except BadMedia:
        raise
    except Image.DecompressionBombError:
        raise BadMedia("is a decompression bomb: far too many pixels; give another picture") from None
    except UnidentifiedImageError:
        raise BadMedia("isn't a picture that can be read: give a JPEG, PNG or WEBP file") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError) as error:
        raise BadMedia(f"is a damaged picture ({error}): export it again") from None
    return picture
