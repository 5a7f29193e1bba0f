"""Renders a clip of a talking head: draws frames in this thread, encodes them in another."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction
from typing import Protocol

import av.error
import cv2
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from pipeline.studio.render.encoding import ClipWriter, new_clip
from pipeline.studio.render.head.actor import Actor
from pipeline.studio.render.head.level import LevelDisplay
from pipeline.studio.render.head.motion import Score, compose_score
from pipeline.studio.render.head.picture import Planes, Scene, set_scene
from pipeline.studio.render.head.prompt import manner_of
from pipeline.studio.render.head.voice import hear
from pipeline.studio.render.sound import RATE_HZ, Sound
from pipeline.studio.render.task import RenderError, RenderReport, RenderTask

__all__ = ["NO_FACE", "Performer", "perform", "render"]

NO_FACE = "face not found"
"""A note of the report, and with ``strict`` the beginning of the error."""

_BUFFERS = 3
_GROUP_S = 2
_SOUND_AHEAD_S = 0.5
_DRAFT_REPEATS = 2
"""A draft draws every second frame and shows it twice."""


class Performer(Protocol):
    """Whatever draws the frames of a scene."""

    def draw(self, score: Score, frame: int, target: Planes) -> None:
        """Draw a frame into ``target``, which holds the scene at rest or an earlier frame."""


def perform(scene: Scene, fps: int) -> Performer:
    """What performs in a scene: its face, or a display of the level if it has none."""
    if scene.face is None:
        return LevelDisplay(scene.planes, fps)
    return Actor(scene.planes, scene.shown, scene.face)


def render(task: RenderTask) -> RenderReport:
    """Render a clip.

    Raises:
        RenderError: the picture or the voice can't be used; or, if the task is strict, there is no face.
    """
    cv2.setNumThreads(1)  # clips are rendered side by side: that uses the cores better than threads do
    fine = task.quality != "draft"
    scene = set_scene(task.picture, task.width, task.height, fine=fine)
    if scene.face is None and task.strict:
        raise RenderError(f"{NO_FACE}: use a picture that shows one from the front, large enough and in focus")
    heard = hear(task.voice)
    frames = math.ceil(heard.seconds * task.fps)
    score = compose_score(heard.samples, frames, task.fps, manner_of(task.prompt))
    notes = [NO_FACE] if scene.face is None else []
    if heard.damaged:
        notes.append(f"{heard.damaged} damaged packets of the voice were left out")
    performer = perform(scene, task.fps)
    try:
        with closing(Sound(task.voice)) as sound, new_clip(task, sound.layout, _x264(task)) as clip:
            _encode(task, clip, sound, scene, performer, score)
    except (av.error.FFmpegError, OSError) as error:
        raise RenderError(f"the clip can't be written: {error.strerror or error}") from None
    return RenderReport(frames, float(heard.seconds), tuple(notes))


class _Buffer:
    """A frame as the encoder takes it (NV12), whose pixels are drawn in place."""

    def __init__(self, rest: Planes) -> None:
        height, width = rest.luma.shape
        self.frame = VideoFrame(width, height, "nv12")
        luma, chroma = (np.frombuffer(plane, np.uint8) for plane in self.frame.planes)  # type: ignore[call-overload]
        rows = [plane.line_size for plane in self.frame.planes]
        self.planes = Planes(
            luma.reshape(-1, rows[0])[:height, :width],
            chroma.reshape(-1, rows[1] // 2, 2)[: height // 2, : width // 2],
        )
        self.planes.luma[...], self.planes.chroma[...] = rest.luma, rest.chroma


def _encode(task: RenderTask, clip: ClipWriter, sound: Sound, scene: Scene, performer: Performer, score: Score) -> None:
    """Draw and encode all frames and the sound, in the order in which they are heard and seen."""
    clip.video.pix_fmt = "nv12"  # as x264 holds pictures anyway; the stream is yuv420p
    writer = _Interleaver(clip, sound, task.fps)
    repeats = _DRAFT_REPEATS if task.quality == "draft" else 1
    buffers = [_Buffer(scene.planes) for _ in range(_BUFFERS)]
    writing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="encoder") as encoder:
        for drawing, number in enumerate(range(0, len(score), repeats)):
            if len(writing) == len(buffers):
                writing.popleft().result()  # from now on its buffer is free
            buffer = buffers[drawing % len(buffers)]
            performer.draw(score, number, buffer.planes)
            writing.append(encoder.submit(writer.add, buffer.frame, range(number, min(number + repeats, len(score)))))
        for future in writing:
            future.result()
        encoder.submit(writer.end).result()


class _Interleaver:
    """Writes the sound along with the frames, so that a player never has to wait for either."""

    def __init__(self, clip: ClipWriter, sound: Sound, fps: int) -> None:
        self._clip = clip
        self._pieces: Iterator[AudioFrame] = sound.frames()
        self._fps = fps
        self._samples = 0

    def add(self, frame: VideoFrame, numbers: range) -> None:
        """Encode and write a frame at each of these places, and the sound until a little after them."""
        for number in numbers:
            frame.pts, frame.time_base = number, Fraction(1, self._fps)
            for packet in self._clip.video.encode(frame):
                self._clip.add_picture(packet)
        while self._samples < (numbers.stop / self._fps + _SOUND_AHEAD_S) * RATE_HZ:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._samples += piece.samples
            self._clip.add_sound(piece)

    def end(self) -> None:
        """Write what the encoders still hold."""
        for packet in self._clip.video.encode(None):
            self._clip.add_picture(packet)
        for piece in self._pieces:
            self._clip.add_sound(piece)
        self._clip.end_sound()


_QUALITY = {"preview": "26", "draft": "30"}
"""x264's constant rate factor."""


def _x264(task: RenderTask) -> dict[str, str]:
    # The fastest preset, and of what it leaves out that which is worth its time here: CABAC and B frames on a fixed
    # pattern make half the file, deblocking keeps skin smooth. No look ahead: it costs memory (a frame is 3 MB) and
    # gains little where almost nothing moves.
    group = _GROUP_S * task.fps
    params = f"keyint={group}:min-keyint={group}:scenecut=0:threads=1:cabac=1:bframes=3:b-adapt=0:deblock=0,0"
    return {"preset": "ultrafast", "crf": _QUALITY.get(task.quality, _QUALITY["preview"]), "x264-params": params}
