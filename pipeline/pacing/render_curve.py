"""From what was seen of render times to a rate of polling: a hazard on a grid of log seconds.

Polling a clip at age t with a gap Δ(t) costs ∫S/Δ dt polls and ∫f·Δ/2 dt seconds of notice (f: density of the render
time, S: the share of clips that render longer). The cheapest gaps for a given notice are Δ(t) = c·sqrt(S/f), or
c/sqrt(h) with the hazard h = f/S: so a clip is asked each time ∫sqrt(h)dt has grown by c. With J = ∫sqrt(f·S)dt that
takes J/c polls a clip and c·J/2 seconds of notice, whose product can't be less than J²/2.

The hazard is the posterior mean of a beta process (Hjort, "Nonparametric Bayes estimators based on beta processes",
Annals of Statistics 18, 1990): (m·prior + events) / (m + clips at risk), which takes clips that still render for what
they are, observations of "longer than this". Its prior is a log-normal that is fitted to the same observations, with
heavy tails: few clips are enough where render times are plain, many clips win over it where they are not.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["BINS", "Curve", "Seen", "bin_of", "fit_curve"]

SHORTEST_S = 0.01
STEP = 0.03
"""Width of a bin in log seconds: 3 %."""
BINS = 544
"""Up to 1.2·10⁵ s, more than a day."""

_ENDS_S = [SHORTEST_S * math.exp(STEP * j) for j in range(BINS + 1)]
_MIDS_LOG = [math.log(SHORTEST_S) + STEP * (j + 0.5) for j in range(BINS)]
_MIDS_S = [math.exp(z) for z in _MIDS_LOG]

TAIL_SLOPE = 1.5
"""Of the log-logistic tails: their hazard tends to this over the age, so a clip far too late is asked ever more rarely."""
LEAST_TAIL = 0.02
STRONGEST_PRIOR = 8.0
_POWERS = [math.exp(TAIL_SLOPE * z) for z in _MIDS_LOG]
_ROOT_2, _ROOT_2PI = math.sqrt(2.0), math.sqrt(2.0 * math.pi)
EFFORT_GUESS = 0.7
"""J over the root of the typical time, for a log-normal of middling spread (0.25)."""
SPREAD_GUESS, SPREAD_GUESS_WEIGHT = 0.3, 1.0
COLD_HAZARD = 0.1
COLD_SHARE = 4.0
"""A young clip that nothing is known of is asked after each quarter of its age."""


def bin_of(seconds: float) -> int:
    """The bin of a time."""
    return min(BINS - 1, max(0, bisect_right(_ENDS_S, seconds) - 1))


@dataclass(slots=True)
class Seen:
    """Observations, by bin.

    Attributes:
        events: clips that became ready in it (a clip may be spread over the bins between two polls).
        left: clips that were last seen rendering in it, and are not known to have become ready.
    """

    events: list[float]
    left: list[float]

    @classmethod
    def nothing(cls) -> Seen:
        """No observation yet."""
        return cls([0.0] * BINS, [0.0] * BINS)


@dataclass(frozen=True, slots=True)
class Curve:
    """What is believed of render times.

    Attributes:
        typical_s, late_s: the median, and the age at which 19 of 20 are ready (inf while nothing is known).
        effort: J, ∫sqrt(f·S)dt: its square is twice the least product of polls and notice.
        density: the believed share of clips that end in each bin.
        mean_log, spread: of the fitted log-normal; the spread is 0 where nothing was fitted.
    """

    typical_s: float
    late_s: float
    effort: float
    density: Sequence[float]
    mean_log: float
    spread: float
    _cumulated: Sequence[float]

    def cumulated(self, age_s: float) -> float:
        """∫sqrt(h)dt up to an age."""
        j = bin_of(age_s)
        begin_s = _ENDS_S[j] if j or age_s >= SHORTEST_S else 0.0
        low, high = (self._cumulated[j - 1] if j else 0.0), self._cumulated[j]
        return low + (high - low) * min(1.0, (age_s - begin_s) / (_ENDS_S[j + 1] - begin_s))

    def age_at(self, cumulated: float) -> float:
        """The age at which ∫sqrt(h)dt reaches a value."""
        j = bisect_right(self._cumulated, cumulated)
        if j >= BINS:
            return _ENDS_S[-1] * 2
        low, high = (self._cumulated[j - 1] if j else 0.0), self._cumulated[j]
        begin_s = _ENDS_S[j] if j else 0.0
        return begin_s + (cumulated - low) / (high - low) * (_ENDS_S[j + 1] - begin_s)


def fit_curve(seen: Seen, expected_s: float, guess: tuple[float, float] | None = None) -> Curve:
    """The curve that the observations speak for.

    Args:
        expected_s: a typical render time that somebody named; 0 for none. It counts as next to nothing.
        guess: mean and spread of the last fit, from where this one goes on.
    """
    known = sum(seen.events)
    if known > 0:
        mean, spread = _fit_log_normal(seen, known, guess)
        prior = _prior(mean, spread * math.sqrt(1 + 1 / known), max(LEAST_TAIL, 1 / (1 + known)))
        strength = min(STRONGEST_PRIOR, 1 + known / 2)
        reach = round(0.5 * spread * known**-0.2 / STEP)
    else:
        oldest = max((j for j, count in enumerate(seen.left) if count), default=0)
        typical_s = max(expected_s, _MIDS_S[oldest], 1.0)
        mean, spread = math.log(typical_s), 0.0
        prior, strength, reach = _cold_prior(typical_s), 1.0, 0
    at_risk = _suffix_sums([a + b for a, b in zip(seen.events, seen.left, strict=True)])
    events = _smooth(seen.events, reach)
    at_risk = _smooth(at_risk, reach)
    hazard = [(strength * h + e / STEP) / (strength + n) for h, e, n in zip(prior, events, at_risk, strict=True)]
    return _curve(hazard, mean, spread, math.exp(mean) if known < 3 else 0.0)


def _curve(hazard: Sequence[float], mean: float, spread: float, typical_s: float) -> Curve:
    """Hazards are of log seconds: that of seconds is h/t, and a bin is t·STEP seconds wide."""
    roots = [math.sqrt(h * t) * STEP for h, t in zip(hazard, _MIDS_S, strict=True)]
    lasting, effort, median_s, late_s = 1.0, 0.0, 0.0, math.inf
    density = []
    for h, root, t in zip(hazard, roots, _MIDS_S, strict=True):
        ending = lasting * -math.expm1(-h * STEP)
        density.append(ending)
        effort += (lasting - ending / 2) * root
        lasting -= ending
        if not median_s and lasting <= 0.5:
            median_s = t
        if late_s == math.inf and lasting <= 0.05 and spread:
            late_s = t
    if not spread:
        # Nothing is known: the effort of a log-normal of middling spread.
        effort = EFFORT_GUESS * math.sqrt(typical_s)
    # Where most clips still render at any age that was seen, the median is not among those: that of the law then.
    return Curve(
        typical_s or median_s or math.exp(mean), late_s, effort, density, mean, spread, list(accumulate(roots))
    )


def _cold_prior(typical_s: float) -> list[float]:
    """Any age is possible, that which was named a little more than others."""
    c = 0.02 * typical_s / (EFFORT_GUESS * math.sqrt(typical_s))
    burst = (COLD_SHARE * c) ** 2
    return [
        COLD_HAZARD + (min(50.0, burst / t) if t < typical_s else 0.0) + r / (1 + r)
        for t, r in zip(_MIDS_S, _odds(math.log(typical_s)), strict=True)
    ]


def _prior(mean: float, spread: float, tail: float) -> list[float]:
    """Hazards of a log-normal with a share of log-logistic tails."""
    hazards = []
    scale = (1 - tail) / (spread * _ROOT_2PI)
    for z, r in zip(_MIDS_LOG, _odds(mean), strict=True):
        u = (z - mean) / spread
        lasting = tail / (1 + r)
        density = TAIL_SLOPE * lasting * r / (1 + r)
        if u < -6:
            lasting += 1 - tail
        elif u < 6:
            density += scale * math.exp(-u * u / 2)
            lasting += (1 - tail) * 0.5 * math.erfc(u / _ROOT_2)
        hazards.append(density / lasting)
    return hazards


def _odds(mean: float) -> list[float]:
    """Of having ended, by a log-logistic law."""
    factor = math.exp(-TAIL_SLOPE * mean)
    return [factor * power for power in _POWERS]


def _fit_log_normal(seen: Seen, known: float, guess: tuple[float, float] | None) -> tuple[float, float]:
    """Mean and spread of log seconds, by expectation and maximisation over the clips that still render.

    (Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977, section 4.3.)
    """
    events = [(z, n) for z, n in zip(_MIDS_LOG, seen.events, strict=True) if n]
    left = [(z, n) for z, n in zip(_MIDS_LOG, seen.left, strict=True) if n]
    first = sum(z * n for z, n in events)
    second = sum(z * z * n for z, n in events)
    if guess is None:
        mean = first / known
        spread = SPREAD_GUESS
    else:
        mean, spread = guess
    for _ in range(12):
        count, one, two = known, first, second
        for z, n in left:
            u = (z - mean) / spread
            if u < -4:
                continue  # it says next to nothing
            beyond = 0.5 * math.erfc(u / _ROOT_2)
            mills = math.exp(-u * u / 2) / _ROOT_2PI / beyond if u < 6 else u + 1 / u
            # A clip far too late tells of trouble, not of the others' render time.
            weight = n if u <= 3 else n * math.exp(3 - u)
            value = mean + spread * mills
            count += weight
            one += weight * value
            two += weight * (spread * spread * (1 + u * mills - mills * mills) + value * value)
        before = mean, spread
        mean = one / count
        variance = max(0.0, two / count - mean * mean) * count + SPREAD_GUESS**2 * SPREAD_GUESS_WEIGHT
        spread = max(STEP, math.sqrt(variance / (count + SPREAD_GUESS_WEIGHT)))
        if abs(mean - before[0]) + abs(spread - before[1]) < 1e-3:
            break
    return mean, spread


def _suffix_sums(values: Sequence[float]) -> list[float]:
    return list(accumulate(reversed(values)))[::-1]


def _smooth(values: Sequence[float], reach: int) -> list[float]:
    """A triangle of half-width ``reach`` bins, as two running means."""
    smoothed = list(values)
    for half in ((reach + 1) // 2, reach // 2):
        if half:
            smoothed = _running_mean(smoothed, half)
    return smoothed


def _running_mean(values: Sequence[float], half: int) -> list[float]:
    sums = [0.0, *accumulate(values)]
    width = 2 * half + 1
    last = len(values)
    return [(sums[min(last, j + half + 1)] - sums[max(0, j - half)]) / width for j in range(last)]


def spread_over(density: Iterable[float]) -> list[float]:
    """Shares that add up to one; even ones where the densities are nothing."""
    values = list(density)
    total = sum(values)
    return [value / total for value in values] if total > 1e-12 else [1 / len(values)] * len(values)
