"""When to ask for an outstanding clip again."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pipeline.pacing.render_times import Observation, RenderTimes

__all__ = ["AdaptivePlan", "FixedPlan", "PollPlan", "poll_plan_for"]


class PollPlan(Protocol):
    """Plans polls from how long clips have rendered. Ages are seconds since the submit; a clip is whatever names it."""

    @property
    def version(self) -> int:
        """Changes when earlier gaps are out of date."""

    def gap_s(self, seen_s: float, voice_s: float) -> float:
        """Seconds after a clip was seen rendering at age ``seen_s`` until it is worth asking again.

        Args:
            seen_s: 0 right after the submit.
            voice_s: its seconds of voice; 0 if not known.
        """

    def gain(self, seen_s: float, age_s: float, voice_s: float) -> float:
        """How much there is to be gained by asking at an age for a clip last seen rendering at another."""

    def renders(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """At this age the clip was not ready; 0: it was just sent. What is not told of is not learned from."""

    def ready(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """The clip was asked for at this age and was ready."""

    def gone(self, clip: Hashable) -> None:
        """The clip ended in another way, or is not asked for any more."""

    @property
    def observations(self) -> Sequence[Observation]:
        """What was learned, for the next run."""

    def learn(self, observations: Sequence[Observation]) -> None:
        """Start from what an earlier run has seen."""


@dataclass(slots=True)
class FixedPlan:
    """Every ``interval_s``. What earlier runs have seen is handed on as it is."""

    interval_s: float
    observations: Sequence[Observation] = ()

    @property
    def version(self) -> int:
        """Gaps are never out of date."""
        return 0

    def gap_s(self, seen_s: float, voice_s: float) -> float:
        """The same for every age."""
        return self.interval_s

    def gain(self, seen_s: float, age_s: float, voice_s: float) -> float:
        """The longest waiting first."""
        return age_s - seen_s

    def renders(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """Nothing to learn."""

    def ready(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """Nothing to learn."""

    def gone(self, clip: Hashable) -> None:
        """Nothing to learn."""

    def learn(self, observations: Sequence[Observation]) -> None:
        """Nothing but to hand it on."""
        self.observations = observations


NOTICE_SHARE = 0.01
"""Of the typical render time: the mean notice where none is wished for."""


@dataclass(slots=True)
class AdaptivePlan:
    """Polls where clips end, as this run has shown it (see ``render_curve`` for why these gaps are the cheapest).

    Attributes:
        interval_s: the shortest gap between two polls of a clip; the first may come sooner.
        notice_s: the mean time wanted from a clip's being ready until that is noticed; 0 for a hundredth of the
            typical render time. Half of it takes twice the polls.
        times: what is known of render times.
    """

    interval_s: float
    notice_s: float = 0.0
    times: RenderTimes = field(default_factory=lambda: RenderTimes(0.0))

    @property
    def version(self) -> int:
        """Changes when earlier gaps are out of date."""
        return self.times.version

    def gap_s(self, seen_s: float, voice_s: float) -> float:
        """Until ∫sqrt(h)dt has grown by 2·notice/J, h being the hazard of a clip with this voice."""
        curve, scale = self.times.curve, self.times.scale(voice_s)
        notice_s = self.notice_s or NOTICE_SHARE * curve.typical_s
        # Of a render time that is stretched by s the hazard is 1/s of that at 1/s of the age, its integral grows by sqrt(s).
        step = 2 * max(notice_s, self.interval_s / 2) / curve.effort / math.sqrt(scale)
        seen_s /= scale
        due_s = curve.age_at(curve.cumulated(seen_s) + step)
        shortest_s = self.interval_s / scale if seen_s else 0.0
        if seen_s < curve.late_s:
            # Where clips are quicker than polls may be, one poll when nearly all are ready is best.
            due_s = min(due_s, max(curve.late_s, seen_s + shortest_s))
        return max(shortest_s, due_s - seen_s) * scale

    def gain(self, seen_s: float, age_s: float, voice_s: float) -> float:
        """The growth of ∫sqrt(h)dt: where requests are scarce, the best plan asks where it is the largest."""
        curve, scale = self.times.curve, self.times.scale(voice_s)
        return (curve.cumulated(age_s / scale) - curve.cumulated(seen_s / scale)) * math.sqrt(scale)

    def renders(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """At this age the clip was not ready; 0: it was just sent. What is not told of is not learned from."""
        self.times.renders(clip, age_s, voice_s)

    def ready(self, clip: Hashable, age_s: float, voice_s: float) -> None:
        """The clip was asked for at this age and was ready."""
        self.times.ready(clip, age_s, voice_s)

    def gone(self, clip: Hashable) -> None:
        """The clip ended in another way, or is not asked for any more."""
        self.times.gone(clip)

    @property
    def observations(self) -> Sequence[Observation]:
        """What was learned, for the next run."""
        return self.times.observations

    def learn(self, observations: Sequence[Observation]) -> None:
        """Start from what an earlier run has seen."""
        if observations:
            self.times.learn(observations)


def poll_plan_for(
    strategy: Literal["adaptive", "fixed"], interval_s: float, expected_s: float, notice_s: float = 0.0
) -> PollPlan:
    """The plan that ``poll.strategy`` asks for."""
    if strategy == "fixed":
        return FixedPlan(interval_s)
    return AdaptivePlan(interval_s, notice_s, RenderTimes(expected_s))
