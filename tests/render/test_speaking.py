"""A clip speaks its voice: measured by landmarks that are found in the decoded frames."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.clips import look_at_clip
from pipeline.studio.render.head.motion import compose_score
from pipeline.studio.render.head.picture import set_scene
from pipeline.studio.render.head.prompt import Manner
from pipeline.studio.render.head.renderer import perform
from pipeline.studio.render.head.voice import hear

from .conftest import SECONDS, Clip, make_clip
from .faces import speak_mama, write_wav


def test_the_clip_is_what_the_model_promises(face_file: Path, tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speak_mama(1.3)[0])

    clip = make_clip(face_file, voice, tmp_path / "clip.mp4", size=(1920, 1080))

    facts = look_at_clip(clip.path)
    assert (facts.width, facts.height, facts.fps) == (1920, 1080, 48)
    assert len(clip.frames) == clip.report.frames == math.ceil(1.3 * 48)
    assert abs(facts.video_s - facts.audio_s) < 0.021
    assert clip.report.notes == ()
    with av.open(str(clip.path)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video))
        assert (video.codec_context.pix_fmt, int(frame.colorspace), int(frame.color_range)) == ("yuv420p", 1, 1)
        assert [packet.pts for packet in container.demux(video) if packet.pts is not None]
        assert "synthetic" in container.metadata["comment"]
    data = clip.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_mouth_opens_with_the_vowels_and_closes_with_the_lips(clip: Clip) -> None:
    opening = clip.opening
    _, vowels = speak_mama(SECONDS)
    middles = [round((start + end) / 2 * 48) for start, end in vowels]
    closures = [round((start - 0.065) * 48) for start, _ in vowels]

    rest = float(np.percentile(opening, 2))
    open_by = np.mean(opening[middles] - rest)
    assert open_by > 0.05
    assert np.mean(opening[closures] - rest) < 0.3 * open_by


def test_the_mouth_does_not_lag(clip: Clip) -> None:
    opening = clip.opening
    _, vowels = speak_mama(SECONDS)
    times = (np.arange(len(opening)) + 0.5) / 48
    voiced = np.array([any(start <= at < end for start, end in vowels) for at in times], float)

    shifts = range(-8, 9)
    agreement = [np.corrcoef(opening[10:-10], np.roll(voiced, shift)[10:-10])[0, 1] for shift in shifts]
    assert abs(shifts[int(np.argmax(agreement))]) / 48 <= 0.025
    assert max(agreement) > 0.8


def test_what_is_seen_is_what_was_commanded(clip: Clip, voice_file: Path) -> None:
    score = compose_score(hear(voice_file).samples, len(clip.frames), 48, Manner())

    assert np.corrcoef(clip.opening, score.opening)[0, 1] > 0.9


def test_the_eyes_blink_and_each_blink_is_seen(clip: Clip, voice_file: Path) -> None:
    score = compose_score(hear(voice_file).samples, len(clip.frames), 48, Manner())
    commanded = int(np.sum(np.diff((score.closed > 0.5).astype(int)) == 1))
    faces = clip.faces
    heights = np.array([np.hypot(*(face.points[145, :2] - face.points[159, :2])) / face.size for face in faces])

    assert 8 <= commanded / SECONDS * 60 <= 30
    assert np.mean(heights[score.closed > 0.9]) < 0.75 * np.median(heights)


def test_the_background_is_not_touched(clip: Clip) -> None:
    first, later = (clip.frames[number][:, :40].astype(int) for number in (0, 100))

    assert np.abs(first - later).max() <= 6  # what the encoder does


def test_the_first_frame_is_the_picture(face_file: Path, clip: Clip) -> None:
    scene = set_scene(face_file, 640, 360, fine=True)
    with av.open(str(clip.path)) as container:
        plane = next(container.decode(video=0)).planes[0]
        luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:360, :640]

    assert np.abs(luma.astype(int) - scene.planes.luma).mean() < 2


def test_the_same_frames_are_drawn_again(face_file: Path, voice_file: Path) -> None:
    def drawn() -> list[bytes]:
        scene = set_scene(face_file, 640, 360, fine=True)
        score = compose_score(hear(voice_file).samples, 60, 48, Manner())
        performer, target = perform(scene, 48), scene.planes.copy()
        frames = []
        for number in range(0, 60, 7):
            performer.draw(score, number, target)
            frames.append(target.luma.tobytes() + target.chroma.tobytes())
        return frames

    assert drawn() == drawn()


def test_a_draft_is_smaller_and_as_long(face_file: Path, voice_file: Path, clip: Clip, tmp_path: Path) -> None:
    draft = make_clip(face_file, voice_file, tmp_path / "draft.mp4", quality="draft")

    assert len(draft.frames) == len(clip.frames)
    assert draft.path.stat().st_size < 0.8 * clip.path.stat().st_size


@pytest.mark.parametrize("number", [60, 120])
def test_motion_is_smooth(clip: Clip, number: int) -> None:
    noses = np.array([face.points[1, :2] for face in clip.faces[number : number + 40]])
    steps = np.abs(np.diff(noses, axis=0))

    assert steps.max() < 0.03 * clip.faces[number].size
