"""The simulated nights of the write-up: what no laptop can wait for."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.simulator import (
    Law,
    Limits,
    Report,
    adaptive,
    bimodal,
    drifting,
    fixed,
    least_product,
    log_normal,
    simulate,
    with_stuck,
)
from pipeline.pacing import AdaptiveWindow

__all__ = ["LimitNight", "Nights", "PollNight", "simulated_nights"]

KNOWN = 20
CLIPS = 1000


@dataclass(frozen=True, slots=True)
class PollNight:
    """Polls and notice of a law: ours, fixed, and the least product where it is known."""

    law: str
    ours: tuple[float, float]
    fixed: tuple[float, float]
    least: float | None


@dataclass(frozen=True, slots=True)
class LimitNight:
    """A hidden limit: what of it was used and refused once warm."""

    what: str
    used: float
    refused: float
    refused_in_all: int


@dataclass(frozen=True, slots=True)
class Nights:
    """All of them; ``curve`` is polls and notice for several operating points, ``usage`` the share used by time."""

    polls: list[PollNight]
    limits: list[LimitNight]
    curve: list[tuple[float, float]]
    fixed_curve: list[tuple[float, float]]
    usage: list[float]


LAWS: dict[str, tuple[Law, float | None]] = {
    "log-normal, 530 s, spread 0.25": (log_normal(530.0, 0.25), 0.25),
    "log-normal, 530 s, spread 0.10": (log_normal(530.0, 0.10), 0.10),
    "two kinds: 200 s and (3 in 10) 900 s": (bimodal(log_normal(200.0, 0.1), log_normal(900.0, 0.1), 0.3), None),
    "drifting from 530 s to twice that": (drifting(log_normal(530.0, 0.15), 2.0, CLIPS), None),
    "2 in 100 never end": (with_stuck(log_normal(530.0, 0.2), 0.02), None),
    "exponential, 530 s": (lambda rng, _number, _voice_s: rng.expovariate(1 / 530.0), None),
}


def simulated_nights() -> Nights:
    """About half a minute."""
    polls = []
    for name, (law, spread) in LAWS.items():
        ours, theirs = (simulate(law, clips=CLIPS, plan=plan) for plan in (adaptive(notice_s=5.0), fixed(10.0)))
        polls.append(PollNight(name, _point(ours), _point(theirs), least_product(530.0, spread) if spread else None))
    wide = log_normal(530.0, 0.25)
    points = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
    return Nights(
        polls,
        [_limit_night(limit) for limit in (5, 20, 100, 300, 1000)],
        [_point(simulate(wide, clips=400, plan=adaptive(notice_s=notice_s))) for notice_s in points],
        [_point(simulate(wide, clips=200, plan=fixed(2 * notice_s))) for notice_s in points],
        _usage(),
    )


def _point(night: Report) -> tuple[float, float]:
    return night.mean_polls(KNOWN), night.mean_notice_s(KNOWN)


def _limit_night(limit: int) -> LimitNight:
    night = simulate(
        log_normal(530.0, 0.25), clips=max(CLIPS, 6 * limit), at_once=AdaptiveWindow(),
        limits=Limits(at_once=lambda _now: limit),
    )  # fmt: skip
    warm, last = night.accepted_at[2 * limit + 30], night.accepted_at[-1]
    return LimitNight(
        f"{limit} clips at once", night.used_share(warm, last), night.refused_share(warm, last), len(night.refused_at)
    )


def _usage() -> list[float]:
    """The share of a limit that goes from 40 to 80 to 20, by the quarter of a minute; clips of a minute."""
    limits = Limits(at_once=lambda now: 40 if now < 900 else 80 if now < 1800 else 20)
    night = simulate(
        log_normal(60.0, 0.25), clips=2200, at_once=AdaptiveWindow(), limits=limits, submit_s=0.5, poll_s=0.1
    )
    return [night.used_share(at, at + 15) for at in range(0, int(night.accepted_at[-1]) - 15, 15)]
