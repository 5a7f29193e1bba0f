"""MP4 bytes: real H.264 and AAC of the asked length and frame size, and no two clips alike.

Encoding 1080p at 48 frames a second is slow, so one second is encoded once for each frame size and its packets are
repeated; what tells two generations apart is an MP4 `free` box at the end, which players skip.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
import tempfile
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from .plan import BadKind

SAMPLE_RATE = 24_000
KEEP_BYTES = 64_000_000
QUICK_BYTES = 200_000
HTML_PAGE = b"<!doctype html><html><head><title>Error</title></head><body><h1>Please try again later</h1></body></html>"

GRAIN_BYTES = 65_521
"""Padding repeats after so many bytes, a prime: pieces of a file in each other's place don't look right."""


def default_folder() -> Path:
    """A folder for the shared parts of clips, which all emulators of this user may use."""
    return Path(tempfile.gettempdir()) / f"avatar-batch-emulator-{os.getuid()}"


class Clips:
    """Makes clips and keeps the parts that several of them share, in a folder that emulators may share too."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kept: OrderedDict[tuple[str, int, BadKind | None], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._bases: dict[str, bytes] = {}

    def clip(
        self, identity: str, seconds: float, output: tuple[int, int, int], pad_bytes: int, bad: BadKind | None = None
    ) -> bytes:
        """The file of one generation."""
        key = (identity, pad_bytes, bad)
        if key not in self._kept:
            made = self._kept[key] = self._make(identity, seconds, output, pad_bytes, bad)
            self._kept_bytes += len(made)
            while len(self._kept) > 1 and self._kept_bytes > KEEP_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
            return made
        self._kept.move_to_end(key)
        return self._kept[key]

    def quick(self, seconds: float, output: tuple[int, int, int], pad_bytes: int) -> bool:
        """Whether the good file is made in no time, with nothing to encode."""
        return pad_bytes <= QUICK_BYTES and _name(seconds, output, sound=True) in self._bases

    def _make(
        self, identity: str, seconds: float, output: tuple[int, int, int], pad_bytes: int, bad: BadKind | None
    ) -> bytes:
        width, height, fps = output
        if bad == "html":
            return HTML_PAGE
        if bad == "empty":
            return b""
        if bad == "truncated":
            base = self._base(seconds, output)
            return base[: len(base) * 3 // 5]
        if bad == "zeroed":
            return zeroed(self._base(seconds, output)) + free_box(identity, pad_bytes)
        if bad == "wrong_resolution":
            output = (width // 4 * 2, height // 4 * 2, fps)
        elif bad == "wrong_fps":
            output = (width, height, 30 if fps != 30 else 25)
        elif bad == "wrong_duration":
            seconds = seconds + 3.0 if seconds < 4.0 else seconds / 2
        return self._base(seconds, output, sound=bad != "no_audio") + free_box(identity, pad_bytes)

    def _base(self, seconds: float, output: tuple[int, int, int], *, sound: bool = True) -> bytes:
        name = _name(seconds, output, sound=sound)
        if name not in self._bases:
            self._bases[name] = self._cached(name) or self._store(
                name, mux(self._second(output), _tenths(seconds) / 10, output[2], sound=sound)
            )
        return self._bases[name]

    def _second(self, output: tuple[int, int, int]) -> bytes:
        name = "second-" + "x".join(map(str, output)) + ".mp4"
        return self._cached(name) or self._store(name, encode_second(*output))

    def _cached(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def _store(self, name: str, data: bytes) -> bytes:
        # Renamed into place, since another emulator may be reading the same folder.
        draft = self._folder / f"{name}.{os.getpid()}"
        draft.write_bytes(data)
        draft.replace(self._folder / name)
        return data


def _tenths(seconds: float) -> int:
    return max(1, round(seconds * 10))


def _name(seconds: float, output: tuple[int, int, int], *, sound: bool) -> str:
    return "x".join(map(str, output)) + f"-{_tenths(seconds)}{'' if sound else '-mute'}.mp4"


def encode_second(width: int, height: int, fps: int) -> bytes:
    """One second of a gradient as an MP4 without sound: one key frame, then frames that repeat it."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One thread, so that every machine writes the same bytes.
        stream.options = {"preset": "ultrafast", "crf": "32", "threads": "1", "x264-params": f"keyint={fps}:scenecut=0"}
        frame = av.VideoFrame(width, height, "yuv420p")
        for index, plane in enumerate(frame.planes):
            plane.update(bytes(_gradient(plane.line_size, plane.height, index)))
        for number in range(fps):
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def _gradient(width: int, height: int, plane: int) -> Iterator[int]:
    if plane == 0:
        row = [32 + 190 * x // width for x in range(width)]
        for _ in range(height):
            yield from row
    else:
        for y in range(height):
            yield from [96 + 64 * y // height] * width


def mux(second: bytes, seconds: float, fps: int, *, sound: bool = True) -> bytes:
    """An MP4 of any length out of the packets of one encoded second and a hummed note."""
    # Moving the index to the front opens the output a second time, by name: so it has to be a real file.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        _mux_into(file, second, seconds, fps, sound=sound)
        return file.read_bytes()


def _mux_into(file: Path, second: bytes, seconds: float, fps: int, *, sound: bool) -> None:
    with (
        av.open(io.BytesIO(second), "r") as source,
        av.open(str(file), "w", format="mp4", options={"movflags": "+faststart"}) as out,
    ):
        picture = source.streams.video[0]
        video = out.add_stream_from_template(picture)
        audio = None
        if sound:
            audio = out.add_stream("aac", rate=SAMPLE_RATE)
            assert isinstance(audio, AudioStream)
            audio.layout = "mono"
            audio.bit_rate = 32_000
        assert picture.time_base is not None
        step = int(Fraction(1, fps) / picture.time_base)
        payloads = [(bytes(packet), packet.is_keyframe) for packet in source.demux(picture) if packet.size]
        tune = _hum(audio, seconds) if audio is not None else iter(())
        for number in range(round(seconds * fps)):
            data, key = payloads[number % fps]
            packet = av.Packet(data)
            packet.stream = video
            packet.time_base = picture.time_base
            packet.pts = packet.dts = number * step
            packet.duration = step
            packet.is_keyframe = key
            out.mux(packet)
            # About one audio packet for every 43 ms keeps the two interleaved.
            for _ in range(-(-SAMPLE_RATE // (1024 * fps))):
                for sung in next(tune, ()):
                    out.mux(sung)
        for rest in tune:
            out.mux(rest)


def _hum(stream: AudioStream, seconds: float) -> Iterator[list[av.Packet[AudioStream]]]:
    total = round(seconds * SAMPLE_RATE)
    for start in range(0, total, 1024):
        count = min(1024, total - start)
        frame = av.AudioFrame(format="s16", layout="mono", samples=count)
        samples = array(
            "h", (round(6000 * math.sin(2 * math.pi * 220 * n / SAMPLE_RATE)) for n in range(start, start + count))
        )
        # The plane may be longer than the samples, for alignment.
        frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield stream.encode(frame)
    yield stream.encode(None)


def free_box(identity: str, pad_bytes: int) -> bytes:
    """A box that players skip: the generation's id and padding that depends on the id alone."""
    name = identity.encode() + b"\0"
    grain = hashlib.shake_128(name).digest(min(max(0, pad_bytes), GRAIN_BYTES))
    pad = (grain * -(-pad_bytes // GRAIN_BYTES))[:pad_bytes] if grain else b""
    return struct.pack(">I4s", 8 + len(name) + len(pad), b"free") + name + pad


def zeroed(data: bytes) -> bytes:
    """The same file with zeros in the middle third of its media data."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"mdat":
            start, end = position + 8 + size // 3, position + 8 + size * 2 // 3
            return data[:start] + bytes(end - start) + data[end:]
        position += max(8, size)
    return data
