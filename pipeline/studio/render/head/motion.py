"""The score of a clip: for each of its frames what mouth, eyes and head do. Known before the first one is drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from pipeline.studio.render.head.curves import Floats, eased
from pipeline.studio.render.head.mouth import MouthShape
from pipeline.studio.render.head.pose import LARGEST, HeadPose
from pipeline.studio.render.head.prompt import Manner
from pipeline.studio.render.head.voice import ANALYSIS_HZ, Articulation, articulate, smooth

__all__ = ["Score", "compose_score"]

_LOUD_OPENING = 0.80
"""The opening that a voice's widest vowels come to."""
_MOST_GAIN = 1.7
_BLINK_EVERY_S = 3.7
_BLINK_GAPS_S = (2.1, 6.4)
_FIRST_BLINK_S = (0.7, 1.4)
_QUIET_SEARCH_S = 0.3
_CLOSING_S, _CLOSED_S, _REOPENING_S = 0.075, 0.045, 0.16
"""A blink: some 100 ms down, 150 ms and more up (Trutoiu et al., Modeling and animating eye blinks, 2011)."""
_REST_S = 0.35
"""At both ends the head is as in the picture."""

# Standard deviations of the head's wander: radians, or parts of the face's size.
_YAW, _PITCH, _ROLL, _ACROSS, _DOWN = 0.016, 0.010, 0.008, 0.006, 0.004
_NOD = 0.028
_BREATH_HZ = 0.24


@dataclass(frozen=True, slots=True)
class Score:
    """One value for each frame, all of shape (frames,) but ``head``.

    Attributes:
        opening, spread: the mouth's, see ``MouthShape``.
        closed: the eyes, 0 (as in the picture) to 1.
        head: yaw, pitch, roll, across, down, breath, brow, of shape (frames, 7), see ``HeadPose``.
        level: the voice's loudness, 0 to 1.
    """

    opening: Floats
    spread: Floats
    closed: Floats
    head: Floats
    level: Floats

    def __len__(self) -> int:
        return len(self.opening)

    def mouth(self, frame: int) -> MouthShape:
        """The mouth in a frame."""
        return MouthShape(float(self.opening[frame]), float(self.spread[frame]))

    def pose(self, frame: int) -> HeadPose:
        """The head in a frame."""
        return HeadPose(*(float(value) for value in self.head[frame]))


def compose_score(samples: Floats, frames: int, fps: int, manner: Manner) -> Score:
    """What a face does to speak these samples (``EAR_HZ``); the same for the same arguments."""
    said = articulate(samples)
    rng = np.random.default_rng(zlib.crc32(samples.tobytes()))
    # A frame is looked at while it is shown: it shows what is heard in its middle.
    times = np.asarray((np.arange(frames) + 0.5) / fps, np.float32)

    def framed(curve: Floats) -> Floats:
        return np.interp(times * ANALYSIS_HZ, np.arange(len(curve)), curve).astype(np.float32)

    level = framed(smooth(said.level, 0.02))
    return Score(
        opening=framed(_opening(said, manner)),
        spread=framed(_spread(said, manner)),
        closed=_blinks(times, level, manner, rng),
        head=_head(times, fps, framed(said.emphasis), level, manner, rng),
        level=level,
    )


def _opening(said: Articulation, manner: Manner) -> Floats:
    shut = eased(said.closed, 0.30, 0.75)
    opening: Floats = said.opening * (0.80 + 0.30 * said.level)
    voiced = opening[said.level > 0.4]
    widest = float(np.percentile(voiced, 95)) if len(voiced) else _LOUD_OPENING
    opening = opening * np.float32(min(_LOUD_OPENING / max(widest, 0.2), _MOST_GAIN) * manner.opening)
    return np.asarray(np.clip(smooth(opening * (1 - shut), 0.014), 0, 1), np.float32)


def _spread(said: Articulation, manner: Manner) -> Floats:
    speaking = smooth(said.level, 0.06)
    lips: Floats = (said.spread - 0.33) * 1.4 - said.rounded * 1.2
    return np.asarray(np.clip(smooth(lips * speaking, 0.03) + manner.smile, -1, 1), np.float32)


def _blinks(times: Floats, level: Floats, manner: Manner, rng: np.random.Generator) -> Floats:
    closed = np.zeros(len(times), np.float32)
    length = _CLOSING_S + _CLOSED_S + _REOPENING_S
    due = float(rng.uniform(*_FIRST_BLINK_S))
    while len(times) and due + length < times[-1]:
        # Eyes close rather in pauses than in the midst of a word.
        near = np.flatnonzero(np.abs(times - due) <= _QUIET_SEARCH_S)
        start = float(times[near[np.argmin(level[near] + 0.3 * np.abs(times[near] - due))]])
        after = times - start
        down = eased(after.astype(np.float32), 0, _CLOSING_S)
        up = eased(after.astype(np.float32), _CLOSING_S + _CLOSED_S, length)
        closed = np.maximum(closed, down * (1 - up))
        shape = 4.0  # of the gamma distribution: irregular, but neither twice at once nor hardly ever
        gap = float(np.clip(rng.gamma(shape, _BLINK_EVERY_S / shape), *_BLINK_GAPS_S)) / manner.blinks
        due = start + max(gap, _BLINK_GAPS_S[0])
    return closed.astype(np.float32)


def _head(times: Floats, fps: int, emphasis: Floats, level: Floats, manner: Manner, rng: np.random.Generator) -> Floats:
    def wander(slowness_s: float) -> Floats:
        """A smooth random walk about 0, of standard deviation 1 over long times."""
        reach = int(4 * slowness_s * fps) + 1
        noise = rng.normal(size=len(times) + 2 * reach).astype(np.float32)
        # The deviation of smoothed white noise is (2 sigma sqrt(pi)) ** -0.5.
        walk = smooth(noise, slowness_s, fps) * np.float32((2 * slowness_s * fps * np.pi**0.5) ** 0.5)
        return walk[reach : reach + len(times)]

    nod = smooth(emphasis, 0.09, fps)
    loud = smooth(level, 0.35, fps)
    lively = manner.motion * (0.55 + 0.6 * loud)
    breath = 0.5 - 0.5 * np.cos(2 * np.pi * _BREATH_HZ * times + rng.uniform(0, 1))
    brow = np.clip(smooth(np.maximum(emphasis, 0), 0.12, fps) * 0.9 * manner.motion + manner.brow, 0, 1)
    curves = np.stack(
        (
            _YAW * wander(0.75) * lively,
            (_PITCH * wander(0.55) + _NOD * nod) * lively,
            _ROLL * wander(0.85) * lively,
            _ACROSS * wander(0.9) * lively,
            (_DOWN * wander(0.7) + 0.004 * nod) * lively,
            breath,
            brow,
        ),
        axis=1,
    )
    end = times[-1] if len(times) else 0.0
    rest = np.minimum(times, end - times)
    curves = np.clip(curves, -np.array(LARGEST), LARGEST)
    return np.asarray(curves * eased(rest, 0, min(_REST_S, end / 3 + 1e-3))[:, None], np.float32)
