"""Speak the lines of the demo job.

For maintainers only; the sound files are shipped, nothing runs this at install, run or test time.

Requirements: Python >= 3.11 and ``pip install "hibari-tts==0.2.1" "onnxruntime>=1.16" "av>=12" "pyworld>=0.3.4" "numpy>=1.26"``.
Usage:        ``python jobs/media/speak_lines.py [--out DIR]``

The voice is the one inside the hibari-tts wheel (no download). The lower voice is the same speech with its pitch and its
formants moved down through the WORLD vocoder, as if a larger person had spoken. Silence at the ends is trimmed to a short
breath, the peak brought to -1 dBFS, and the result written as WAV (16 bits, 24 kHz), MP3 or M4A (AAC) by PyAV.
All randomness is seeded: the same versions give the same sound.
"""

from __future__ import annotations

import argparse
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pyworld
from hibari import Hibari
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE = 24_000
PEAK = 10 ** (-1 / 20)


@dataclass(frozen=True)
class Line:
    """One line: where it goes, what is said, and how."""

    file: str
    text: str
    speed: float = 1.0
    pitch: float = 1.0  # of the fundamental; 1: as spoken
    tract: float = 1.0  # of the formants; below 1: a longer vocal tract


LINES = (
    Line(
        "welcome.mp3",
        "Welcome aboard. In the next five minutes I will show you where everything is, and who to ask when it isn't.",
        0.98,
    ),
    Line(
        "safety.wav",
        "Before you start the machine, check the guard, clear the belt, and keep both hands where you can see them.",
        0.96,
        pitch=0.62,
        tract=0.87,
    ),
    Line(
        "changelog.m4a",
        "Here is what changed this week: faster exports, a quieter inbox, and search that finds what you meant.",
        1.03,
    ),
    Line(
        "archive.mp3",
        "You are looking at an archive photograph of Grace Hopper. The voice is synthetic, and so is every movement of the face.",
        0.97,
        pitch=0.92,
        tract=0.97,
    ),
)


def deepen(x: Floats, pitch: float, tract: float) -> Floats:
    """The same speech with another pitch and another length of the vocal tract."""
    f0, t = pyworld.harvest(x, RATE, f0_floor=60.0, f0_ceil=400.0)
    envelope = pyworld.cheaptrick(x, f0, t, RATE)
    noise = pyworld.d4c(x, f0, t, RATE)
    bins = np.arange(envelope.shape[1], dtype=float)
    from_bin = np.minimum(bins / tract, bins[-1])
    envelope = np.stack([np.exp(np.interp(from_bin, bins, np.log(row))) for row in envelope])
    noise = np.stack([np.interp(from_bin, bins, row) for row in noise])
    return np.asarray(pyworld.synthesize(f0 * pitch, envelope, noise, RATE))


def tidy(x: Floats, lead: float = 0.12, tail: float = 0.25) -> Floats:
    """Cut the silence at the ends to a breath, fade in and out, and bring the peak to -1 dBFS."""
    x = x - x.mean()
    hop = RATE // 100
    level = np.sqrt(np.mean(x[: len(x) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    loud = np.nonzero(level > level.max() * 10 ** (-42 / 20))[0]
    first, last = int(loud[0]) * hop, (int(loud[-1]) + 1) * hop
    x = x[max(0, first - int(lead * RATE)) : last + int(tail * RATE)]
    x = np.concatenate([np.zeros(max(0, int(lead * RATE) - first)), x])
    fade = np.linspace(0, 1, RATE // 50)
    x[: len(fade)] *= fade
    x[-len(fade) :] *= fade[::-1]
    return np.asarray(x * (PEAK / np.abs(x).max()))


def write(path: Path, x: Floats) -> None:
    """Write mono sound in the format that the file's name asks for."""
    pcm = np.round(np.clip(x, -1, 1) * 32767).astype("<i2")
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(pcm.tobytes())
        return
    codec, container = {".mp3": ("libmp3lame", "mp3"), ".m4a": ("aac", "ipod")}[path.suffix]
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 80_000
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.rate = RATE
        frame.pts = 0
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
        for part in resampler.resample(frame):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


def settle(path: Path, x: Floats) -> None:
    """Write, and where a lossy codec overshoots -1 dBFS, write again a little softer."""
    for _ in range(4):
        write(path, x)
        with av.open(str(path)) as f:
            blocks = [b.to_ndarray() for b in f.decode(audio=0)]
        peak = max(float(np.abs(b).max()) / (32768 if b.dtype == np.int16 else 1) for b in blocks)
        if peak <= PEAK + 1e-3:
            return
        x = x * (PEAK / peak) * 0.998


def main() -> None:
    """Speak every line."""
    parser = argparse.ArgumentParser(description="Speak the lines of the demo job.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    voice = Hibari(threads=1)
    for line in LINES:
        x = np.asarray(voice(line.text, speed=line.speed, seed=7), float)
        if line.pitch != 1.0 or line.tract != 1.0:
            x = deepen(x, line.pitch, line.tract)
        path = args.out / line.file
        x = tidy(x)
        settle(path, x)
        print(f"{path}  {len(x) / RATE:.2f} s  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
