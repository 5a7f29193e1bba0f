"""Teach the studio's mouth: makes ``pipeline/studio/render/models/mouth.npz``.

For maintainers only; the network is shipped. Usage: ``python -m benchmarks.train_mouth [--check] [--epochs N]``.
It needs numpy and the speech engines that ``benchmarks/speech.py`` names. With ``--check`` it leaves each voice out
once and says how well the others taught for it, then writes nothing.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.articulation import true_curves
from benchmarks.speech import Spoken, espeak, festival, flite
from pipeline.studio.render.head.voice import ANALYSIS_HZ, EAR_HZ, network_input

Floats = NDArray[np.float32]

HIDDEN = 40
TARGET = Path(__file__).parents[1] / "pipeline" / "studio" / "render" / "models" / "mouth.npz"

LINES = (
    "Good morning everyone, and thank you for coming so early on such a wet Monday.",
    "Please bring both boxes to the back door before the builders begin.",
    "My mother made a map of the moon, and my father framed it.",
    "She sees three green trees beside the sea, and a few blue shoes.",
    "Who knew that two spoons of sugar would move you?",
    "Put the book by the wooden hook, and look at the cook.",
    "The author thought about the small ball in the hall.",
    "Father parked the car far from the dark yard.",
    "Ten men sent twelve letters to the best tent in Kent.",
    "A happy cat sat on a flat black hat and ran after that.",
    "Some of us love the dull colour of mud under the sun.",
    "Bob pays for maple pies; Pam buys pumpkin, and Mum keeps up.",
    "How now, brown cow, the loud crowd is down town.",
    "The boy enjoys the noise of his toy, but avoids oil.",
    "I might try to buy five nice white kites tonight.",
    "They say eight days of rain may make the lake great.",
    "Over the frozen road the old boat goes home alone.",
    "The third bird heard the nurse turn and return.",
    "Five very brave farmers left four vans full of fish.",
    "Think of these three things: the truth, the theory, and the path.",
    "She should wash the fresh fish, sure, in a special shop.",
    "Charge the cheap batteries, George, and watch the major change.",
    "Zebras and roses, sizes and noises, as easy as this.",
    "A quick wind whistled through the weird west window while we waited.",
    "Yes, you use your yellow yacht every year.",
    "Long songs, young kings, and evening trains bring everything along.",
    "Press the green button, wait for the beep, then open the valve by half a turn.",
    "Number seven hundred and ninety eight, platform B, is now boarding.",
    "Computers import maps, combine samples, and publish beautiful pictures.",
    "If the pump stops, stop. Breathe. Then push the lamp away from the wall.",
    "Our report covers April, September, and November; nobody complained.",
    "Welcome back! Today we will learn how to plan, film, and publish a short video.",
    "He hopes her whole household has half a hundred hats.",
    "Little Lily allowed the yellow lilies to fall along the lane.",
    "Red roses are rarely really rare around the river.",
    "Keep calm, take a cup of cocoa, and go get the big dog.",
    "An amber umbrella may be impossible to improve, perhaps.",
    "What a wonderful world we would have, were we always warm.",
    "Never mind the rumours; nine engineers have examined the machine.",
    "Apples, apricots, bananas, mangoes, plums, and a pound of pepper.",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """One way to speak a line; ``speaker`` is whose voice it is, for leaving it out."""

    speaker: str
    engine: str
    options: tuple[object, ...]

    def speak(self, text: str) -> Spoken:
        """Speak a line."""
        engines = {"flite": flite, "festival": festival, "espeak": espeak}
        return engines[self.engine](text, *self.options)


VOICES = (
    Voice("slt", "flite", ("slt", 1.0)),
    Voice("slt", "flite", ("slt", 0.8, 1.2)),
    Voice("slt", "festival", ("cmu_us_slt_arctic_hts",)),
    Voice("rms", "flite", ("rms", 1.0)),
    Voice("rms", "flite", ("rms", 0.85, 1.25)),
    Voice("awb", "flite", ("awb", 1.0)),
    Voice("awb", "flite", ("awb", 1.2, 0.9)),
    Voice("kal", "flite", ("kal16", 1.0)),
    Voice("kal", "festival", ("kal_diphone",)),
    Voice("espeak", "espeak", ("en-us", 150)),
    Voice("espeak", "espeak", ("en-us+f2", 170)),
    Voice("espeak", "espeak", ("en-us+m3", 185)),
)


@dataclass(frozen=True)
class Lesson:
    """A line as the network sees it, and what it shall answer."""

    speaker: str
    seen: Floats
    wanted: Floats


def resampled(samples: Floats, rate_hz: int) -> Floats:
    """The samples at the rate of the analysis."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=EAR_HZ)
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate = rate_hz
    pieces = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces]).astype(np.float32)


def disturbed(samples: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """A line as it is, and as other microphones, telephones, vocal tracts and rooms would have it."""
    yield samples
    spectrum, hertz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / EAR_HZ)
    for kind in ("tilt", "telephone", "room"):
        gain = 10 ** (rng.uniform(-9, 9) * np.log2(np.maximum(hertz, 60) / 1000) / 4 / 20)
        for middle in rng.uniform(200, 6000, 2):
            gain *= 10 ** (
                rng.uniform(-8, 8) * np.exp(-0.5 * (np.log2(np.maximum(hertz, 20) / middle) / 0.6) ** 2) / 20
            )
        if kind == "telephone":
            gain *= 1 / (1 + (hertz / rng.uniform(3_300, 4_200)) ** 24)
        changed = np.fft.irfft(spectrum * gain, len(samples))
        if kind == "room":
            echo = rng.normal(size=EAR_HZ // 5) * np.exp(-np.arange(EAR_HZ // 5) / (EAR_HZ * rng.uniform(0.02, 0.06)))
            echo[0] = rng.uniform(8, 20)
            size = 1 << int(np.ceil(np.log2(len(changed) + len(echo))))
            changed = np.fft.irfft(np.fft.rfft(changed, size) * np.fft.rfft(echo, size), size)[: len(samples)]
        peak = float(np.abs(changed).max()) + 1e-9
        noise = rng.normal(size=len(changed)) * 10 ** (rng.uniform(-62, -38) / 20)
        drive = rng.uniform(0.3, 1.6) / peak  # above 1 it is clipped
        yield np.clip(changed * drive + noise, -1, 1).astype(np.float32)


def lessons_of(voice: Voice, text: str, seed: int) -> list[Lesson]:
    """A line in a voice, in all its disturbances; vocal tracts of other lengths come by playing it faster or slower."""
    rng = np.random.default_rng(seed)
    try:
        spoken = voice.speak(text)
    except subprocess.CalledProcessError:
        return []
    lessons = []
    for tract in (1.0, float(rng.uniform(0.86, 1.16))):
        samples = resampled(spoken.samples, round(spoken.rate_hz * tract))
        for sound in disturbed(samples, rng):
            seen = network_input(sound)
            wanted = true_curves(spoken.phones, len(seen), ANALYSIS_HZ / tract)
            lessons.append(Lesson(voice.speaker, seen.astype(np.float16), wanted))
    return lessons


Weights = dict[str, Floats]


def train(lessons: list[Lesson], epochs: int, seed: int = 1) -> Weights:
    """Adam (Kingma and Ba 2015) on the squared error."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([lesson.seen for lesson in lessons])
    y = np.concatenate([lesson.wanted for lesson in lessons])
    inputs = x.shape[1]
    weights: Weights = {
        "hidden": (rng.normal(size=(inputs, HIDDEN)) / np.sqrt(inputs)).astype(np.float32),
        "hidden_bias": np.zeros(HIDDEN, np.float32),
        "output": (rng.normal(size=(HIDDEN, 4)) / np.sqrt(HIDDEN)).astype(np.float32),
        "output_bias": np.full(4, -1, np.float32),
    }
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    importance = np.array((2.0, 0.6, 0.8, 1.2), np.float32)
    step, batch = 0, 512
    steps = epochs * (len(x) // batch)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch, batch):
            rows = order[start : start + batch]
            seen = x[rows].astype(np.float32)
            inner = np.tanh(seen @ weights["hidden"] + weights["hidden_bias"])
            answer = 1 / (1 + np.exp(-(inner @ weights["output"] + weights["output_bias"])))
            slope = (answer - y[rows]) * importance * answer * (1 - answer) / batch * 4
            back = (slope @ weights["output"].T) * (1 - inner**2)
            slopes = {
                "hidden": seen.T @ back + 2e-6 * weights["hidden"],
                "hidden_bias": back.sum(axis=0),
                "output": inner.T @ slope,
                "output_bias": slope.sum(axis=0),
            }
            step += 1
            rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * min(1.0, step / steps)))
            for name, value in slopes.items():
                first[name] = 0.9 * first[name] + 0.1 * value
                second[name] = 0.999 * second[name] + 0.001 * value**2
                change = first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                weights[name] = (weights[name] - rate * change).astype(np.float32)
    return weights


def answers(weights: Weights, seen: Floats) -> Floats:
    """What the network says, of shape (n, 4)."""
    inner = np.tanh(seen.astype(np.float32) @ weights["hidden"] + weights["hidden_bias"])
    return np.asarray(1 / (1 + np.exp(-(inner @ weights["output"] + weights["output_bias"]))), np.float32)


def main() -> None:
    """Train, or check."""
    parser = argparse.ArgumentParser(description="Teach the studio's mouth.")
    parser.add_argument("--check", action="store_true", help="leave each voice out once; writes nothing")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--stride", type=int, default=1, help="take every nth line only")
    args = parser.parse_args()
    tasks = [
        (voice, line, n * 1000 + m) for n, voice in enumerate(VOICES) for m, line in enumerate(LINES[:: args.stride])
    ]
    plain = [task for task in tasks if task[0].engine != "espeak"]
    with ThreadPoolExecutor(2) as pool:
        lessons = [lesson for found in pool.map(lambda task: lessons_of(*task), plain) for lesson in found]
    for task in tasks:
        if task[0].engine == "espeak":  # its library keeps one state for the whole process
            lessons += lessons_of(*task)
    print(f"{len(lessons)} lessons, {sum(len(lesson.seen) for lesson in lessons) / ANALYSIS_HZ / 60:.0f} minutes")
    if args.check:
        for speaker in sorted({voice.speaker for voice in VOICES}):
            weights = train([lesson for lesson in lessons if lesson.speaker != speaker], args.epochs)
            unheard = [lesson for lesson in lessons if lesson.speaker == speaker]
            said = np.concatenate([answers(weights, lesson.seen) for lesson in unheard])
            wanted = np.concatenate([lesson.wanted for lesson in unheard])
            r = [np.corrcoef(said[:, k], wanted[:, k])[0, 1] for k in range(4)]
            print(
                f"{speaker:8} never heard: opening r = {r[0]:.3f}, spread {r[1]:.3f}, rounded {r[2]:.3f}, closed {r[3]:.3f}"
            )
        return
    weights = train(lessons, args.epochs)
    np.savez_compressed(TARGET, **{name: value.astype(np.float16) for name, value in weights.items()})
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
