"""What shows between open lips: the cavity, the teeth, the tongue."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from pipeline.studio.render.head.curves import Floats, eased
from pipeline.studio.render.head.lips import Lips, u_bin
from pipeline.studio.render.head.picture import Planes

__all__ = ["Interior", "Lighting", "ycbcr"]

_CAVITY, _THROAT = (62, 24, 22), (20, 7, 7)
_TOOTH, _LOWER_TOOTH = (226, 214, 198), (188, 172, 156)
_TONGUE = (158, 82, 80)
_SKIN_SHARE = np.float32(0.15)
_TEETH_U = (0.0, 0.31, 0.55, 0.75, 0.90)
"""Where the upper teeth meet, from the middle outwards: incisors of 8.5 and 6.5 mm, canine, premolar, foreshortened."""
_TEETH_SHOW = 0.15
"""How far the upper teeth reach below the lip at rest: some 3 mm of a mouth 50 mm wide."""


def ycbcr(rgb: tuple[float, float, float]) -> Floats:
    """A colour in BT.709 limited range, of shape (3,) (ITU-R BT.709-6, item 3)."""
    red, green, blue = (value / 255 for value in rgb)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return np.array(
        (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748), np.float32
    )


@dataclass(frozen=True, slots=True)
class Lighting:
    """In what light a picture shows its face.

    Attributes:
        light: how bright it is lit, 1 for an evenly exposed light face.
        colour: 0 for a grey picture, 1 for one in full colours.
        skin: the skin's Cb and Cr, counted from grey; teeth take a little of it on, as all in a face does.
    """

    light: float
    colour: float
    skin: Floats


class Interior:
    """The inside of one mouth, painted once; frames see it through the lips.

    All of it is Y, Cb, Cr in floats; the tongue and the lower teeth have an opacity too and move with the jaw.
    """

    def __init__(self, rest: Planes, lips: Lips, lighting: Lighting) -> None:
        """Paint it.

        Args:
            rest: the frame at rest; between lips that are open in it lies what is kept.
            lips: where they are.
            lighting: of the picture.
        """
        self._lips = lips
        reach = int(np.ceil(1.5 * lips.half_width / 2)) * 2
        self._left, self._top = (int(value) // 2 * 2 - reach for value in lips.center)
        xs, ys = (np.arange(start, start + 2 * reach, dtype=np.float32) for start in (self._left, self._top))
        place = lips.to_mouth(np.stack(np.meshgrid(xs, ys), axis=-1))
        u, v = place[..., 0], place[..., 1]
        bins = u_bin(u)
        pixel = 1 / lips.half_width
        self._lighting = lighting
        self._skull = self._paint_cavity(u, v - lips.lower[bins])
        if lips.gap > 0:
            self._keep_shown(rest, u, v - lips.upper[bins], lips.lower[bins] - v, pixel)
        else:
            self._paint_upper_teeth(u, v - lips.upper[bins], pixel)
        self._jaw = self._paint_jaw(u, v - lips.lower[bins], pixel)

    def seen(
        self, origin: tuple[int, int], shape: tuple[int, ...], jaw: float, from_upper: Floats, from_lower: Floats
    ) -> Floats:
        """A window of the inside, of shape (*shape, 3), with the jaw ``jaw`` half widths down.

        ``origin`` (x, y) is the window's place in the frame; ``from_upper`` and ``from_lower`` tell each pixel's
        distance from the lips' edges in half widths.
        """
        x, y = origin[0] - self._left, origin[1] - self._top
        fall = jaw * self._lips.half_width
        shift_x, shift_y = -np.sin(self._lips.roll) * fall, np.cos(self._lips.roll) * fall
        size = (shape[1], shape[0])

        def window(texture: Floats, dx: float, dy: float) -> Floats:
            move = np.array(((1, 0, x - dx), (0, 1, y - dy)), np.float64)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return np.asarray(
                cv2.warpAffine(texture, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
            )

        skull, moving = window(self._skull, 0, 0), window(self._jaw, shift_x, shift_y)
        inside = skull + (moving[..., :3] - skull) * moving[..., 3:]
        # The lips throw a shadow inwards, the upper one more, as light comes from above.
        shade = (1 - np.float32(0.44) * np.exp(-np.maximum(from_upper, 0) / np.float32(0.07))) * (
            1 - np.float32(0.26) * np.exp(-np.maximum(from_lower, 0) / np.float32(0.05))
        )
        if self._lips.gap > 0:
            # What the picture shows is shaded already; only what the moving lips uncover isn't.
            shade = 1 - (1 - shade) * np.float32(min(1.0, jaw / 0.2))
        inside[..., 0] = 16 + (inside[..., 0] - 16) * shade
        return inside

    def _tone(self, rgb: tuple[float, float, float]) -> Floats:
        """A colour as this picture would show it."""
        value = ycbcr(rgb)
        light = self._lighting.light
        value[0] = 16 + (value[0] - 16) * light
        value[1:] = 128 + (value[1:] - 128) * (self._lighting.colour * light) + self._lighting.skin * _SKIN_SHARE
        return value

    def _paint_cavity(self, u: Floats, below: Floats) -> Floats:
        deep = np.exp(-((u / 0.75) ** 2) - (((below + 0.05) / 0.5) ** 2))[..., None]
        return np.asarray(self._tone(_CAVITY) * (1 - deep) + self._tone(_THROAT) * deep, np.float32)

    def _keep_shown(self, rest: Planes, u: Floats, below_upper: Floats, above_lower: Floats, pixel: float) -> None:
        """Between lips that are open in the picture, the picture itself: mostly teeth, which don't move."""
        height, width = rest.luma.shape
        rows = np.clip(np.arange(self._top, self._top + self._skull.shape[0]), 0, height - 1)
        columns = np.clip(np.arange(self._left, self._left + self._skull.shape[1]), 0, width - 1)
        colour = cv2.resize(rest.chroma[np.ix_(rows[::2] // 2, columns[::2] // 2)], None, fx=2, fy=2)
        shown = np.dstack((rest.luma[np.ix_(rows, columns)], colour)).astype(np.float32)
        # Blur and the lip's own shade reach a little inwards: the edge is cut inside of them.
        keep = eased(above_lower, 0.5 * pixel, 3.5 * pixel) * (below_upper > -6 * pixel) * eased(np.abs(u), 0.95, 0.8)
        self._skull = self._skull + (shown - self._skull) * keep[..., None]

    def _paint_upper_teeth(self, u: Floats, below: Floats, pixel: float) -> None:
        side = np.abs(u)
        bottom = np.full_like(u, -1.0)
        line = np.zeros_like(u)
        for number, (start, end) in enumerate(pairwise(_TEETH_U)):
            middle, half = (start + end) / 2, (end - start) / 2
            reach = _TEETH_SHOW - (0.0, 0.022, 0.008, 0.05)[number] - 0.05 * middle**2
            inside = (side >= start) & (side < end)
            bottom[inside] = (reach - 0.035 * np.abs((side[inside] - middle) / half) ** 3.5).astype(np.float32)
            line = np.maximum(line, np.exp(-(((side - start) / max(0.012, 0.8 * pixel)) ** 2)))
        soft = max(1.2 * pixel, 0.018)
        cover = eased(bottom - below, -soft, soft) * eased(side, 0.92, 0.80)
        # The arch turns away from the light, and the teeth are a little darker where they meet and at the gums.
        light = (1 - 0.62 * eased(side, 0.25, 0.95)) * (1 - 0.16 * line) * (0.80 + 0.20 * eased(below, -0.15, 0.08))
        tooth = self._tone(_TOOTH) * np.ones((*u.shape, 1), np.float32)
        tooth[..., 0] = 16 + (tooth[..., 0] - 16) * light
        self._skull = (self._skull + (tooth - self._skull) * cover[..., None]).astype(np.float32)

    def _paint_jaw(self, u: Floats, below: Floats, pixel: float) -> Floats:
        """The tongue and the edge of the lower teeth before it, with their opacity in a fourth channel."""
        soft = max(2 * pixel, 0.06)
        top = -0.20 * np.sqrt(np.maximum(1 - (u / 0.72) ** 2, 0)) + 0.05
        tongue = eased(below - top, -soft, soft) * eased(np.abs(u), 0.80, 0.55)
        shine = 0.78 + 0.30 * np.exp(-(((below - top - 0.10) / 0.10) ** 2)) - 0.14 * np.exp(-((u / 0.05) ** 2))
        painted = self._tone(_TONGUE) * np.ones((*u.shape, 1), np.float32)
        painted[..., 0] = 16 + (painted[..., 0] - 16) * shine
        edge = -0.045 + 0.06 * u**2 + 0.008 * np.cos(u * 2 * np.pi / 0.21)
        teeth = eased(below - edge, -max(1.2 * pixel, 0.02), max(1.2 * pixel, 0.02)) * eased(np.abs(u), 0.72, 0.5)
        gaps = np.exp(-(((np.mod(u + 0.105, 0.21) - 0.105) / max(0.012, 0.8 * pixel)) ** 2))
        tooth = self._tone(_LOWER_TOOTH) * np.ones((*u.shape, 1), np.float32)
        tooth[..., 0] = 16 + (tooth[..., 0] - 16) * (1 - 0.55 * eased(np.abs(u), 0.1, 0.7)) * (1 - 0.2 * gaps) * 0.8
        painted = painted + (tooth - painted) * teeth[..., None]
        cover = np.maximum(tongue * 0.92, teeth)
        return np.dstack((painted, cover)).astype(np.float32)
