"""Measures the studio's talking heads and prints one table, which ``docs/talking-head.md`` keeps.

Usage: ``python -m benchmarks.talking_head [--face PICTURE] [--write docs/talking-head.md]``

Everything is measured on finished clips: frames are decoded, the face and its landmarks are found in them anew, and
the sound is the clip's own. It needs the speech engines that ``benchmarks/speech.py`` names.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.articulation import LABIAL_STOPS, VOWELS
from benchmarks.speech import Phone, Spoken, espeak, festival, flite, hibari
from pipeline.media.clips import look_at_clip
from pipeline.studio.render import RenderTask, render
from pipeline.studio.render.head.face import Face, find_face, track
from pipeline.studio.render.head.motion import Score, compose_score
from pipeline.studio.render.head.picture import set_scene
from pipeline.studio.render.head.prompt import manner_of
from pipeline.studio.render.head.renderer import perform
from pipeline.studio.render.head.voice import hear

Floats = NDArray[np.float64]

FPS = 48
LINE = (
    "Please bring both maps back to my office. The boy may climb above the hut, but mum and papa must pay for the "
    "apples, the pump and the old blue umbrella."
)
OTHER_LINES = (
    "She sees three green trees near the sea, and then he counts eleven tall windows, one after another, in the rain.",
    "No. Not today. The last train has already left, so we will have to walk along the river until we reach the town.",
    "Eight young engineers learned how to repair the oldest clock in the city, although nobody had ever asked them to.",
)
VOICES: tuple[Callable[[str], Spoken], ...] = (hibari, lambda text: flite(text, "rms"), lambda text: festival(text, "kal_diphone"),
    lambda text: festival(text, "cmu_us_slt_arctic_hts"), espeak)  # fmt: skip
MOST_LAG_FRAMES = 12

_UPPER_LIP, _LOWER_LIP = (13, 312, 82), (14, 317, 87)
_LIDS = (((159, 158), (145, 153), (33, 133)), ((386, 385), (374, 380), (263, 362)))


@dataclass(frozen=True)
class Watched:
    """A clip as a viewer meets it; curves have one value a frame.

    Attributes:
        opening: distance of the inner lips over the face's size.
        eyes: height of the open eyes over their width.
        loudness: of the clip's own sound in each frame, from 0 to 1.
    """

    opening: Floats
    eyes: Floats
    loudness: Floats


def watch(clip: Path) -> Watched:
    """Find the face in every frame, and hear the sound."""
    face: Face | None = None
    opening, eyes = [], []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            face = (face and track(picture, face)) or find_face(picture)
            if face is None:
                opening.append(np.nan)
                eyes.append(np.nan)
                continue
            points = face.points[:, :2]
            upper, lower = (points[list(indices)].mean(axis=0) for indices in (_UPPER_LIP, _LOWER_LIP))
            opening.append(float(np.hypot(*(lower - upper))) / face.size)
            ratios = [
                np.hypot(*(points[list(low)].mean(0) - points[list(high)].mean(0))) / np.hypot(*(points[a] - points[b]))
                for high, low, (a, b) in _LIDS
            ]
            eyes.append(float(np.mean(ratios)))
    heard = hear(clip)
    window = np.hanning(640)
    loudness = []
    for number in range(len(opening)):
        middle = int((number + 0.5) / FPS * 16_000)
        piece = heard.samples[max(0, middle - 320) : middle + 320]
        loudness.append(10 * np.log10(np.mean((piece * window[: len(piece)]) ** 2) + 1e-9) if len(piece) else -90.0)
    level = np.clip((np.array(loudness) + 55) / 45, 0, 1)
    return Watched(np.array(opening), np.array(eyes), level)


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's r."""
    return float(np.corrcoef(one, other)[0, 1])


def lag_ms(opening: Floats, sound: Floats) -> float:
    """How far the mouth comes after the sound, where the two agree best; by a parabola between frames."""
    shifts = range(-MOST_LAG_FRAMES, MOST_LAG_FRAMES + 1)
    length = len(opening)
    agreement = [
        correlation(opening[max(0, k) : length + min(0, k)], sound[max(0, -k) : length - max(0, k)]) for k in shifts
    ]
    best = int(np.argmax(agreement))
    if 0 < best < len(agreement) - 1:
        before, at, after = agreement[best - 1 : best + 2]
        best = best + 0.5 * (before - after) / (before - 2 * at + after)
    return (best - MOST_LAG_FRAMES) / FPS * 1000


def blinks(eyes: Floats) -> int:
    """How often the eyes close: their height falls under 70 % of its median and comes back."""
    usual, count, shut = float(np.nanmedian(eyes)), 0, False
    for height in eyes / usual:
        if height < 0.7 and not shut:
            count, shut = count + 1, True
        elif height > 0.88:
            shut = False
    return count


def closures(opening: Floats, phones: tuple[Phone, ...]) -> float:
    """Mean opening in the middles of p, b and m over that in the middles of vowels, above the mouth's rest."""
    rest = float(np.percentile(opening, 3))

    def middle(names: frozenset[str]) -> float:
        values = []
        for phone in phones:
            frame = round((phone.start_s + phone.end_s) / 2 * FPS - 0.5)
            if phone.name in names and frame < len(opening):
                # The least of the neighbours for a stop: a closure of 50 ms is two frames long.
                near = opening[max(0, frame - 1) : frame + 2] - rest
                values.append(float(near.min() if names is LABIAL_STOPS else near.mean()))
        return float(np.mean(values))

    return middle(LABIAL_STOPS) / middle(VOWELS)


def task(picture: Path, voice: Path, output: Path, quality: str = "preview") -> RenderTask:
    """A clip of the default model's kind."""
    return RenderTask(picture, voice, "", 1920, 1080, FPS, quality, False, output)


def commanded(voice: Path) -> Score:
    """What the mouth was told to do."""
    heard = hear(voice)
    return compose_score(heard.samples, int(np.ceil(heard.seconds * FPS)), FPS, manner_of(""))


def drawn_digest(picture: Path, voice: Path, frames: int) -> str:
    """A digest of some frames before they are encoded."""
    scene = set_scene(picture, 1920, 1080, fine=True)
    score, target = commanded(voice), scene.planes.copy()
    performer = perform(scene, FPS)
    digest = hashlib.sha256()
    for number in range(min(len(score), frames)):
        performer.draw(score, number, target)
        digest.update(target.luma.tobytes() + target.chroma.tobytes())
    return digest.hexdigest()[:12]


def cost(picture: Path, voice: Path, quality: str) -> tuple[float, float, float]:
    """Core seconds a second of video, peak memory in MB, and MB a 10 s of clip; in a process of its own."""
    code = (
        "import sys,time;from benchmarks.talking_head import *;"
        "import pipeline.studio.render.head;p,v,q=sys.argv[1:];o=Path(v).with_suffix('.cost.mp4');"
        "t=time.process_time();r=render(task(Path(p),Path(v),o,q));"
        "print(r.duration_s,time.process_time()-t,peak_kb(),o.stat().st_size)"
    )
    command = [sys.executable, "-c", code, str(picture), str(voice), quality]
    best = None
    for _ in range(3):  # the least of three: other programs only ever add
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds, cpu_s, memory_kb, size = map(float, told)
        if best is None or cpu_s / seconds < best[0]:
            best = (cpu_s / seconds, memory_kb / 1024, size / seconds * 10 / 1e6)
    assert best
    return best


def peak_kb() -> int:
    """Peak memory of this process. (``getrusage`` would hand on that of the process it was started from.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def container_row(clip: Path) -> str:
    """What the clip's streams are, as one line."""
    facts = look_at_clip(clip)
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0].codec_context, container.streams.audio[0].codec_context
        frame = next(container.decode(video=0))
        matrix = {1: "BT.709"}.get(int(frame.colorspace), "?")
        mark = container.metadata.get("comment", "")
    apart_ms = abs(facts.video_s - facts.audio_s) * 1000
    return (
        f"{facts.width}x{facts.height}, {facts.fps:g} fps, {video.name} {video.pix_fmt} {matrix}, {audio.name}; "
        f"ends {apart_ms:.1f} ms apart; decodes clean; marked “{mark}”"
    )


def measure(faces: list[Path], directory: Path) -> list[tuple[str, str, str]]:
    """All rows of the table: what, at least, measured."""
    rng = np.random.default_rng(5)
    lags, agreements, wrong, shuffled, stops, blink_rates = [], [], [], [], [], []
    container = ""
    for number, speak in enumerate(VOICES):
        face = faces[number % len(faces)]
        spoken = speak(LINE)
        voice = spoken.write(directory / f"voice{number}.wav")
        clip = directory / f"clip{number}.mp4"
        render(task(face, voice, clip))
        seen, told = watch(clip), commanded(voice)
        lags.append(lag_ms(seen.opening, seen.loudness))
        agreements.append(correlation(seen.opening, told.opening))
        others = [commanded(speak(line).write(directory / "other.wav")).opening for line in OTHER_LINES]
        wrong.append(float(np.mean([correlation(seen.opening[: len(o)], o[: len(seen.opening)]) for o in others])))
        blocks = np.array_split(np.arange(len(told.opening)), len(told.opening) // 12)
        mixed = [told.opening[np.concatenate([blocks[k] for k in rng.permutation(len(blocks))])] for _ in range(20)]
        shuffled.append(float(np.mean([correlation(seen.opening, one) for one in mixed])))
        blink_rates.append(
            (blinks(seen.eyes), int(np.sum(np.diff((told.closed > 0.5).astype(int)) == 1)), len(told) / FPS)
        )
        if spoken.phones:
            stops.append(closures(seen.opening, spoken.phones))
        container = container or container_row(clip)
        print(f"{spoken.engine:32} {face.stem:10} lag {lags[-1]:+6.1f} ms  r {agreements[-1]:.3f}  wrong {wrong[-1]:+.2f}  "
              f"shuffled {shuffled[-1]:+.2f}  stops {stops[-1] if spoken.phones else float('nan'):.2f}  "
              f"blinks {blink_rates[-1][0]} of {blink_rates[-1][1]} in {blink_rates[-1][2]:.1f} s", flush=True)  # fmt: skip
    full, draft = (cost(faces[0], directory / "voice0.wav", quality) for quality in ("preview", "draft"))
    digests = {drawn_digest(faces[0], directory / "voice0.wav", 60) for _ in range(2)}
    rates = [shut / seconds * 60 for shut, _, seconds in blink_rates]
    seen_blinks, told_blinks = (sum(row[k] for row in blink_rates) for k in (0, 1))
    return [
        ("container", "1080p, 48 fps, H.264 yuv420p BT.709, AAC, ends within 21 ms, marked", container),
        ("lag of the mouth, five voices", "within 25 ms", " ".join(f"{lag:+.0f}" for lag in lags) + " ms"),
        ("detected against commanded opening", "r ≥ 0.90", " ".join(f"{r:.2f}" for r in agreements)),
        ("a wrong voice", "r ≤ 0.25", " ".join(f"{r:+.2f}" for r in wrong)),
        ("shuffled in time", "r ≤ 0.25", " ".join(f"{r:+.2f}" for r in shuffled)),
        ("p, b, m against vowels", "≤ 0.30", " ".join(f"{ratio:.2f}" for ratio in stops)),
        ("blinks a minute", "8 to 30, each detected", f"{min(rates):.0f} to {max(rates):.0f}; {seen_blinks} of {told_blinks} detected"),
        ("cost, a second of video on two cores", "≤ 0.50 s", f"{full[0] / 2:.2f} s ({full[0]:.2f} core seconds)"),
        ("the same, draft", "≤ 0.35 s", f"{draft[0] / 2:.2f} s ({draft[0]:.2f} core seconds)"),
        ("memory of a worker", "≤ 350 MB", f"{max(full[1], draft[1]):.0f} MB"),
        ("10 s of clip", "about 1.5 MB", f"{full[2]:.1f} MB, draft {draft[2]:.1f} MB"),
        ("same frames when drawn again", "yes", "yes" if len(digests) == 1 else "no"),
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the studio's talking heads.")
    parser.add_argument(
        "--face", type=Path, action="append", required=True, help="a picture; give several to take turns"
    )
    parser.add_argument("--write", type=Path, help="put the table into this page, between its two marks")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as directory:
        rows = measure(args.face, Path(directory))
    lines = ["| what | at least | measured |", "| --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    table = "\n".join(lines)
    print(table)
    if args.write:
        begin, end = "<!-- table -->", "<!-- /table -->"
        before, _, rest = args.write.read_text(encoding="utf-8").partition(begin)
        args.write.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
