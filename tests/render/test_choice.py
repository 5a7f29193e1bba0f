"""Which renderer is used, and what it says if it is the lesser one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.studio.render import NOT_INSTALLED, RenderError, RenderTask, render

from .faces import speak_mama, write_wav


@pytest.mark.parametrize("missing", ["numpy", "cv2"])
def test_without_its_packages_the_picture_stands_still_and_the_report_says_so(
    missing: str, face_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    voice = write_wav(tmp_path / "voice.wav", speak_mama(0.5)[0])

    report = render(RenderTask(face_file, voice, "", 640, 360, 48, "preview", False, tmp_path / "clip.mp4"))

    assert report.notes == (NOT_INSTALLED,)
    assert report.frames == 24


def test_without_its_packages_a_strict_clip_is_an_error(
    face_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(RenderError, match=r"needs numpy and OpenCV: pip install 'avatar-batch\[studio\]'"):
        render(RenderTask(face_file, face_file, "", 640, 360, 48, "preview", True, tmp_path / "clip.mp4"))

    assert list(tmp_path.iterdir()) == []


def test_the_studio_itself_loads_neither_opencv_nor_numpy() -> None:
    code = "import sys, pipeline.studio.render, pipeline.studio.farm; print({'cv2', 'numpy'} & set(sys.modules))"

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout.strip() == "set()"
