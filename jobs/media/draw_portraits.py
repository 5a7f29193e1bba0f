"""Draw the portraits of the demo job: soft-shaded digital illustrations of people who do not exist.

For maintainers only; the pictures are shipped, nothing runs this at install, run or test time.

Requirements: Python >= 3.11 and ``pip install "numpy>=1.26" "scipy>=1.11" "pillow>=10" "skia-python>=138"``.
Usage:        ``python jobs/media/draw_portraits.py [NAME ...] [--out DIR] [--scale 2]``

How a picture is made. The unit of length is the distance between the pupils, the origin lies midway between them, y points
down. A head is a closed outline, inflated into a height field (the square root of the solution of a Poisson equation), with
brow, sockets, nose, cheeks, lips and chin added as smooth bumps. Its normals are lit by a warm key, a cool fill and a rim
light; the light is turned into colour by a painter's ramp (shadow, half-tone, light, highlight), then eyes, brows, lips,
lashes and hair are painted over it as vector shapes and thousands of tapered strokes. Everything is drawn larger and scaled
down. All randomness is seeded: the same versions give the same picture.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import skia
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse
from scipy.interpolate import PchipInterpolator
from scipy.sparse.linalg import spsolve

Floats = NDArray[np.float32]
Point = tuple[float, float]
Colour = tuple[float, float, float]


# ---------------------------------------------------------------------------------------------- small tools
def rgb(code: str) -> Colour:
    """``#rrggbb`` as three numbers from 0 to 1."""
    code = code.lstrip("#")
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)


def stops(text: str) -> list[tuple[float, Colour]]:
    """A ramp of colours written as ``place #rrggbb  place #rrggbb ...``."""
    words = text.split()
    return [(float(at), rgb(code)) for at, code in zip(words[::2], words[1::2], strict=True)]


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """The colour that lies at t between a and b."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def spline(points: Sequence[Point], closed: bool = False, per: int = 24) -> NDArray[np.float64]:
    """A smooth curve (centripetal Catmull-Rom) through the points, sampled."""
    p = np.asarray(points, float)
    p = np.vstack([p[-1], p, p[0], p[1]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    out = []
    for i in range(1, len(p) - 2):
        p0, p1, p2, p3 = p[i - 1], p[i], p[i + 1], p[i + 2]
        d1, d2, d3 = (max(float(np.hypot(*d)), 1e-6) ** 0.5 for d in (p1 - p0, p2 - p1, p3 - p2))
        m1 = d2 * ((p1 - p0) / d1 - (p2 - p0) / (d1 + d2) + (p2 - p1) / d2)
        m2 = d2 * ((p2 - p1) / d2 - (p3 - p1) / (d2 + d3) + (p3 - p2) / d3)
        t = np.linspace(0, 1, per, endpoint=False)[:, None]
        h = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2
        out.append(h[0] * p1 + h[1] * m1 + h[2] * p2 + h[3] * m2)
    if not closed:
        out.append(p[-2][None])
    return np.vstack(out)


def poly(points: Iterable[Sequence[float]], closed: bool = True) -> skia.Path:
    """A path of straight lines."""
    pts = [skia.Point(float(x), float(y)) for x, y in points]
    return skia.PathBuilder().addPolygon(pts, closed).detach()


def blob(points: Sequence[Point]) -> skia.Path:
    """A closed smooth shape through the points."""
    return poly(spline(points, closed=True))


def lower(curve: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """A curve moved down (up, if negative)."""
    return np.asarray(curve + np.array([0.0, by]))


def pts(text: str, side: int = 1) -> list[Point]:
    """Points written as ``x,y x,y ...``; the x of a feature of one side is multiplied by the side."""
    return [(side * float(x), float(y)) for x, y in (p.split(",") for p in text.split())]


def mirrored(points: Sequence[Point]) -> list[Point]:
    """A closed outline from its right half, given from top to bottom (points with x = 0 are not doubled)."""
    return [*points, *[(-x, y) for x, y in reversed(points) if abs(x) > 1e-9]]


def tapered(
    curve: NDArray[np.float64], width: NDArray[np.float64] | Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> skia.Path:
    """A stroke along a sampled curve; its width is given for each sample, or as a function of the way (0..1)."""
    d = np.gradient(curve, axis=0)
    n = np.stack([-d[:, 1], d[:, 0]], 1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    full = width(np.linspace(0, 1, len(curve))) if callable(width) else width
    w = full[:, None] / 2
    return poly(np.vstack([curve + n * w, (curve - n * w)[::-1]]))


def smoothstep(a: float, b: float, x: Floats) -> Floats:
    """0 below a, 1 above b, smooth between."""
    t = np.clip((x - a) / (b - a), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def ramp(v: Floats, marks: Sequence[tuple[float, Colour]]) -> Floats:
    """Brightness to colour by a painter's ramp."""
    xs = [s[0] for s in marks]
    at = np.clip(v, xs[0], xs[-1])
    return np.asarray(np.stack([PchipInterpolator(xs, [s[1][c] for s in marks])(at) for c in range(3)], -1), np.float32)


class Easel:
    """A canvas with a coordinate system in face units, a float picture, and layers of vector drawing."""

    def __init__(self, width: int, height: int, origin: Point, unit: float, scale: float) -> None:
        self.w, self.h = round(width * scale), round(height * scale)
        self.ox, self.oy, self.u = origin[0] * scale, origin[1] * scale, unit * scale
        self.px = 1.0 / self.u
        yy, xx = np.mgrid[0 : self.h, 0 : self.w].astype(np.float32)
        self.x = (xx + 0.5 - self.ox) / self.u
        self.y = (yy + 0.5 - self.oy) / self.u
        self.img: Floats = np.zeros((self.h, self.w, 3), np.float32)

    def draw(self, paint: Callable[[skia.Canvas], None]) -> Floats:
        """What ``paint`` draws, as premultiplied RGBA from 0 to 1."""
        surface = skia.Surface(self.w, self.h)
        canvas = surface.getCanvas()
        canvas.clear(skia.Color4f(0, 0, 0, 0))
        canvas.translate(self.ox, self.oy)
        canvas.scale(self.u, self.u)
        paint(canvas)
        a = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
        out = np.asarray(a, np.float32) / 255
        out[..., :3] *= out[..., 3:]
        return out

    def mask(self, path: skia.Path, blur: float = 0.0) -> Floats:
        """The coverage of a path, softened by a Gaussian of ``blur`` units."""
        m = self.draw(lambda c: c.drawPath(path, skia.Paint(AntiAlias=True, Color4f=skia.Color4f(1, 1, 1, 1))))[..., 3]
        return self.blur(m, blur) if blur else m

    def blur(self, a: Floats, sigma: float) -> Floats:
        """A Gaussian of sigma units; large ones are made on a smaller copy."""
        s = sigma * self.u
        k = max(1, int(s / 6))
        if k == 1:
            return np.asarray(ndimage.gaussian_filter(a, s), np.float32)
        small = ndimage.gaussian_filter(shrink(a, k), s / k)
        return grow(small, a.shape, k)

    def over(self, layer: Floats, clip: Floats | None = None, alpha: float = 1.0) -> None:
        """Lay premultiplied RGBA over the picture."""
        f = np.float32(alpha) if clip is None else clip[..., None] * np.float32(alpha)
        self.img = np.asarray(self.img * (1 - layer[..., 3:] * f) + layer[..., :3] * f, np.float32)

    def tint(self, colour: Colour | Floats, amount: Floats | float) -> None:
        """Mix a colour in, by an amount from 0 to 1 at each place."""
        a = np.asarray(amount, np.float32)
        a = a[..., None] if a.ndim == 2 else a
        self.img = self.img + (np.asarray(colour, np.float32) - self.img) * a

    def multiply(self, colour: Colour, amount: Floats) -> None:
        """Darken as a glaze of the colour."""
        self.img = self.img * (1 - amount[..., None] * (1 - np.asarray(colour, np.float32)))

    def screen(self, colour: Colour, amount: Floats) -> None:
        """Lighten as a glow of the colour."""
        glow = amount[..., None] * np.asarray(colour, np.float32)
        self.img = np.asarray(1 - (1 - self.img) * (1 - glow), np.float32)

    def paint(
        self, path: skia.Path, colour: Colour, alpha: float = 1.0, blur: float = 0.0, clip: Floats | None = None
    ) -> None:
        """Fill one path, softly if asked."""
        a = self.mask(path, blur) * np.float32(alpha)
        self.tint(colour, a if clip is None else a * clip)

    def fill(self, paths: Iterable[skia.Path], paint: skia.Paint) -> None:
        """Fill many paths in one way."""

        def each(canvas: skia.Canvas) -> None:
            for path in paths:
                canvas.drawPath(path, paint)

        self.over(self.draw(each))

    def finish(self, size: tuple[int, int], grain: float, seed: int) -> Image.Image:
        """Scale down, add a trace of grain against banding, and make it 8 bits."""
        chans = [
            Image.fromarray(np.clip(self.img[..., c], 0, 1)).resize(size, Image.Resampling.LANCZOS) for c in range(3)
        ]
        a = np.stack([np.asarray(c) for c in chans], -1)
        rng = np.random.default_rng(seed)
        a = a + ndimage.gaussian_filter(rng.normal(0, grain, a.shape[:2]), 0.6)[..., None].astype(np.float32)
        return Image.fromarray((np.clip(a, 0, 1) * 255 + 0.5).astype(np.uint8))


def shrink(a: Floats, k: int) -> Floats:
    """A copy k times smaller, by area."""
    h, w = a.shape[0] // k * k, a.shape[1] // k * k
    pad = np.pad(a, ((0, (k - a.shape[0] % k) % k), (0, (k - a.shape[1] % k) % k)), mode="edge")
    h, w = pad.shape
    return np.asarray(pad.reshape(h // k, k, w // k, k).mean((1, 3)), np.float32)


def grow(a: Floats, shape: tuple[int, ...], k: int = 0) -> Floats:
    """A smooth copy k times larger (bicubic), cut to the given size."""
    k = k or math.ceil(shape[0] / a.shape[0])
    im = Image.fromarray(a).resize((a.shape[1] * k, a.shape[0] * k), Image.Resampling.BICUBIC)
    return np.asarray(im, np.float32)[: shape[0], : shape[1]]


def inflate(e: Easel, path: skia.Path, depth: float, cell: float = 0.015) -> tuple[Floats, Floats, Floats]:
    """Blow a shape up like a cushion: its coverage, and its slope in x and y (per unit)."""
    m = e.mask(path)
    k = max(1, round(cell * e.u))
    s = shrink(m, k) > 0.5
    ys, xs = np.nonzero(s)
    idx = -np.ones(s.shape, int)
    idx[ys, xs] = np.arange(len(ys))
    pad = np.pad(idx, 1, constant_values=-2)
    rows, cols = [], []
    degree = np.full(len(ys), 4.0)  # beyond the edge of the canvas the shape goes on
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        j = pad[ys + dy, xs + dx]
        ok = j >= 0
        degree -= j == -2
        rows.append(np.nonzero(ok)[0])
        cols.append(j[ok])
    r, c = np.concatenate(rows), np.concatenate(cols)
    n = len(ys)
    lap = sparse.csc_matrix((-np.ones(len(r)), (r, c)), shape=(n, n)) + sparse.diags(degree, format="csc")
    cell_units = k / e.u
    u = np.zeros(s.shape, np.float32)
    u[ys, xs] = spsolve(lap, np.full(n, cell_units**2))
    full = grow(ndimage.gaussian_filter(u, 1.3), m.shape, k)
    top = float(full.max())
    full = np.maximum(full, top * 2e-3) / top
    gy, gx = np.gradient(full, e.px)
    f = depth / (2 * np.sqrt(full))
    return m, np.asarray(gx * f, np.float32), np.asarray(gy * f, np.float32)


@dataclass
class Light:
    """Where the light comes from and how strong it is."""

    key: tuple[float, float, float] = (-0.46, -0.50, 0.73)
    fill: tuple[float, float, float] = (0.75, 0.05, 0.65)
    rim: tuple[float, float, float] = (0.93, -0.25, -0.10)
    ambient: float = 0.20
    key_gain: float = 0.74
    fill_gain: float = 0.20

    def diffuse(self, gx: Floats, gy: Floats, wrap: float = 0.25) -> Floats:
        """Soft light from 0 to about 1 on a surface of the given slopes."""
        inv = 1 / np.sqrt(gx**2 + gy**2 + 1)
        key, fill = _unit(self.key), _unit(self.fill)
        k = (-gx * key[0] - gy * key[1] + key[2]) * inv
        f = (-gx * fill[0] - gy * fill[1] + fill[2]) * inv
        k = np.clip((k + wrap) / (1 + wrap), 0, 1)
        return np.asarray(self.ambient + self.key_gain * k + self.fill_gain * np.clip(f, 0, 1), np.float32)

    def shine(self, gx: Floats, gy: Floats, power: float) -> Floats:
        """The highlight of the key light on a surface of the given slopes."""
        key = _unit(self.key)
        half = _unit((key[0], key[1], key[2] + 1))
        c = (-gx * half[0] - gy * half[1] + half[2]) / np.sqrt(gx**2 + gy**2 + 1)
        return np.asarray(np.clip(c, 0, 1) ** power, np.float32)

    def edge(self, gx: Floats, gy: Floats, power: float = 2.0) -> Floats:
        """The rim light at the side that turns away."""
        inv = 1 / np.sqrt(gx**2 + gy**2 + 1)
        rim = _unit(self.rim)
        facing = np.clip((-gx * rim[0] - gy * rim[1] + rim[2]) * inv, 0, 1)
        return np.asarray(facing**power * (1 - inv) ** 1.5, np.float32)


def _unit(v: tuple[float, float, float]) -> tuple[float, float, float]:
    n = math.sqrt(v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
    return (v[0] / n, v[1] / n, v[2] / n)


# ---------------------------------------------------------------------------------------------- the face
@dataclass
class Face:
    """The shape and the colours of a head; lengths in distances between the pupils."""

    outline: list[Point]  # right half, from the crown to the chin
    skin: list[tuple[float, Colour]]  # ramp from shadow to highlight
    blush: Colour
    lip: Colour
    lip_line: Colour
    iris: tuple[Colour, Colour, Colour]  # limbal ring, body, light crescent
    brow: Colour
    lash: Colour
    eye_w: float = 0.252
    eye_open: float = 1.0
    iris_r: float = 0.115
    tilt: float = 0.03  # outer corner of the eye higher
    brow_y: float = -0.33
    brow_thick: float = 0.085
    brow_arch: float = 0.05
    nose_w: float = 1.0
    nose_y: float = 0.70
    nose_ridge: float = 1.0
    mouth_y: float = 1.10
    mouth_w: float = 0.42
    lip_up: float = 0.095
    lip_low: float = 0.135
    smile: float = 0.035
    chin_y: float = 1.80
    jaw: float = 1.0
    lashes: float = 1.0
    lip_gloss: float = 0.5
    sheen: float = 0.22
    stubble: float = 0.0
    age: float = 0.0
    seed: int = 1
    relief: dict[str, float] = field(default_factory=dict)

    def upper_lid(self, s: int) -> list[Point]:
        """The edge of the upper lid from the inner to the outer corner; s is the side (-1 left in the picture)."""
        w, o, t = self.eye_w, self.eye_open, self.tilt
        pts = [
            (-w, 0.052),
            (-0.80 * w, 0.002),
            (-0.45 * w, -0.074 * o),
            (0.0, -0.106 * o),
            (0.45 * w, -0.088 * o),
            (0.82 * w, -0.030 * o),
            (w, 0.016),
        ]
        return [(s * (0.5 + x), y - t * x / w) for x, y in pts]

    def lower_lid(self, s: int) -> list[Point]:
        """The edge of the lower lid, from the inner to the outer corner."""
        w, o, t = self.eye_w, self.eye_open, self.tilt
        pts = [
            (-w, 0.052),
            (-0.72 * w, 0.075),
            (-0.3 * w, 0.091 * o),
            (0.15 * w, 0.095 * o),
            (0.55 * w, 0.077 * o),
            (0.85 * w, 0.046),
            (w, 0.016),
        ]
        return [(s * (0.5 + x), y - t * x / w) for x, y in pts]

    def lip_middle(self) -> list[Point]:
        """The line between the lips, from left to right."""
        w, y, k = self.mouth_w, self.mouth_y, self.smile
        half = [
            (0.0, y + 0.008),
            (0.08, y + 0.000),
            (0.17, y - 0.010),
            (0.28 * w / 0.42, y + 0.000 - 0.2 * k),
            (0.36 * w / 0.42, y - 0.002 - 0.55 * k),
            (w, y - k),
        ]
        return [*[(-x, yy) for x, yy in reversed(half[1:])], *half]

    def lip_top(self) -> list[Point]:
        """The upper contour of the upper lip, from left to right."""
        w, y, k, h = self.mouth_w, self.mouth_y, self.smile, self.lip_up
        half = [
            (0.0, y - 0.82 * h),
            (0.17 * w, y - h),
            (0.36 * w, y - 0.90 * h),
            (0.60 * w, y - 0.60 * h - 0.1 * k),
            (0.82 * w, y - 0.26 * h - 0.5 * k),
            (w, y - k),
        ]
        return [*[(-x, yy) for x, yy in reversed(half[1:])], *half]

    def lip_bottom(self) -> list[Point]:
        """The lower contour of the lower lip, from left to right."""
        w, y, k, h = self.mouth_w, self.mouth_y, self.smile, self.lip_low
        half = [
            (0.0, y + h),
            (0.24 * w, y + 0.985 * h),
            (0.47 * w, y + 0.87 * h),
            (0.68 * w, y + 0.69 * h - 0.1 * k),
            (0.87 * w, y + 0.37 * h - 0.45 * k),
            (w, y - k),
        ]
        return [*[(-x, yy) for x, yy in reversed(half[1:])], *half]

    def brow_line(self, s: int) -> list[Point]:
        """The middle of a brow, from the inner end outwards."""
        y, a = self.brow_y, self.brow_arch
        pts = [
            (0.205, y + 0.022),
            (0.33, y - 0.004),
            (0.48, y - 0.55 * a),
            (0.61, y - a),
            (0.73, y - 0.55 * a),
            (0.835, y + 0.055),
        ]
        return [(s * x, yy) for x, yy in pts]


def bump(x: Floats, y: Floats, cx: float, cy: float, sx: float, sy: float, turn: float = 0.0) -> Floats:
    """A Gaussian hill, turned by an angle in degrees."""
    dx, dy = x - cx, y - cy
    if turn:
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        dx, dy = dx * c + dy * s, -dx * s + dy * c
    return np.asarray(np.exp(-0.5 * ((dx / sx) ** 2 + (dy / sy) ** 2)), np.float32)


def along(y: Floats, knots: Sequence[tuple[float, float]]) -> Floats:
    """A smooth function of the height, through (y, value) knots, constant beyond them."""
    xs = [k[0] for k in knots]
    return np.asarray(PchipInterpolator(xs, [k[1] for k in knots])(np.clip(y, xs[0], xs[-1])), np.float32)


def relief(f: Face, x: Floats, y: Floats) -> Floats:
    """The features of the face as heights above the smooth head."""
    g = f.relief.get
    ax = np.abs(x)
    n, ny = f.nose_w, f.nose_y - 0.70
    z = 0.055 * g("ridge", 1.0) * bump(ax, y, 0.46, f.brow_y + 0.05, 0.30, 0.085, -6)
    z += 0.03 * bump(x, y, 0, f.brow_y - 0.02, 0.16, 0.12)
    z -= 0.150 * g("socket", 1.0) * bump(ax, y, 0.44, -0.02, 0.25, 0.155, 4)
    z -= 0.022 * bump(ax, y, 0.24, -0.06, 0.10, 0.13)
    z += 0.110 * bump(ax, y, 0.50, 0.00, 0.19, 0.115)
    z -= 0.018 * (0.6 + f.age) * bump(ax, y, 0.44, 0.20, 0.17, 0.035, 14)
    z += 0.05 * bump(x, y, 0, -0.75, 0.55, 0.35)
    # the nose: a ridge of changing height and width, a ball, two wings
    h = (
        along(
            y,
            [
                (-0.75, 0.0),
                (-0.52, 0.0),
                (-0.30, 0.045),
                (-0.08, 0.110),
                (0.15, 0.160),
                (0.40, 0.205),
                (0.58 + ny, 0.205),
                (0.70 + ny, 0.170),
                (0.77 + ny, 0.105),
                (0.83 + ny, 0.040),
                (0.91 + ny, 0.0),
                (1.1 + ny, 0.0),
            ],
        )
        * f.nose_ridge
    )
    s = (
        along(y, [(-0.45, 0.20), (-0.08, 0.090), (0.15, 0.088), (0.40, 0.098), (0.60 + ny, 0.120), (0.8 + ny, 0.115)])
        * n
    )
    z += h * np.exp(-(np.abs(ax / s) ** 2.15) / 1.8)
    z += 0.045 * bump(x, y, 0, 0.52, 0.24 * n, 0.20)
    z += 0.150 * g("tip", 1.0) * bump(x, y, 0, 0.672 + ny, 0.118 * n, 0.090)
    z += 0.128 * bump(ax, y, 0.198 * n, 0.702 + ny, 0.068 * n, 0.062)
    z -= 0.026 * bump(ax, y, 0.118 * n, 0.672 + ny, 0.028, 0.055, 20)
    z -= 0.022 * bump(ax, y, 0.290 * n, 0.67 + ny, 0.035, 0.07, 14)
    # cheeks and folds
    z += 0.115 * g("cheek", 1.0) * bump(ax, y, 0.70, 0.42, 0.27, 0.22, 24)
    z -= 0.060 * g("hollow", 1.0) * bump(ax, y, 0.80, 1.00, 0.18, 0.28, 14)
    fold = 0.022 * (1 + 1.6 * f.age) * g("fold", 1.0)
    z -= fold * bump(ax, y, 0.40, 0.86, 0.032, 0.17, 38 - 70)
    z += 0.6 * fold * bump(ax, y, 0.49, 0.84, 0.07, 0.17, 38 - 70)
    # the mouth: barrel, philtrum, lips, the dip under them
    my, mw = f.mouth_y, f.mouth_w
    z += 0.095 * bump(x, y, 0, my, 0.36, 0.26)
    z -= 0.012 * bump(x, y, 0, my - 0.17, 0.034, 0.065)
    z += 0.008 * bump(ax, y, 0.068, my - 0.18, 0.026, 0.085)
    inside = np.clip(1 - (ax / (mw * 1.06)) ** 2, 0, 1) ** 1.4
    middle = my + np.interp(ax, [0, 0.17, mw], [0.006, -0.008, -f.smile]).astype(np.float32)
    up = np.exp(-0.5 * ((y - (middle - f.lip_up * 0.42)) / (f.lip_up * 0.42)) ** 2)
    low = np.exp(-0.5 * ((y - (middle + f.lip_low * 0.47)) / (f.lip_low * 0.40)) ** 2)
    z += inside * (0.042 * up + 0.068 * low) * g("lips", 1.0)
    z -= 0.030 * inside * np.exp(-0.5 * ((y - middle) / 0.018) ** 2)
    z -= 0.024 * bump(ax, y, mw + 0.025, my - f.smile, 0.050, 0.050)
    z += 0.014 * bump(ax, y, mw + 0.11, my - 0.01, 0.07, 0.11)
    z -= 0.050 * bump(x, y, 0, my + f.lip_low + 0.075, 0.20, 0.050)
    z += 0.085 * g("chin", 1.0) * bump(x, y, 0, f.chin_y - 0.20, 0.21, 0.135)
    z -= 0.045 * bump(ax, y, 1.02, -0.45, 0.13, 0.30)
    return np.asarray(z, np.float32)


def cast(e: Easel, z: Floats, light: Light, reach: float = 0.55, slope: float = 0.62) -> Floats:
    """Soft shadows that a height field throws on itself (1: in shadow), traced towards the key light."""
    k = max(1, round(0.008 * e.u))
    zs = shrink(z, k)
    cell = k / e.u
    key = _unit(light.key)
    flat = math.hypot(key[0], key[1])
    dx, dy = key[0] / flat, key[1] / flat
    worst = np.zeros_like(zs)
    for step in np.arange(0.03, reach, cell * 1.4):
        moved = ndimage.shift(zs, (-dy * step / cell, -dx * step / cell), order=1, mode="nearest")
        worst = np.maximum(worst, (moved - zs - slope * step) / (0.02 + 0.10 * step))
    soft = ndimage.gaussian_filter(np.clip(worst, 0, 1), 0.018 / cell)
    return grow(np.asarray(soft, np.float32), z.shape, k)


def skin(e: Easel, f: Face, light: Light) -> Floats:
    """The head without eyes, brows and hair; returns its coverage."""
    cover, gx, gy = inflate(e, blob(mirrored(f.outline)), 1.28)
    z = relief(f, e.x, e.y)
    fy, fx = np.gradient(z, e.px)
    rng = np.random.default_rng(f.seed)
    pores = ndimage.gaussian_filter(rng.normal(0, 1, cover.shape), 0.0065 * e.u).astype(np.float32)
    pores *= 0.0007 / max(float(pores.std()), 1e-9)
    py, pxx = np.gradient(pores, e.px)
    nx, ny = gx + fx, gy + fy
    lit = light.diffuse(nx, ny)
    shadow = cast(e, z, light)
    hollow = np.clip((e.blur(z, 0.09) - z) / 0.045, -1, 1)
    v = lit * (1 - 0.27 * shadow) - 0.15 * np.clip(hollow, 0, 1) + 0.035 * np.clip(-hollow, 0, 1)
    v -= 0.10 * smoothstep(1.25, 1.95, e.y)
    v -= 0.26 * (1 - 1 / np.sqrt(gx**2 + gy**2 + 1)) ** 1.3
    wide = light.shine(nx + 0.35 * pxx, ny + 0.35 * py, 9)
    tight = light.shine(nx + 0.35 * pxx, ny + 0.35 * py, 46)
    oily = (
        0.30
        + 0.45 * bump(e.x, e.y, 0, 0.45, 0.14, 0.25)
        + 0.55 * bump(e.x, e.y, 0, f.nose_y - 0.03, 0.1, 0.07)
        + 0.7 * bump(e.x, e.y, 0, -0.75, 0.45, 0.25)
    )
    oily += 0.7 * bump(np.abs(e.x), e.y, 0.66, 0.32, 0.22, 0.14) + 0.5 * bump(e.x, e.y, 0, f.chin_y - 0.2, 0.16, 0.1)
    v += 0.010 * (pores / 0.0007) * 0.25
    old = e.img
    e.img = ramp(v, f.skin)
    # the hues of a face: warm cheeks, nose and ears, cooler eyes and jaw
    ax = np.abs(e.x)
    warm = 0.30 * bump(ax, e.y, 0.70, 0.52, 0.24, 0.20) + 0.26 * bump(e.x, e.y, 0, 0.62, 0.20, 0.15)
    warm += 0.20 * bump(e.x, e.y, 0, f.chin_y - 0.16, 0.22, 0.13) + 0.12 * bump(ax, e.y, 0.45, 0.0, 0.3, 0.16)
    e.multiply(f.blush, np.clip(warm, 0, 1))
    e.multiply((0.80, 0.72, 0.80), 0.22 * (1 + f.age) * bump(ax, e.y, 0.42, 0.17, 0.16, 0.055, 12))
    if f.stubble:
        beard = smoothstep(0.80, 1.10, e.y + 0.35 * smoothstep(0.45, 0.95, ax)) * (
            1 - 0.75 * bump(e.x, e.y, 0, f.mouth_y, 0.36, 0.15)
        )
        dots = np.clip(ndimage.gaussian_filter(rng.normal(0, 1, cover.shape), 0.0038 * e.u) * 8, 0, 1).astype(
            np.float32
        )
        e.multiply((0.62, 0.60, 0.62), f.stubble * e.blur(beard, 0.05) * (0.55 + 0.45 * dots))
    e.screen((1.0, 0.93, 0.85), f.sheen * np.clip(oily, 0, 1.3) * (0.55 * wide + 0.8 * tight) * (1 - shadow))
    e.screen((0.75, 0.85, 1.0), 0.40 * light.edge(nx, ny))
    e.img = old + (e.img - old) * cover[..., None]
    return cover


def nose_and_lips(e: Easel, f: Face) -> None:
    """Nostrils, the creases of the wings, and the lips with their line."""
    n, ny = f.nose_w, f.nose_y
    dark = mix(f.skin[0][1], (0.10, 0.02, 0.02), 0.45)
    for s in (-1, 1):
        hole = [
            (s * 0.050 * n, ny + 0.078),
            (s * 0.085 * n, ny + 0.046),
            (s * 0.135 * n, ny + 0.048),
            (s * 0.165 * n, ny + 0.074),
            (s * 0.130 * n, ny + 0.088),
            (s * 0.085 * n, ny + 0.092),
        ]
        e.paint(blob(hole), dark, 0.42, 0.020)
        e.paint(blob(hole), dark, 0.75, 0.007)
        crease = spline(
            [
                (s * 0.232 * n, ny - 0.085),
                (s * 0.272 * n, ny - 0.035),
                (s * 0.270 * n, ny + 0.030),
                (s * 0.215 * n, ny + 0.068),
            ]
        )
        e.paint(
            tapered(crease, lambda t: 0.028 * np.sin(np.pi * t) ** 0.8),
            mix(f.skin[0][1], f.skin[1][1], 0.35),
            0.50,
            0.012,
        )
    e.paint(
        tapered(
            spline([(-0.11 * n, ny + 0.112), (0, ny + 0.128), (0.11 * n, ny + 0.112)]),
            lambda t: 0.05 * np.sin(np.pi * t),
        ),
        f.skin[1][1],
        0.40,
        0.022,
    )
    top, mid, low = (spline(p) for p in (f.lip_top(), f.lip_middle(), f.lip_bottom()))
    upper, lower = poly(np.vstack([top, mid[::-1]])), poly(np.vstack([mid, low[::-1]]))
    # under the lower lip and at the corners the skin is in shade
    e.paint(
        tapered(
            spline(
                [
                    (-0.20, f.mouth_y + f.lip_low + 0.030),
                    (0, f.mouth_y + f.lip_low + 0.055),
                    (0.20, f.mouth_y + f.lip_low + 0.030),
                ]
            ),
            lambda t: 0.075 * np.sin(np.pi * t),
        ),
        f.skin[1][1],
        0.42,
        0.030,
    )
    um, lm = e.mask(upper, 0.006), e.mask(lower, 0.008)
    base = e.img.copy()
    e.tint(np.asarray(f.lip, np.float32) * (0.55 + 0.62 * base.mean(-1, keepdims=True)), 0.80 * um)
    e.tint(np.asarray(f.lip, np.float32) * (0.58 + 0.66 * base.mean(-1, keepdims=True)), 0.76 * lm)
    e.multiply((0.72, 0.56, 0.58), 0.62 * um)  # the upper lip turns away from the light
    # fine vertical creases of the lips
    rng = np.random.default_rng(f.seed + 7)
    creases = ndimage.gaussian_filter1d(rng.normal(0, 1, e.w), 0.008 * e.u).astype(np.float32)
    creases /= max(float(np.abs(creases).max()), 1e-9)
    bend = np.clip((e.x * (1 + 0.6 * np.abs(e.y - f.mouth_y)) * e.u + e.ox).astype(int), 0, e.w - 1)
    e.multiply((0.80, 0.66, 0.66), np.clip(creases[bend], 0, 1) * (um + lm) * 0.22)
    # fullness: darker towards the outline and the line, a wet highlight on the lower lip
    e.multiply((0.70, 0.50, 0.52), 0.45 * lm * (1 - e.blur(lm, 0.035)) * 1.6)
    hi = bump(e.x, e.y, -0.07, f.mouth_y + 0.47 * f.lip_low, 0.135, 0.022) + 0.5 * bump(
        e.x, e.y, 0.12, f.mouth_y + 0.50 * f.lip_low, 0.07, 0.018
    )
    e.screen((1.0, 0.86, 0.84), f.lip_gloss * 0.55 * hi * lm * (0.75 - 0.5 * np.clip(creases[bend], 0, 1)))
    e.screen((1.0, 0.85, 0.80), 0.16 * e.mask(tapered(top, lambda t: 0.022 * np.sin(np.pi * t) ** 0.5), 0.008))
    e.paint(tapered(mid, lambda t: 0.060 * np.sin(np.pi * t) ** 0.5), f.lip_line, 0.38, 0.014)
    e.paint(
        tapered(mid, lambda t: 0.020 * np.sin(np.pi * t) ** 0.6 * (0.75 + 0.25 * np.cos(6 * np.pi * t))),
        f.lip_line,
        0.85,
        0.004,
    )
    for s in (-1, 1):
        corner = (s * (f.mouth_w + 0.004), f.mouth_y - f.smile)
        e.multiply((0.60, 0.42, 0.40), 0.48 * bump(e.x, e.y, corner[0], corner[1], 0.040, 0.024))


def eye(e: Easel, f: Face, s: int) -> None:
    """One eye with its lids, lashes, iris and light."""
    up, lo = spline(f.upper_lid(s)), spline(f.lower_lid(s))
    hole = poly(np.vstack([up, lo[::-1]]))
    cx, cy = s * 0.5, -0.009
    skin_shadow, skin_half = f.skin[0][1], f.skin[1][1]
    # the socket: a soft dark crease above the lid, a lit lid below it
    crease = spline(
        [
            (x + s * 0.012 * i / 3, y - (0.040, 0.072, 0.086, 0.083, 0.078, 0.066, 0.045)[i])
            for i, (x, y) in enumerate(f.upper_lid(s))
        ]
    )
    e.paint(
        tapered(crease, lambda t: 0.055 * np.sin(np.pi * np.clip(0.08 + 0.92 * t, 0, 1)) ** 0.7), skin_half, 0.42, 0.024
    )
    e.paint(
        tapered(crease, lambda t: 0.018 * np.sin(np.pi * np.clip(0.06 + 0.9 * t, 0, 1)) ** 0.7),
        skin_shadow,
        0.62,
        0.006,
    )
    lid = poly(np.vstack([up, crease[::-1]]))
    e.screen((1.0, 0.90, 0.82), 0.10 * e.mask(lid, 0.016) * bump(e.x, e.y, cx, -0.13, 0.14, 0.05))
    # the ball
    m = e.mask(hole)
    if not m.any():
        return
    r = np.hypot((e.x - cx) / 1.0, (e.y - cy) / 1.0)
    ball = 1 - 0.22 * smoothstep(0.10, 0.30, r) - 0.06 * smoothstep(-0.02, 0.12, e.y - cy)
    white = np.stack([0.925 * ball, 0.895 * ball, 0.885 * ball], -1)
    e.tint(white, m)
    e.multiply((0.86, 0.66, 0.64), 0.32 * m * (smoothstep(0.15, 0.28, r)))
    car = bump(e.x, e.y, s * (0.5 - f.eye_w + 0.030), 0.050 + f.tilt * 0.9, 0.030, 0.024)
    e.tint((0.80, 0.50, 0.47), 0.85 * m * np.clip(car * 1.3, 0, 1))
    e.screen((1, 0.95, 0.95), 0.5 * m * bump(e.x, e.y, s * (0.5 - f.eye_w + 0.026), 0.042 + f.tilt * 0.9, 0.008, 0.006))
    # iris
    ri = f.iris_r
    ir = np.hypot(e.x - cx, e.y - cy) / ri
    ang = np.arctan2(e.y - cy, e.x - cx)
    disc = m * (1 - smoothstep(0.955, 1.035, ir))
    rng = np.random.default_rng(f.seed + 30 + s)
    ring = ndimage.gaussian_filter1d(rng.normal(0, 1, 720), 1.3, mode="wrap")
    ring2 = ndimage.gaussian_filter1d(rng.normal(0, 1, 720), 4, mode="wrap")
    i = ((ang / (2 * np.pi) % 1) * 720).astype(int) % 720
    fibre = (ring[i] / np.abs(ring).max() * 0.6 + ring2[i] / np.abs(ring2).max() * 0.6).astype(np.float32)
    dark, body, glow = (np.asarray(c, np.float32) for c in f.iris)
    col = (
        body
        + (glow - body)
        * np.clip(0.85 * bump(e.x, e.y, cx + 0.02, cy + 0.055, 0.075, 0.045) + 0.25 * fibre, 0, 1)[..., None]
    )
    col = col + (dark - col) * np.clip(smoothstep(0.66, 1.0, ir) * 0.95 + np.clip(-fibre, 0, 1) * 0.35, 0, 1)[..., None]
    col = col + (glow * 1.05 - col) * (0.40 * np.exp(-0.5 * ((ir - 0.50) / 0.08) ** 2) * (0.6 + fibre))[..., None]
    e.tint(col, disc)
    e.tint((0.03, 0.02, 0.025), m * (1 - smoothstep(0.36, 0.44, ir)))
    # the shadow of lid and lashes on the ball
    band = tapered(lower(up, 0.022), lambda t: np.full_like(t, 0.085))
    e.multiply((0.30, 0.24, 0.26), 0.72 * m * e.mask(band, 0.022))
    # lights
    e.screen(
        (1, 1, 1),
        m
        * 0.95
        * e.mask(
            blob(
                [(cx - 0.066, cy - 0.062), (cx - 0.026, cy - 0.072), (cx - 0.020, cy - 0.034), (cx - 0.058, cy - 0.026)]
            ),
            0.004,
        ),
    )
    e.screen((0.85, 0.93, 1), m * 0.32 * bump(e.x, e.y, cx + 0.048, cy + 0.052, 0.020, 0.013))
    # lower lid: a light wet rim, then a soft line
    rim = tapered(lower(lo, 0.010), lambda t: 0.024 * np.sin(np.pi * np.clip(0.05 + 0.9 * t, 0, 1)) ** 0.5)
    e.paint(rim, mix(f.skin[-2][1], (0.86, 0.56, 0.52), 0.45), 0.62, 0.005)
    line = tapered(lower(lo, 0.027), lambda t: 0.014 * np.clip(t, 0.15, 1) * (1 - t**8))
    e.paint(line, mix(skin_shadow, f.lash, 0.4), 0.50, 0.006)
    bag = spline(
        [(x, y + 0.085 + 0.02 * k) for k, (x, y) in zip((0, 1, 1.5, 1.6, 1.2, 0.6, 0), f.lower_lid(s), strict=True)]
    )
    e.paint(
        tapered(bag, lambda t: 0.03 * np.sin(np.pi * np.clip(t * 1.15, 0, 1))), skin_half, 0.20 + 0.3 * f.age, 0.018
    )
    # upper lash line, thicker outwards, and the lashes
    thick = 0.024 + 0.016 * f.lashes
    e.paint(
        tapered(
            lower(up, -0.004),
            lambda t: thick * (0.30 + 0.85 * t) * np.sin(np.pi * np.clip(0.07 + 0.90 * t, 0, 1)) ** 0.35,
        ),
        f.lash,
        0.92,
        0.005,
    )
    paths = []
    for t in np.sort(rng.uniform(0.10, 0.985, 44)):
        x, y = up[int(t * (len(up) - 1))]
        length = (0.022 + 0.066 * t**1.5) * (0.5 + 0.5 * f.lashes) * rng.uniform(0.65, 1.1)
        lean = (-0.35 + 1.45 * t) * s + rng.normal(0, 0.08)
        tip = (x + lean * length * 0.85, y - length * (0.95 - 0.35 * t))
        bow = (x + lean * length * 0.60, y - length * 0.28)
        paths.append(tapered(spline([(x, y), bow, tip], per=6), lambda q: 0.0085 * (1 - q) ** 0.8 + 0.0008))
    for t in np.sort(rng.uniform(0.45, 0.97, 16)):
        x, y = lo[int(t * (len(lo) - 1))]
        length = (0.012 + 0.020 * t) * (0.4 + 0.6 * f.lashes) * rng.uniform(0.7, 1.2)
        lean = (-0.3 + 1.2 * t) * s
        paths.append(
            tapered(
                spline(
                    [
                        (x, y + 0.024),
                        (x + lean * length * 0.3, y + 0.024 + length * 0.7),
                        (x + lean * length, y + 0.024 + length),
                    ],
                    per=5,
                ),
                lambda q: 0.005 * (1 - q) + 0.0008,
            )
        )
    strength = 0.55 + 0.40 * f.lashes

    def lash(c: skia.Canvas) -> None:
        for k, p in enumerate(paths):
            a = strength * (1.0 if k < 44 else 0.16)
            c.drawPath(p, skia.Paint(AntiAlias=True, Color4f=skia.Color4f(*f.lash, min(a, 1))))

    e.over(e.draw(lash))


def brow(e: Easel, f: Face, s: int) -> None:
    """One brow: a soft ground and a few hundred hairs that follow it."""
    mid = spline(f.brow_line(s))

    def width(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            f.brow_thick * (0.62 + 0.55 * np.sin(np.pi * np.clip(0.20 + 0.55 * t, 0, 1))) * (1 - t**3.2) + 0.006
        )

    e.paint(tapered(mid, lambda t: 0.80 * width(t)), f.brow, 0.62, 0.020)
    rng = np.random.default_rng(f.seed + 60 + s)
    d = np.gradient(mid, axis=0)
    d /= np.hypot(d[:, 0], d[:, 1])[:, None]
    hairs = []
    for _ in range(620):
        t = rng.beta(1.05, 1.15)
        i = int(t * (len(mid) - 1))
        tangent, normal = d[i], np.array([-d[i][1], d[i][0]]) * s
        off = rng.uniform(-0.5, 0.5)
        w = float(width(np.array([t]))[0])
        root = mid[i] + normal * off * w
        rise = (0.85 - 1.15 * t) - off * 0.9
        way = tangent * (0.55 + 0.45 * t) - normal * rise * 0.55
        way /= np.hypot(*way)
        length = rng.uniform(0.055, 0.095) * (0.75 + 0.3 * math.sin(math.pi * t))
        tip = root + way * length
        bow = root + way * length * 0.5 - normal * length * 0.06
        fade = min(1.0, 0.35 + 4.5 * t) * rng.uniform(0.45, 0.95)
        tone = mix(f.brow, (0.50, 0.33, 0.22), float(rng.uniform(0, 0.18)))
        hairs.append(
            (
                tapered(
                    spline([tuple(root), tuple(bow), tuple(tip)], per=5), lambda q: 0.0066 * (1 - q) ** 0.7 + 0.001
                ),
                tone,
                fade,
            )
        )

    def paint(c: skia.Canvas) -> None:
        for path, tone, fade in hairs:
            c.drawPath(path, skia.Paint(AntiAlias=True, Color4f=skia.Color4f(*tone, fade)))

    e.over(e.draw(paint), alpha=0.92)


# ---------------------------------------------------------------------------------------------- ears, neck, clothes
def ear(
    e: Easel, f: Face, light: Light, s: int, at: Point = (1.10, 0.22), size: float = 1.0, head: Floats | None = None
) -> None:
    """An ear seen from the front: drawn before the head, or after the hair and then cut by what the head covers."""

    def place(points: Sequence[Point]) -> list[Point]:
        return [(s * (at[0] + x * size), at[1] + y * size) for x, y in points]

    shape = place(
        pts("-0.1,-0.42 0.04,-0.5 0.15,-0.46 0.19,-0.3 0.16,-0.08 0.1,0.12 0.05,0.32 -0.03,0.4 -0.12,0.33 -0.14,0")
    )
    m, gx, gy = inflate(e, blob(shape), 0.16)
    v = light.diffuse(gx, gy) - 0.16 - (0.08 if s > 0 else 0.0)
    m = m if head is None else m * (1 - head)
    old = e.img
    e.img = ramp(v, f.skin)
    e.multiply(f.blush, 0.30 * np.ones_like(m))
    rim = spline(place(pts("-0.06,-0.36 0.05,-0.42 0.12,-0.36 0.13,-0.2 0.1,-0.02")))
    e.paint(tapered(rim, lambda t: 0.045 * np.sin(np.pi * np.clip(0.1 + 0.8 * t, 0, 1))), f.skin[0][1], 0.50, 0.018)
    inner = spline(place(pts("0.02,-0.24 0.06,-0.14 0.03,0.02 -0.02,0.12")))
    e.paint(tapered(inner, lambda t: 0.085 * np.sin(np.pi * t)), f.skin[0][1], 0.62, 0.024)
    e.screen(
        (1.0, 0.9, 0.8),
        0.14
        * e.mask(
            tapered(spline(place(pts("0.1,-0.46 0.165,-0.36 0.165,-0.2"))), lambda t: 0.03 * np.sin(np.pi * t)), 0.012
        ),
    )
    e.img = old + (e.img - old) * m[..., None]


def neck(e: Easel, f: Face, light: Light, outline: Sequence[Point], chest: float = 1.0) -> Floats:
    """Neck and upper chest under the head, with the shadow of the jaw; returns its coverage."""
    m, gx, gy = inflate(e, blob(mirrored(outline)), 0.95)
    x, y, ax = e.x, e.y, np.abs(e.x)
    z = np.zeros_like(m)
    bone = along(ax, pts("0.1,2.98 0.5,2.86 1.2,2.8 2.4,2.72"))
    z += 0.045 * chest * np.exp(-0.5 * ((y - bone) / 0.06) ** 2) * smoothstep(0.08, 0.25, ax)
    z -= 0.045 * chest * np.exp(-0.5 * ((y - bone + 0.16) / 0.09) ** 2) * smoothstep(0.2, 0.6, ax)
    z -= 0.055 * chest * bump(x, y, 0, 2.92, 0.10, 0.10)
    muscle = along(y, pts("1.6,0.62 2.2,0.44 2.85,0.13"))
    z += 0.035 * np.exp(-0.5 * ((ax - muscle) / 0.075) ** 2) * smoothstep(1.7, 2.0, y) * (1 - smoothstep(2.7, 2.9, y))
    z += 0.02 * bump(x, y, 0, 2.28, 0.10, 0.14)
    fy, fx = np.gradient(np.asarray(z, np.float32), e.px)
    nx, ny = gx + fx, gy + fy
    v = light.diffuse(nx, ny) - 0.10
    head = blob([(px, py) for px, py in mirrored(f.outline)])
    jaw = e.mask(head)
    under = (
        np.clip(_moved(e, e.blur(jaw, 0.055), 0.06, 0.26), 0, 1) * 0.62
        + _moved(e, e.blur(jaw, 0.20), 0.10, 0.50) * 0.55
    )
    v -= 0.62 * np.clip(under, 0, 1)
    old = e.img
    e.img = ramp(v, f.skin)
    e.multiply((0.93, 0.80, 0.78), 0.6 * np.clip(under, 0, 1) * bump(x, y, 0, 1.9, 1.2, 0.6))
    e.screen((1.0, 0.92, 0.84), 0.10 * light.shine(nx, ny, 14) * (1 - np.clip(under, 0, 1)))
    e.screen((0.75, 0.85, 1.0), 0.30 * light.edge(nx, ny))
    e.img = old + (e.img - old) * m[..., None]
    return m


def _moved(e: Easel, a: Floats, dx: float, dy: float) -> Floats:
    return np.asarray(ndimage.shift(a, (dy * e.u, dx * e.u), order=0, mode="constant"), np.float32)


@dataclass
class Fold:
    """A crease of cloth: a ridge (positive) or a valley along a line."""

    line: list[Point]
    height: float
    width: float


def cloth(
    e: Easel,
    light: Light,
    path: skia.Path,
    colours: Sequence[tuple[float, Colour]],
    folds: Sequence[Fold],
    depth: float = 0.9,
    weave: float = 0.02,
    seed: int = 0,
    knit: float = 0.0,
    edge: float = 0.25,
) -> Floats:
    """A garment as an inflated shape with folds and a trace of weave; returns its coverage."""
    m, gx, gy = inflate(e, path, depth, cell=0.03)
    z = np.zeros_like(m)
    for f in folds:
        line = spline(f.line)
        way = np.linspace(0, 1, len(line))
        swell = f.width * (0.15 + np.sin(np.pi * way) ** 0.7)
        z += f.height * e.mask(tapered(line, swell), f.width * 0.50)
    fy, fx = np.gradient(z, e.px)
    v = light.diffuse(gx + fx, gy + fy, wrap=0.15)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, m.shape).astype(np.float32)
    fine = ndimage.gaussian_filter(noise, (0.012 * e.u, 0.004 * e.u)) + ndimage.gaussian_filter(
        noise[::-1], (0.004 * e.u, 0.012 * e.u)
    )
    v += weave * fine / max(float(fine.std()), 1e-9)
    if knit:
        u, w = e.x * 30, e.y * 34
        v += knit * (np.sin(2 * np.pi * (u + 0.28 * np.abs(((w % 1) - 0.5) * 2))) * 0.5 + 0.3 * np.sin(2 * np.pi * w))
    old = e.img
    e.img = ramp(np.asarray(v, np.float32), colours)
    e.screen((0.75, 0.85, 1.0), edge * light.edge(gx + fx, gy + fy))
    e.img = old + (e.img - old) * m[..., None]
    return m


def shade_under(
    e: Easel, m: Floats, onto: Floats, colour: Colour, strength: float, blur: float, dx: float, dy: float
) -> None:
    """The soft shadow that one thing throws on another below it."""
    e.multiply(colour, np.clip(_moved(e, e.blur(m, blur), dx, dy), 0, 1) * onto * strength)


# ---------------------------------------------------------------------------------------------- hair
Stroke = tuple[float, skia.Path, skia.Paint]


@dataclass
class Sheet:
    """A sheet of hair between guide curves (each from root to tip, all with as many points)."""

    guides: list[list[Point]]
    count: int = 1500
    ribbons: int = 46
    width: float = 0.016
    wave: float = 0.05
    waves: float = 1.6
    wave_from: float = 0.35
    jitter: float = 0.010
    lights: tuple[tuple[float, float, float], ...] = ((0.26, 0.10, 0.95), (0.66, 0.10, 0.50))  # place, width, strength
    gain: float = 1.0
    edges: tuple[float, float] = (0.18, 0.16)  # how much darker at the first and the last guide
    ground: float = 0.80  # how far to the tip the dark ground under the strands goes
    reach: tuple[float, float] = (0.84, 1.0)  # how far to the tip the ribbons go

    def outline(self) -> skia.Path:
        """The shape of the whole sheet."""
        first, last = spline(self.guides[0]), spline(self.guides[-1])
        first, last = first[: int(len(first) * self.ground)], last[: int(len(last) * self.ground)]
        return poly(np.vstack([first, last[::-1]]))


class Comb:
    """Draws hair: strands over ribbons over a ground, with light that belongs to the sheet and not to the single hair."""

    def __init__(self, colours: Sequence[tuple[float, Colour]], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        xs = [c[0] for c in colours]
        self.tone = [PchipInterpolator(xs, [c[1][k] for c in colours]) for k in range(3)]
        self.stops = np.linspace(0, 1, 17)

    def rough(self, n: int, cells: float) -> NDArray[np.float64]:
        """Smooth noise over 0..1 in n samples, about so many cells wide, of deviation one."""
        a = ndimage.gaussian_filter1d(self.rng.normal(0, 1, n), n / cells / 2.5, mode="reflect")
        return np.asarray((a - a.mean()) / a.std())

    def strokes(self, s: Sheet) -> list[list[Stroke]]:
        """The layers of one sheet, to be drawn in order."""
        n = 1024
        g = np.asarray(s.guides, float)
        across = PchipInterpolator(np.linspace(0, 1, len(g)), g, axis=0)
        coarse, middle, fine = self.rough(n, 7), self.rough(n, 28), self.rough(n, 140)
        shift, phase = self.rough(n, 9) * 0.035 + self.rough(n, 40) * 0.012, self.rough(n, 6) * 0.9

        def curve(us: NDArray[np.float64]) -> NDArray[np.float64]:
            """A strand that runs at ``us`` (one for each control point) across the sheet, waved."""
            pts = np.array([across(u)[i] for i, u in enumerate(np.clip(us, -0.05, 1.05))])
            line = spline([tuple(q) for q in pts], per=9)
            t = np.linspace(0, 1, len(line))
            d = np.gradient(line, axis=0)
            nrm = np.stack([-d[:, 1], d[:, 0]], 1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
            k = int(np.clip(us[-1], 0, 0.999) * n)
            grown = np.clip((t - s.wave_from) / (1 - s.wave_from), 0, 1) ** 0.8
            return np.asarray(line + nrm * (s.wave * grown * np.sin(2 * np.pi * s.waves * t + phase[k]))[:, None])

        def paint(u: float, line: NDArray[np.float64], bias: float, alpha: float) -> skia.Paint:
            k = int(np.clip(u, 0, 0.999) * n)
            q = self.stops
            v = 0.36 + 0.075 * coarse[k] + 0.060 * middle[k] + 0.045 * fine[k] + bias
            lit = sum(p * np.exp(-0.5 * ((q - at - shift[k]) / wide) ** 2) for at, wide, p in s.lights)
            grown = np.clip((q - s.wave_from) / (1 - s.wave_from), 0, 1)
            turned = (
                np.cos(2 * np.pi * s.waves * q + phase[k])
                * grown
                * min(1.0, abs(s.wave) * 14)
                * (1 if s.wave > 0 else -1)
            )
            body = 0.13 * math.sin(math.pi * min(max(u, 0), 1)) ** 0.7 - 0.06
            edge = s.edges[0] * math.exp(-((u / 0.13) ** 2)) + s.edges[1] * math.exp(-(((1 - u) / 0.12) ** 2))
            v = v + 0.30 * lit * (1 + 0.16 * middle[k] + 0.10 * fine[k]) + 0.13 * turned + body - edge
            v = np.clip(v * s.gain - 0.10 * np.exp(-((q / 0.06) ** 2)) - 0.10 * q**4, 0, 1)
            cols = [
                skia.Color4f(float(self.tone[0](z)), float(self.tone[1](z)), float(self.tone[2](z)), alpha).toColor()
                for z in v
            ]
            ends = [
                skia.Point(float(line[0][0]), float(line[0][1])),
                skia.Point(float(line[-1][0]), float(line[-1][1])),
            ]
            return skia.Paint(AntiAlias=True, Shader=skia.GradientShader.MakeLinear(ends, cols, [float(z) for z in q]))

        m = g.shape[1]
        way = np.linspace(0, 1, m)
        layers: list[list[Stroke]] = []

        def hair(u: float, us: NDArray[np.float64], bias: float, alpha: float, thick: float, end: float) -> Stroke:
            line = curve(us)
            line = line[: max(12, int(len(line) * end))] + self.rng.normal(0, s.jitter, 2) * 0.4
            w = thick * self.rng.uniform(0.65, 1.2)
            path = tapered(
                line, lambda q: w * np.clip(1.3 * (1 - q) ** 0.6, 0, 1) * np.clip(q * 12 + 0.4, 0, 1) + 0.001
            )
            return (bias, path, paint(u, line, bias, alpha))

        ground = []
        for u in np.sort(self.rng.uniform(0, 1, s.count)):
            bend = np.cumsum(self.rng.normal(0, 0.006, m))
            ground.append(
                hair(
                    float(u),
                    u + bend,
                    float(self.rng.normal(-0.09, 0.04)),
                    0.92,
                    s.width * 1.5,
                    float(self.rng.uniform(0.84, 0.97)),
                )
            )
        layers.append(sorted(ground, key=lambda z: z[0]))
        for u0 in self.rng.permutation((np.arange(s.ribbons) + self.rng.uniform(0, 1, s.ribbons)) / s.ribbons):
            half = self.rng.uniform(0.022, 0.060)
            spread = half * (0.55 + 0.75 * np.sin(np.pi * way**0.8)) * (1 - 0.85 * way**3)
            drift = np.cumsum(self.rng.normal(0, 0.012, m)) * way
            end = float(self.rng.uniform(*s.reach))
            bias = float(self.rng.normal(0.02, 0.045))
            shade = [curve(u0 + drift + spread * k * 1.15) for k in (-1, 1)]
            cut = [c[: max(12, int(len(c) * end))] for c in shade]
            under = skia.Paint(
                AntiAlias=True,
                Color4f=skia.Color4f(0.03, 0.015, 0.01, 0.30),
                MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.018),
            )
            layer: list[Stroke] = [(-9.0, poly(np.vstack([cut[0], cut[1][::-1]])), under)]
            count = max(18, int(half * 1500))
            places = self.rng.uniform(-1, 1, count)
            for k in places:
                rim = -0.10 * abs(k) ** 3
                us = u0 + drift + spread * k
                layer.append(
                    hair(
                        float(u0 + half * k),
                        us,
                        bias + rim + float(self.rng.normal(0, 0.028)),
                        0.85,
                        s.width,
                        end * float(self.rng.uniform(0.93, 1.0)),
                    )
                )
            layer[1:] = sorted(layer[1:], key=lambda z: z[0])
            layers.append(layer)
        gloss = [
            hair(
                float(u),
                u + np.cumsum(self.rng.normal(0, 0.010, m)),
                float(self.rng.normal(0.15, 0.05)),
                0.42,
                s.width * 0.5,
                float(self.rng.uniform(0.7, 0.98)),
            )
            for u in self.rng.uniform(0.02, 0.98, s.count // 4)
        ]
        layers.append(gloss)
        return layers

    def draw(self, e: Easel, sheets: Sequence[Sheet]) -> Floats:
        """Draw the sheets in order; returns what they cover."""
        layers = [layer for s in sheets for layer in self.strokes(s)]

        def paint(c: skia.Canvas) -> None:
            for layer in layers:
                for _, path, p in layer:
                    c.drawPath(path, p)

        drawn = e.draw(paint)
        e.over(drawn)
        return drawn[..., 3]

    def wisps(
        self,
        e: Easel,
        curves: Sequence[Sequence[Point]],
        count: int,
        spread: float,
        tone: float,
        alpha: float,
        width: float = 0.006,
    ) -> None:
        """Single loose hairs near the given curves."""
        paths = []
        for c in curves:
            base = np.asarray(c, float)
            for _ in range(count):
                off = (
                    np.cumsum(self.rng.normal(0, spread, base.shape), axis=0) * np.linspace(0.15, 1, len(base))[:, None]
                )
                line = spline([tuple(q) for q in base + off])
                line = line[: int(len(line) * self.rng.uniform(0.6, 1.0))]
                v = float(np.clip(tone + self.rng.normal(0, 0.10), 0, 1))
                col = skia.Color4f(
                    float(self.tone[0](v)),
                    float(self.tone[1](v)),
                    float(self.tone[2](v)),
                    alpha * float(self.rng.uniform(0.4, 1)),
                )
                paths.append(
                    (tapered(line, lambda q: width * (1 - q) ** 0.5 + 0.0006), skia.Paint(AntiAlias=True, Color4f=col))
                )

        def paint(canvas: skia.Canvas) -> None:
            for path, p in paths:
                canvas.drawPath(path, p)

        e.over(e.draw(paint))


def cropped(
    e: Easel, light: Light, half: Sequence[Point], dark: Colour, pale: Colour, seed: int, count: int = 15000
) -> None:
    """Very short, dense curls: a dark ground with a feathered hairline, and thousands of small hooks lit as the scalp is."""
    path = blob(mirrored(half))
    m, gx, gy = inflate(e, path, 1.3, cell=0.025)
    rng = np.random.default_rng(seed)
    ragged = ndimage.gaussian_filter(rng.normal(0, 1, m.shape), 0.010 * e.u).astype(np.float32)
    ragged *= 0.16 / float(ragged.std())
    soft = e.blur(m, 0.045)
    ground = smoothstep(0.28, 0.74, soft + ragged * np.clip(soft * 4, 0, 1))
    fade = 1 - (0.50 * smoothstep(-0.75, 0.05, e.y) + 0.50 * smoothstep(-0.20, 0.10, e.y)) * smoothstep(
        0.75, 1.0, np.abs(e.x)
    )
    v = light.diffuse(gx, gy, wrap=0.1) * (0.80 + 0.9 * ragged)
    e.tint(
        ramp(v, [(0.1, mix(dark, (0, 0, 0), 0.4)), (0.6, dark), (1.05, mix(dark, pale, 0.42))]), 0.93 * ground * fade
    )
    iy = np.clip(((rng.uniform(-2.1, 0.3, count * 3)) * e.u + e.oy).astype(int), 0, e.h - 1)
    ix = np.clip((rng.uniform(-1.35, 1.35, count * 3) * e.u + e.ox).astype(int), 0, e.w - 1)
    keep = soft[iy, ix] * fade[iy, ix] > rng.uniform(0.25, 0.85, count * 3)
    hooks = []
    for y, x in zip(iy[keep][:count], ix[keep][:count], strict=True):
        cx, cy, r, a = (x - e.ox) / e.u, (y - e.oy) / e.u, rng.uniform(0.012, 0.026), rng.uniform(0, 2 * np.pi)
        t = a + np.linspace(0, rng.uniform(2.2, 4.4), 9)
        line = np.stack([cx + r * np.cos(t), cy + r * np.sin(t)], 1)
        tone = float(np.clip((v[y, x] - 0.25) * 0.85 + rng.normal(0, 0.12), 0, 1))
        c = mix(mix(dark, (0, 0, 0), 0.5), pale, tone**1.6)
        hooks.append(
            (
                tapered(line, lambda q: 0.0085 * np.sin(np.pi * np.clip(q * 0.9 + 0.1, 0, 1))),
                skia.Color4f(*c, float(rng.uniform(0.35, 0.8))),
            )
        )

    def paint(c: skia.Canvas) -> None:
        for p, colour in hooks:
            c.drawPath(p, skia.Paint(AntiAlias=True, Color4f=colour))

    e.over(e.draw(paint))


# ---------------------------------------------------------------------------------------------- backgrounds
def studio(e: Easel, centre: Colour, rim: Colour, at: Point, reach: float, seed: int) -> None:
    """A backdrop lit from behind, with the faint clouds of painted canvas."""
    d = np.hypot((e.x - at[0]), (e.y - at[1]) * 0.9) / reach
    t = smoothstep(0.0, 1.0, np.asarray(d, np.float32))
    e.img = (
        np.asarray(centre, np.float32) + (np.asarray(rim, np.float32) - np.asarray(centre, np.float32)) * t[..., None]
    )
    rng = np.random.default_rng(seed)
    n = np.zeros((e.h, e.w), np.float32)
    for octave, gain in ((0.9, 1.0), (0.4, 0.55), (0.16, 0.25)):
        k = max(1, int(octave * e.u / 6))
        small = ndimage.gaussian_filter(
            rng.normal(0, 1, (e.h // k + 2, e.w // k + 2)).astype(np.float32), octave * e.u / k
        )
        n += gain * grow(small / small.std(), (e.h, e.w), k)
    e.img = np.clip(e.img * (1 + 0.035 * n[..., None]), 0, 1)


def bokeh(e: Easel, spots: Sequence[tuple[float, float, float, Colour, float]]) -> None:
    """Lights out of focus: discs with a slightly brighter rim."""
    for x, y, r, colour, a in spots:
        disc = e.mask(skia.Path.Circle(x, y, r), 0.035)
        d = np.hypot(e.x - x, e.y - y) / r
        e.screen(
            colour, np.asarray(a * disc * (0.72 + 0.40 * smoothstep(0.55, 0.97, np.asarray(d, np.float32))), np.float32)
        )


def vignette(e: Easel, strength: float) -> None:
    """Darken the corners."""
    yy, xx = np.mgrid[-1 : 1 : complex(e.h), -1 : 1 : complex(e.w)].astype(np.float32)
    e.img = e.img * (1 - strength * smoothstep(0.55, 1.45, np.hypot(xx, yy)))[..., None]


# ---------------------------------------------------------------------------------------------- the people
def nora(scale: float) -> Image.Image:
    """A woman with auburn hair to the shoulders, in a petrol blazer; portrait format."""
    size = (1200, 1500)
    light = Light()
    f = Face(
        outline=pts(
            "0,-1.8 0.55,-1.68 0.96,-1.25 1.11,-0.7 1.12,-0.15 1.07,0.35 0.97,0.76 0.83,1.1 0.61,1.4 0.33,1.615 0,1.685"
        ),
        skin=stops("0.02 #5f2c24  0.26 #a5634e  0.48 #d59d80  0.7 #eec2a4  0.9 #f9dac2  1.08 #fff1e2"),
        blush=rgb("#e79184"),
        lip=rgb("#d56a6c"),
        lip_line=rgb("#5a1f25"),
        iris=(rgb("#1c241e"), rgb("#475c48"), rgb("#93a070")),
        brow=rgb("#54331f"),
        lash=rgb("#1d110d"),
        seed=11,
        smile=0.052,
        brow_y=-0.345,
        brow_thick=0.066,
        brow_arch=0.042,
        nose_y=0.635,
        mouth_y=1.015,
        mouth_w=0.40,
        lip_up=0.10,
        lip_low=0.145,
        chin_y=1.66,
        nose_w=0.93,
    )
    e = Easel(*size, (600, 670), 214, scale)
    studio(e, rgb("#c6cfca"), rgb("#566a72"), (0.4, -0.4), 4.6, 5)
    hair = stops("0 #1c0d08  0.25 #41200f  0.5 #75401f  0.75 #b0703a  1 #eab87a")
    # behind the neck
    back = blob(
        pts(
            "0,-1.9 -0.9,-1.7 -1.28,-0.9 -1.38,0.2 -1.44,1.3 -1.5,2.2 -1.2,2.75 0,2.3 1.2,2.75 1.5,2.2 1.44,1.3 1.38,0.2 1.28,-0.9 0.9,-1.7"
        )
    )
    e.paint(back, rgb("#23110a"), 1.0, 0.03)
    comb = Comb(hair, 21)
    comb.draw(
        e,
        [
            Sheet(
                [
                    pts("0.2,-0.5 0.5,0.5 0.42,1.4 0.5,2.2 0.62,2.75", s),
                    pts("0.9,-0.5 1.2,0.5 1.2,1.4 1.3,2.2 1.2,2.9", s),
                ],
                count=500,
                ribbons=12,
                gain=0.42,
                lights=((0.6, 0.15, 0.5),),
            )
            for s in (-1, 1)
        ],
    )
    skin_m = neck(e, f, light, pts("0,0.9 0.66,1 0.68,1.6 0.67,2.15 0.82,2.47 1.5,2.66 2.4,2.95 2.6,4 1.5,5.2 0,5.4"))
    top = blob(pts("-2.2,3.2 -1,3.15 -0.55,3.42 0,3.52 0.55,3.42 1,3.15 2.2,3.2 2.4,5.5 -2.4,5.5"))
    cream = stops("0.1 #6f655c  0.4 #b7aa9c  0.7 #e8dfd2  1 #fffaf1")
    tm = e.mask(top)
    shade_under(e, tm, skin_m, rgb("#7a3b30"), 0.55, 0.05, 0.02, -0.05)
    cloth(
        e,
        light,
        top,
        cream,
        [Fold(pts("-0.5,3.5 -0.3,3.9 -0.35,4.5"), 0.05, 0.10), Fold(pts("0.35,3.5 0.25,4 0.4,4.6"), 0.05, 0.12)],
        0.6,
        0.010,
        3,
    )
    wool = stops("0.05 #04151b  0.35 #0d3640  0.65 #1d5c69  0.9 #4a8b96  1.1 #8fc0c6")
    for s in (1, -1):
        body = blob(pts("0.98,2.5 1.55,2.62 2.35,2.9 2.85,3.4 3.15,4.3 3.4,5.6 0.2,5.6 0.3,4.75 0.7,3.7 0.88,2.95", s))
        bm = e.mask(body)
        shade_under(e, bm, np.clip(skin_m + tm, 0, 1), rgb("#3a2a28"), 0.60, 0.07, -s * 0.05, 0.02)
        cloth(
            e,
            light,
            body,
            wool,
            [
                Fold(pts("2.45,3.2 2.25,3.9 2.35,4.9", s), 0.09, 0.22),
                Fold(pts("2,3 1.85,3.8 2,4.6", s), -0.05, 0.16),
                Fold(pts("2.75,3.7 2.6,4.3 2.75,5.2", s), -0.07, 0.12),
            ],
            0.55,
            0.008,
            5,
        )
        lapel = blob(
            pts(
                "0.93,2.47 1.16,2.52 1.42,2.95 1.62,3.28 1.36,3.42 1.46,3.58 0.82,4.6 0.22,5.4 0.28,4.75 0.66,3.72 0.84,3",
                s,
            )
        )
        lm = e.mask(lapel)
        shade_under(e, lm, bm, rgb("#020a0d"), 0.65, 0.05, s * 0.03 + 0.02, 0.04)
        cloth(e, light, lapel, wool, [], 0.22, 0.008, 6, edge=0.1)
    under = [
        Sheet(
            [
                pts("0.84,0.8 0.78,1.5 0.78,2.2 0.82,2.74", s),
                pts("1.15,0.8 1.15,1.5 1.2,2.2 1.14,2.9", s),
                pts("1.44,0.8 1.5,1.5 1.6,2.2 1.4,2.96", s),
            ],
            count=900,
            ribbons=26,
            gain=0.62,
            ground=0.95,
            reach=(0.92, 1.0),
            lights=((0.55, 0.15, 0.6),),
            wave=s * -0.03,
        )
        for s in (-1, 1)
    ]
    for sh in under:
        e.paint(sh.outline(), rgb("#1e0e07"), 0.95, 0.03)
    Comb(hair, 5).draw(e, under)
    skin(e, f, light)
    nose_and_lips(e, f)
    for s in (-1, 1):
        eye(e, f, s)
        brow(e, f, s)
    left = Sheet(
        [
            pts(
                "0.26,-1.14 0.06,-1.19 -0.36,-1.08 -0.74,-0.78 -0.96,-0.32 -0.98,0.2 -0.92,0.7 -0.8,1.25 -0.74,1.85 -0.72,2.62"
            ),
            pts(
                "0.24,-1.5 -0.06,-1.6 -0.6,-1.5 -1.02,-1 -1.21,-0.35 -1.26,0.25 -1.22,0.9 -1.22,1.55 -1.38,2.2 -1.14,2.9"
            ),
            pts(
                "0.18,-1.92 -0.16,-1.99 -0.76,-1.8 -1.22,-1.22 -1.44,-0.45 -1.52,0.25 -1.5,0.95 -1.58,1.65 -1.78,2.3 -1.48,3.02"
            ),
        ],
        wave=0.11,
        ground=0.85,
        reach=(0.90, 1.0),
    )
    right = Sheet(
        [
            pts("0.27,-1.14 0.42,-1.16 0.69,-0.99 0.9,-0.68 1,-0.25 1,0.2 0.94,0.7 0.82,1.25 0.76,1.85 0.76,2.58"),
            pts("0.25,-1.5 0.48,-1.58 0.86,-1.4 1.13,-0.92 1.25,-0.32 1.28,0.25 1.24,0.9 1.23,1.55 1.38,2.2 1.16,2.85"),
            pts("0.19,-1.92 0.48,-1.95 0.98,-1.7 1.3,-1.12 1.46,-0.42 1.51,0.25 1.49,0.95 1.57,1.65 1.75,2.3 1.5,2.96"),
        ],
        wave=-0.11,
        ground=0.85,
        reach=(0.90, 1.0),
        gain=0.90,
    )
    fore = np.clip(e.mask(left.outline()) + e.mask(right.outline()), 0, 1)
    shade_under(e, fore, np.ones_like(fore), rgb("#6a2f22"), 0.50, 0.05, 0.04, 0.05)
    shade_under(e, fore, np.ones_like(fore), rgb("#6a2f22"), 0.35, 0.16, 0.05, 0.03)
    for sh in (left, right):
        e.paint(sh.outline(), rgb("#2b150b"), 0.97, 0.014)
    shade_under(e, fore, np.clip(e.y - 2.2, 0, 1), rgb("#06161a"), 0.75, 0.06, 0.03, 0.05)
    comb.draw(e, [left, right])
    comb.wisps(e, [left.guides[0][:6], right.guides[0][:6]], 9, 0.02, 0.45, 0.6)
    comb.wisps(e, [left.guides[2], right.guides[2]], 16, 0.03, 0.55, 0.5)
    vignette(e, 0.30)
    return e.finish(size, 0.0022, 1)


def samuel(scale: float) -> Image.Image:
    """A man with cropped black hair, in a crew-neck jumper; landscape format."""
    size = (1920, 1080)
    light = Light(key=(-0.50, -0.46, 0.73), ambient=0.16, fill_gain=0.22)
    f = Face(
        outline=pts(
            "0,-1.86 0.58,-1.74 1,-1.32 1.13,-0.72 1.13,-0.15 1.09,0.4 1.03,0.85 0.91,1.2 0.68,1.54 0.39,1.785 0,1.855"
        ),
        skin=stops("0.02 #26110c  0.24 #532b1b  0.48 #834d32  0.7 #ae7049  0.9 #d29c70  1.08 #f0cfa9"),
        blush=rgb("#d98a70"),
        lip=rgb("#a45d56"),
        lip_line=rgb("#240c0c"),
        iris=(rgb("#0e0806"), rgb("#3a2014"), rgb("#7a4a28")),
        brow=rgb("#120b09"),
        lash=rgb("#0b0706"),
        seed=23,
        eye_open=0.90,
        tilt=0.02,
        brow_y=-0.315,
        brow_thick=0.100,
        brow_arch=0.03,
        nose_w=1.17,
        nose_y=0.70,
        nose_ridge=0.92,
        mouth_y=1.115,
        mouth_w=0.435,
        lip_up=0.115,
        lip_low=0.165,
        smile=0.045,
        chin_y=1.83,
        lashes=0.35,
        lip_gloss=0.45,
        sheen=0.30,
        stubble=0.30,
        relief={"chin": 1.15, "ridge": 1.35, "hollow": 1.2},
    )
    e = Easel(*size, (960, 462), 168, scale)
    studio(e, rgb("#8a8f8e"), rgb("#222b31"), (-2.4, -0.6), 6.5, 9)
    window = [(-4.9, -2.6, 1.15, 3.6), (-3.55, -2.6, 1.1, 3.6), (-4.9, 1.2, 1.15, 3.0), (-3.55, 1.2, 1.1, 3.0)]
    for x, y, w, h in window:
        e.screen(rgb("#ffe9c8"), 0.62 * e.mask(skia.Path.Rect(skia.Rect.MakeXYWH(x, y, w, h)), 0.16))
    rng = np.random.default_rng(4)
    spots = [
        (
            float(rng.uniform(2.2, 6.0)),
            float(rng.uniform(-2.6, 3.2)),
            float(rng.uniform(0.14, 0.42)),
            mix(rgb("#ffb257"), rgb("#ffe3b0"), float(rng.uniform())),
            float(rng.uniform(0.22, 0.55)),
        )
        for _ in range(17)
    ]
    bokeh(e, spots)
    skin_m = neck(e, f, light, pts("0,0.9 0.8,1 0.83,1.6 0.84,2.1 1.02,2.42 1.9,2.75 2.4,4 0,4.4"), chest=0.6)
    linen = stops("0.1 #4b5662  0.45 #93a0ac  0.72 #c9d3da  0.98 #eff4f7  1.15 #ffffff")
    for s in (1, -1):
        wing = blob(pts("0.8,1.98 0.99,2.14 1.08,2.46 0.86,2.8 0.44,3.16 0.16,2.98 0.42,2.72 0.7,2.36", s))
        wm = e.mask(wing)
        shade_under(e, wm, skin_m, rgb("#200d08"), 0.60, 0.06, -s * 0.04, 0.02)
        cloth(e, light, wing, linen, [Fold(pts("0.92,2.2 0.84,2.55 0.52,2.95", s), 0.05, 0.10)], 0.26, 0.006, 3)
    wool = stops("0.05 #060b16  0.35 #14213b  0.65 #27406b  0.9 #4d6d9e  1.1 #93aed2")
    body = blob(
        pts(
            "-0.98,2.36 -0.72,2.74 -0.36,3 0,3.08 0.36,3 0.72,2.74 0.98,2.36 1.45,2.5 2.35,2.78 3.05,3.18 3.45,3.9 3.75,5.2 -3.75,5.2 -3.45,3.9 -3.05,3.18 -2.35,2.78 -1.45,2.5"
        )
    )
    bm = e.mask(body)
    shade_under(e, bm, skin_m, rgb("#101722"), 0.60, 0.05, 0.0, -0.05)
    folds = [Fold(pts("2.75,3.1 2.45,3.5 2.35,4.4", s), 0.10, 0.26) for s in (-1, 1)]
    folds += [Fold(pts("2.2,2.95 2.05,3.4 2,4.4", s), -0.07, 0.20) for s in (-1, 1)]
    folds += [Fold(pts("0.9,3 1.2,3.4 1,4.2", s), 0.04, 0.22) for s in (-1, 1)]
    cloth(e, light, body, wool, folds, 0.75, 0.010, 8, knit=0.020)
    rib = spline(pts("-0.955,2.40 -0.93,2.56 -0.72,2.83 -0.37,3.07 0,3.15 0.37,3.07 0.72,2.83 0.93,2.56 0.955,2.40"))

    def wide(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(0.05 + 0.19 * np.clip(8 * np.minimum(t, 1 - t), 0, 1) ** 0.8)

    band = tapered(rib, wide)
    shade_under(e, e.mask(band), bm, rgb("#04070e"), 0.55, 0.035, 0.01, 0.05)
    cloth(e, light, band, wool, [], 0.12, 0.006, 9, edge=0.1)
    d = np.gradient(rib, axis=0)
    nrm = np.stack([-d[:, 1], d[:, 0]], 1) / np.hypot(d[:, 0], d[:, 1])[:, None]
    way = np.cumsum(np.hypot(d[:, 0], d[:, 1]))
    at = [int(np.argmin(np.abs(way - q))) for q in np.arange(0.03, way[-1], 0.042)]
    half = wide(np.linspace(0, 1, len(rib))) * 0.44
    grooves = [
        tapered(
            np.linspace(rib[i] - nrm[i] * half[i], rib[i] + nrm[i] * half[i], 8),
            lambda t: 0.016 * np.sin(np.pi * t) ** 0.4,
        )
        for i in at
    ]
    e.fill(grooves, skia.Paint(AntiAlias=True, Color4f=skia.Color4f(0.02, 0.035, 0.07, 0.55)))
    ear_at = (1.09, 0.20)
    for s in (-1, 1):
        ear(e, f, light, s, ear_at, 1.0)
    skin(e, f, light)
    nose_and_lips(e, f)
    for s in (-1, 1):
        eye(e, f, s)
        brow(e, f, s)
    cropped(
        e,
        light,
        pts(
            "0,-2.02 0.54,-1.92 0.97,-1.55 1.18,-0.95 1.2,-0.45 1.165,-0.1 1.1,0.16 1.045,0.1 1.035,-0.25 1.01,-0.55 0.95,-0.76 0.86,-0.98 0.66,-1.02 0.38,-1.1 0,-1.12"
        ),
        rgb("#0d0807"),
        rgb("#5c4638"),
        31,
    )
    vignette(e, 0.28)
    return e.finish(size, 0.0022, 2)


def asha(scale: float) -> Image.Image:
    """A woman with black hair drawn back, in a coral blouse; square."""
    size = (1400, 1400)
    light = Light(key=(-0.42, -0.54, 0.73), ambient=0.18)
    f = Face(
        outline=pts(
            "0,-1.8 0.54,-1.68 0.95,-1.25 1.09,-0.7 1.09,-0.15 1.05,0.35 0.97,0.78 0.84,1.12 0.62,1.43 0.33,1.65 0,1.72"
        ),
        skin=stops("0.02 #3a1a14  0.25 #76412c  0.48 #b0724f  0.7 #d39b74  0.9 #ebbf9a  1.08 #fce3c8"),
        blush=rgb("#e08a78"),
        lip=rgb("#b9504f"),
        lip_line=rgb("#3f1216"),
        iris=(rgb("#120a07"), rgb("#46291a"), rgb("#8a5a34")),
        brow=rgb("#1d120d"),
        lash=rgb("#100907"),
        seed=47,
        smile=0.060,
        brow_y=-0.345,
        brow_thick=0.074,
        brow_arch=0.050,
        nose_y=0.655,
        nose_w=0.98,
        mouth_y=1.045,
        mouth_w=0.415,
        lip_up=0.108,
        lip_low=0.152,
        chin_y=1.69,
        eye_w=0.258,
        eye_open=0.98,
        tilt=0.038,
        lashes=1.1,
        sheen=0.26,
        lip_gloss=0.6,
        relief={"cheek": 1.2},
    )
    e = Easel(*size, (700, 625), 216, scale)
    studio(e, rgb("#ecd9c0"), rgb("#8d6a58"), (-0.8, -0.8), 5.0, 15)
    hair = stops("0 #050404  0.3 #15100f  0.55 #2f2725  0.8 #5f5552  1 #a79d99")
    comb = Comb(hair, 77)
    # the knot of hair, low behind the neck
    for s in (-1, 1):
        knot = Sheet(
            [
                pts("0.55,0.3 0.6,0.8 0.55,1.3 0.3,1.7", s),
                pts("0.8,0.25 0.92,0.8 0.85,1.35 0.4,1.78", s),
                pts("0.95,0.2 1.12,0.8 1.03,1.4 0.45,1.86", s),
            ],
            count=700,
            ribbons=20,
            width=0.012,
            wave=0.003,
            gain=0.72,
            ground=1.0,
            lights=((0.50, 0.12, 0.8),),
            reach=(0.95, 1.0),
        )
        e.paint(knot.outline(), rgb("#0a0706"), 0.97, 0.012)
        comb.draw(e, [knot])
    skin_m = neck(e, f, light, pts("0,0.9 0.66,1 0.67,1.6 0.67,2.1 0.8,2.4 1.18,2.62 1.5,3.1 1.5,4.2 0,4.6"))
    silk = stops("0.05 #4a1512  0.32 #9a372b  0.6 #d2624c  0.86 #ee9479  1.08 #ffd3bd")
    body = blob(
        pts(
            "-1.1,2.5 -0.84,2.92 -0.46,3.28 0,3.42 0.46,3.28 0.84,2.92 1.1,2.5 1.65,2.64 2.4,2.94 2.86,3.5 3.1,4.4 3.3,5.6 -3.3,5.6 -3.1,4.4 -2.86,3.5 -2.4,2.94 -1.65,2.64"
        )
    )
    bm = e.mask(body)
    shade_under(e, bm, skin_m, rgb("#5a2018"), 0.60, 0.05, 0.01, -0.05)
    folds = []
    for s in (-1, 1):
        folds += [
            Fold(pts("0.95,3 0.75,3.5 0.62,4.2", s), 0.06, 0.16),
            Fold(pts("1.35,2.85 1.15,3.5 1.05,4.2", s), -0.06, 0.15),
            Fold(pts("1.75,2.85 1.65,3.5 1.5,4.3", s), 0.06, 0.18),
            Fold(pts("2.45,3.15 2.25,3.7 2.25,4.5", s), -0.09, 0.18),
            Fold(pts("2.75,3.5 2.55,4 2.6,4.6", s), 0.08, 0.18),
            Fold(pts("0.3,3.55 0.25,3.9 0.3,4.4", s), 0.05, 0.12),
        ]
    cloth(e, light, body, silk, folds, 0.60, 0.005, 18)
    hem = spline(pts("-1.12,2.46 -0.86,2.93 -0.47,3.3 0,3.44 0.47,3.3 0.86,2.93 1.12,2.46"))
    e.paint(
        tapered(lower(hem, 0.075), lambda t: 0.020 * np.sin(np.pi * np.clip(t, 0.02, 0.98)) ** 0.3),
        rgb("#7c281f"),
        0.55,
        0.010,
    )
    e.screen(
        rgb("#ffd9c8"),
        0.35 * e.mask(tapered(lower(hem, 0.022), lambda t: 0.030 * np.sin(np.pi * t) ** 0.4), 0.010) * bm,
    )
    cover = skin(e, f, light)
    nose_and_lips(e, f)
    for s in (-1, 1):
        eye(e, f, s)
        brow(e, f, s)
    sheets = [
        Sheet(
            [
                [
                    (0.010 + s * 0.010, -1.13),
                    (s * 0.30, -1.12),
                    (s * 0.62, -0.97),
                    (s * 0.88, -0.68),
                    (s * 1.00, -0.30),
                    (s * 1.080, 0.21),
                ],
                [
                    (0.022 + s * 0.006, -1.50),
                    (s * 0.42, -1.45),
                    (s * 0.82, -1.20),
                    (s * 1.05, -0.80),
                    (s * 1.13, -0.34),
                    (s * 1.108, 0.23),
                ],
                [
                    (0.010 + s * 0.001, -1.89),
                    (s * 0.52, -1.84),
                    (s * 0.96, -1.50),
                    (s * 1.18, -0.98),
                    (s * 1.24, -0.40),
                    (s * 1.138, 0.22),
                ],
            ],
            count=1700,
            ribbons=44,
            width=0.012,
            wave=0.004,
            jitter=0.006,
            gain=1.0 if s < 0 else 0.85,
            ground=0.93,
            reach=(0.93, 1.0),
            lights=((0.40, 0.10, 1.0), (0.74, 0.08, 0.35)),
            edges=(0.02, 0.12),
        )
        for s in (-1, 1)
    ]
    fore = np.clip(e.mask(sheets[0].outline()) + e.mask(sheets[1].outline()), 0, 1)
    shade_under(e, fore, cover, rgb("#5a2a1c"), 0.42, 0.045, 0.03, 0.04)
    for sh in sheets:
        e.paint(sh.outline(), rgb("#0d0908"), 0.95, 0.014)
    comb.draw(e, sheets)
    for s in (-1, 1):  # the hair goes behind the ears
        ear(e, f, light, s, (1.04, 0.18), 0.90, cover)
    comb.wisps(
        e, [pts("0.97,-0.42 0.985,-0.15 0.955,0.12 0.985,0.36", s) for s in (-1, 1)], 14, 0.012, 0.25, 0.55, 0.006
    )
    comb.wisps(
        e,
        [[(s * q[0], q[1]) for q in ((0.1, -1.90), (0.55, -1.86), (0.98, -1.52), (1.20, -1.0))] for s in (-1, 1)],
        12,
        0.012,
        0.45,
        0.35,
        0.005,
    )
    # drop earrings
    for s in (-1, 1):
        x, y = s * 0.985, 0.66
        gold = [
            (x, y - 0.13),
            (x + 0.026, y - 0.02),
            (x + 0.050, y + 0.085),
            (x, y + 0.15),
            (x - 0.050, y + 0.085),
            (x - 0.026, y - 0.02),
        ]
        e.paint(blob([(px + 0.02, py + 0.03) for px, py in gold]), rgb("#3a1a10"), 0.45, 0.025)
        e.paint(blob(gold), rgb("#9a6a22"), 1.0)
        e.screen(rgb("#ffe2a0"), 0.75 * e.mask(blob(gold)) * bump(e.x, e.y, x - 0.012, y + 0.05, 0.022, 0.07))
        e.screen((1, 1, 1), 0.9 * bump(e.x, e.y, x - 0.016, y + 0.06, 0.007, 0.018))
    vignette(e, 0.24)
    return e.finish(size, 0.0022, 3)


PEOPLE: dict[str, tuple[Callable[[float], Image.Image], str]] = {
    "nora": (nora, ".png"),
    "samuel": (samuel, ".jpg"),
    "asha": (asha, ".webp"),
}
SAVE: dict[str, dict[str, Any]] = {
    ".png": {"optimize": True},
    ".jpg": {"quality": 93, "subsampling": 0, "optimize": True},
    ".webp": {"quality": 93, "method": 6},
}


def main() -> None:
    """Draw the named people, or all of them."""
    parser = argparse.ArgumentParser(description="Draw the portraits of the demo job.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEOPLE)}; default: all")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--scale", type=float, default=2.0, help="how much larger it is drawn than saved")
    args = parser.parse_args()
    for name in args.names or PEOPLE:
        if name not in PEOPLE:
            parser.error(f"nobody here is called {name}")
        paint, suffix = PEOPLE[name]
        target = args.out / f"{name}{suffix}"
        paint(args.scale).save(target, **SAVE[suffix])
        print(f"{target}  {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
