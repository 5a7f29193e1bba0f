"""Pictures with a face that the tests draw themselves, and a voice of which every phone is known."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Samples = NDArray[np.float64]

SKIN, LIP, IRIS, HAIR = (226, 178, 148), (176, 84, 84), (70, 90, 110), (70, 46, 34)


def draw_face(size: int = 800, ground: tuple[int, int, int] = (120, 140, 150)) -> Image.Image:
    """A shaded face from the front, drawn larger and averaged down; the head is about half of the picture."""
    big = 1600
    image = Image.new("RGB", (big, big), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((400, 150, 1200, 1150), fill=HAIR)
    draw.polygon(((640, 1000), (960, 1000), (1010, 1600), (590, 1600)), fill=(196, 146, 118))
    draw.ellipse((180, 1330, 1420, 2100), fill=(70, 84, 120))
    draw.ellipse((480, 290, 1120, 1220), fill=SKIN)
    shade = Image.new("L", (big, big), 0)
    shading = ImageDraw.Draw(shade)
    shading.ellipse((730, 600, 870, 880), fill=60)
    for x in (650, 950):
        shading.ellipse((x - 110, 590, x + 110, 700), fill=70)
    shading.polygon(((740, 870), (860, 870), (800, 900)), fill=150)
    shading.ellipse((690, 1060, 910, 1100), fill=70)
    shading.arc((480, 290, 1120, 1220), 20, 160, fill=120, width=60)
    shade = shade.filter(ImageFilter.GaussianBlur(22))
    image.paste((110, 64, 46), mask=shade)
    light = Image.new("L", (big, big), 0)
    lighting = ImageDraw.Draw(light)
    lighting.ellipse((775, 560, 825, 860), fill=120)
    lighting.ellipse((640, 380, 960, 540), fill=70)
    for x in (610, 990):
        lighting.ellipse((x - 70, 760, x + 70, 880), fill=80)
    image.paste((255, 226, 204), mask=light.filter(ImageFilter.GaussianBlur(26)))
    draw = ImageDraw.Draw(image)
    for x in (650, 950):
        draw.ellipse((x - 80, 618, x + 80, 688), fill=(240, 238, 234))
        draw.ellipse((x - 34, 618, x + 34, 688), fill=IRIS)
        draw.ellipse((x - 15, 638, x + 15, 668), fill=(14, 12, 12))
        draw.arc((x - 84, 612, x + 84, 700), 195, 345, fill=(38, 26, 22), width=9)
        draw.arc((x - 110, 535, x + 110, 640), 205, 335, fill=HAIR, width=22)
    for x in (765, 835):
        draw.ellipse((x - 17, 858, x + 17, 880), fill=(120, 66, 54))
    draw.polygon(((665, 992), (760, 958), (800, 968), (840, 958), (935, 992), (800, 1000)), fill=LIP)
    draw.chord((680, 938, 920, 1052), 5, 175, fill=(190, 98, 96))
    draw.line((665, 992, 740, 995, 800, 1000, 860, 995, 935, 992), fill=(96, 40, 40), width=7, joint="curve")
    return image.filter(ImageFilter.GaussianBlur(2)).resize((size, size), Image.Resampling.LANCZOS)


def _formants(seconds: float, pitch_hz: float, formants: tuple[float, ...], rate_hz: int) -> Samples:
    """A vowel: a train of harmonics under resonances of a vocal tract (Klatt 1980, in parallel)."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    harmonics = np.arange(1, int(min(4_500, rate_hz / 2) / pitch_hz)) * pitch_hz
    gain = sum(1 / np.sqrt(((harmonics / f) ** 2 - 1) ** 2 + (harmonics / (9 * f)) ** 2) for f in formants)
    gain = np.asarray(gain) / harmonics**0.7
    return np.asarray(sum(g * np.sin(2 * math.pi * h * at) for g, h in zip(gain, harmonics, strict=True)))


def speak_mama(
    seconds: float, rate_hz: int = 16_000, syllable_s: float = 0.36
) -> tuple[Samples, list[tuple[float, float]]]:
    """*Pa-pa-pa…*: silence with lips shut, then an open vowel; and the vowels' spans in seconds.

    The peak is at 0.6 of full scale.
    """
    closed_s = 0.13
    voice, spans, at = [], [], 0.0
    while at + syllable_s <= seconds:
        vowel = _formants(syllable_s - closed_s, 118 + 6 * math.sin(at * 3), (730, 1_180, 2_550), rate_hz)
        ramp = np.minimum(1, np.minimum(np.arange(len(vowel)), np.arange(len(vowel))[::-1]) / (0.02 * rate_hz))
        voice += [np.zeros(round(closed_s * rate_hz)), vowel * ramp]
        spans.append((at + closed_s, at + syllable_s))
        at += syllable_s
    samples = np.concatenate(voice) if voice else np.zeros(0)
    samples = np.concatenate((samples, np.zeros(max(0, round(seconds * rate_hz) - len(samples)))))
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return samples / max(peak, 1e-9) * 0.6, spans


def write_wav(path: Path, samples: Samples, rate_hz: int = 16_000, channels: int = 1) -> Path:
    """A 16-bit WAV file; samples beyond full scale are clipped."""
    pcm = (np.clip(samples, -1, 1) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(pcm, channels).tobytes())
    return path
