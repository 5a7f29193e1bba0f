"""Voices of every kind become a clip of exactly their length."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.studio.render import RenderError
from pipeline.studio.render.head.motion import compose_score
from pipeline.studio.render.head.prompt import Manner, manner_of
from pipeline.studio.render.head.voice import EAR_HZ, articulate, hear

from .conftest import make_clip
from .faces import speak_mama, write_wav


def voiced(seconds: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return speak_mama(seconds)[0].astype(np.float32)


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.3, 1.0, 2.003])
def test_short_voices(seconds: float, face_file: Path, tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speak_mama(seconds)[0])

    clip = make_clip(face_file, voice, tmp_path / "clip.mp4")

    assert len(clip.frames) == math.ceil(round(seconds * 16_000) / 16_000 * 48)


def test_a_very_long_voice_is_scored_in_little_memory_and_blinks_as_usual() -> None:
    samples = np.tile(voiced(7.2), 42)  # five minutes

    score = compose_score(samples, 300 * 48, 48, Manner())

    blinks = int(np.sum(np.diff((score.closed > 0.5).astype(int)) == 1))
    assert 8 <= blinks / 5 <= 30
    assert np.isfinite(score.head).all()


def test_a_silent_voice_keeps_the_mouth_shut_and_the_face_alive() -> None:
    score = compose_score(np.zeros(6 * EAR_HZ, np.float32), 6 * 48, 48, Manner())

    assert score.opening.max() < 0.02
    assert (score.closed > 0.5).any()
    assert np.ptp(score.head[:, 0]) > 0


def test_faint_noise_is_silence() -> None:
    noise = np.random.default_rng(1).normal(size=4 * EAR_HZ).astype(np.float32) * 10 ** (-70 / 20)

    assert compose_score(noise, 4 * 48, 48, Manner()).opening.max() < 0.05


@pytest.mark.parametrize(
    ("rate_hz", "channels", "gain"),
    [(8_000, 1, 1.0), (44_100, 2, 1.0), (48_000, 1, 0.02), (16_000, 1, 8.0)],
    ids=["telephone", "stereo", "faint", "clipped"],
)
def test_the_mouth_follows_whatever_the_recording_is_like(
    rate_hz: int, channels: int, gain: float, tmp_path: Path
) -> None:
    samples, vowels = speak_mama(3.6, rate_hz=rate_hz)
    heard = hear(write_wav(tmp_path / "voice.wav", samples * gain, rate_hz, channels))

    said = articulate(heard.samples)

    opening = np.array([said.opening[round((start + end) / 2 * 100)] for start, end in vowels])
    closed = np.array([said.opening[round((start - 0.065) * 100)] for start, _ in vowels])
    assert float(heard.seconds) == pytest.approx(3.6, abs=0.001)
    assert opening.min() > 0.4
    assert closed.max() < 0.15


def test_no_sound_at_all_is_an_error(face_file: Path, tmp_path: Path) -> None:
    (tmp_path / "voice.wav").write_bytes(b"RIFF\0\0\0\0WAVE")

    with pytest.raises(RenderError):
        make_clip(face_file, tmp_path / "voice.wav", tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", Manner()),
        ("Point at the camera.", Manner()),
        ("Calm, gentle delivery", manner_of("calm")),
        ("not calm", Manner()),
        ("without any smile", Manner()),
        ("ENERGETIC!", manner_of("energetic")),
    ],
)
def test_a_prompt_is_read_by_its_known_words(prompt: str, expected: Manner) -> None:
    assert manner_of(prompt) == expected


def test_a_prompt_never_changes_more_than_a_little() -> None:
    every = "calm energetic laughing serious still surprised"

    manner = manner_of(every)

    assert 0.15 <= manner.motion <= 1.5
    assert 0.8 <= manner.opening <= 1.15
    assert abs(manner.smile) <= 0.35


def test_a_still_head_moves_less_than_a_lively_one() -> None:
    moves = [
        np.abs(compose_score(voiced(4), 192, 48, manner_of(prompt)).head[:, :3]).max()
        for prompt in ("still", "", "lively")
    ]

    assert moves[0] < 0.5 * moves[1] < moves[2]
