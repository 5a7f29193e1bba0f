"""A face, a voice and a clip of both, made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.studio.render import RenderReport, RenderTask, render
from pipeline.studio.render.head.face import Face, find_face, track

from .faces import draw_face, speak_mama, write_wav

SECONDS = 5.0
SMALL = (640, 360)
"""Where the frame's size doesn't matter: a ninth of the work."""


@dataclass(frozen=True)
class Clip:
    """A rendered clip, decoded: RGB frames, and what was reported."""

    path: Path
    report: RenderReport
    frames: list[NDArray[np.uint8]]

    @cached_property
    def faces(self) -> list[Face]:
        """The face in every frame, found anew."""
        face: Face | None = None
        found = []
        for frame in self.frames:
            face = (face and track(frame, face)) or find_face(frame)
            assert face
            found.append(face)
        return found

    @cached_property
    def opening(self) -> NDArray[np.float64]:
        """Distance of the inner lips over the face's size, for every frame."""
        return np.array([np.hypot(*(face.points[14, :2] - face.points[13, :2])) / face.size for face in self.faces])


def make_clip(
    picture: Path,
    voice: Path,
    output: Path,
    *,
    size: tuple[int, int] = SMALL,
    prompt: str = "",
    quality: str = "preview",
    strict: bool = False,
) -> Clip:
    report = render(RenderTask(picture, voice, prompt, *size, 48, quality, strict, output))
    with av.open(str(output)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]
    return Clip(output, report, frames)


@pytest.fixture(scope="session")
def face_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.png"
    draw_face().save(path)
    return path


@pytest.fixture(scope="session")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("voice") / "voice.wav", speak_mama(SECONDS)[0])


@pytest.fixture(scope="session")
def clip(face_file: Path, voice_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_clip(face_file, voice_file, tmp_path_factory.mktemp("clip") / "clip.mp4")
