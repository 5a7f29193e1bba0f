"""A clip's length costs time, not memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .faces import speak_mama, write_wav

STATUS = Path("/proc/self/status")
RENDER = """
import sys
from pathlib import Path
from pipeline.studio.render import RenderTask, render
picture, voice, output = map(Path, sys.argv[1:])
render(RenderTask(picture, voice, "", 320, 180, 48, "draft", False, output))
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]))
"""


def peak_mb(picture: Path, seconds: float, folder: Path) -> float:
    """The most memory that a process of its own ever holds, in which a clip of this length is rendered."""
    samples = np.resize(speak_mama(3.6)[0], round(seconds * 16_000))
    voice = write_wav(folder / "voice.wav", samples)
    told = subprocess.run(
        [sys.executable, "-c", RENDER, str(picture), str(voice), str(folder / "clip.mp4")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(told.stdout) / 1024


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells a process's peak of memory")
def test_a_longer_voice_needs_hardly_more_memory(face_file: Path, tmp_path: Path) -> None:
    short, long = (peak_mb(face_file, seconds, tmp_path) for seconds in (1.0, 21.0))

    # The 960 frames that the long clip has more would be 83 MB, its sound is 3.
    assert long - short < 25
    assert long < 350
