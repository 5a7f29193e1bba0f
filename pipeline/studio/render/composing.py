"""From a picture file to one frame of the clip."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace
from PIL import ExifTags, Image, ImageFilter, ImageOps, UnidentifiedImageError

from pipeline.studio.render.task import RenderError

__all__ = ["compose", "open_picture", "to_video_frame"]

MAX_DECODED_PIXELS = 40_000_000
"""Pixels held at once (160 MB). A JPEG is decoded smaller to begin with, so much larger ones pass."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is opened at all: Pillow knows formats that start other programs (EPS), which no stranger's file may do."""

_DECODER_ERRORS = (
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    TypeError,
)

_GROUND = (128, 128, 128)
_BACKDROP_SCALE = 8
_BACKDROP_BLUR_PX = 6
_BACKDROP_LIGHT = 0.45


def open_picture(path: Path, width: int, height: int) -> Image.Image:
    """A picture of any mode as upright RGB, alpha laid over a neutral ground, no larger than is of use for the frame.

    Raises:
        RenderError: it can't be decoded, or is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            with Image.open(path, formats=_FORMATS) as image:
                image.draft("RGB", _needed(image, width, height))
                if image.width * image.height > MAX_DECODED_PIXELS:
                    raise RenderError(f"the picture has {image.width}x{image.height} pixels: save it smaller")
                orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
                picture = _to_rgb(_shrink(image, _needed(image, width, height)))
                picture.getexif()[ExifTags.Base.Orientation] = orientation
                return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        raise RenderError("the picture can't be read as a picture") from None
    except _DECODER_ERRORS as error:
        raise RenderError(f"the picture can't be decoded: {getattr(error, 'strerror', None) or error}") from None


def _needed(image: Image.Image, width: int, height: int) -> tuple[int, int]:
    """The size at which the picture fits the frame, upright or turned, whichever is larger: more is of no use."""
    scale = max(
        min(width / image.width, height / image.height),
        min(width / image.height, height / image.width),
    )
    return max(1, int(image.width * scale)), max(1, int(image.height * scale))


def _shrink(image: Image.Image, needed: tuple[int, int]) -> Image.Image:
    factor = min(image.width // needed[0], image.height // needed[1])
    if factor > 1 and image.mode in {"RGB", "RGBA", "L", "LA", "CMYK"}:
        # Halves, thirds, …: an exact and cheap box filter, before modes are converted at full size.
        return image.reduce(factor)
    image.load()
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        # 16 bits of grey: Pillow's own conversion would clip all above 255 to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        picture = Image.new("RGB", image.size, _GROUND)
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        picture.paste(clear, mask=clear)
        return picture
    return image.convert("RGB")


def compose(picture: Image.Image, width: int, height: int, *, fine: bool) -> Image.Image:
    """The picture as a whole, as large as fits the frame, over a blurred and darkened copy that fills it."""
    resample = Image.Resampling.LANCZOS if fine else Image.Resampling.BILINEAR
    small = (max(width // _BACKDROP_SCALE, 1), max(height // _BACKDROP_SCALE, 1))
    backdrop = ImageOps.fit(picture, small, Image.Resampling.BOX)
    backdrop = backdrop.filter(ImageFilter.GaussianBlur(_BACKDROP_BLUR_PX)).point(lambda value: value * _BACKDROP_LIGHT)
    frame = backdrop.resize((width, height), Image.Resampling.BICUBIC)
    front = ImageOps.contain(picture, (width, height), resample)
    frame.paste(front, ((width - front.width) // 2, (height - front.height) // 2))
    return frame


def to_video_frame(image: Image.Image) -> av.VideoFrame:
    """An RGB image as a yuv420p frame of BT.709, limited range."""
    rgb: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation="BICUBIC",
    )
