"""What the plan decides, as pure functions: the same seed and the same requests give the same faults."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .plan import Action, BadKind, Plan, Route, Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule may look at."""

    route: Route
    client_id: str = ""
    generation: int = 0  # its number, 0 when the request names none
    retrieves: int = 0  # of that generation, before this one


@dataclass(slots=True)
class Tally:
    """How often a rule matched, and how often it fired."""

    seen: int = 0
    fired: int = 0


def chance(seed: int, *parts: object) -> float:
    """A number in [0, 1) that depends on its arguments only."""
    return random.Random(":".join(str(part) for part in (seed, *parts))).random()


def decide(plan: Plan, tallies: Sequence[Tally], asked: Asked) -> Action | None:
    """The action that meets this request. Every matching rule counts it; the first that fires wins."""
    chosen: Action | None = None
    for index, rule in enumerate(plan.rules):
        if not _matches(rule, asked):
            continue
        tally = tallies[index]
        tally.seen += 1
        if chosen is None and _fires(plan.seed, index, rule, tally):
            tally.fired += 1
            chosen = rule.action
    return chosen


def _matches(rule: Rule, asked: Asked) -> bool:
    if rule.route != asked.route or (rule.client_id and rule.client_id not in asked.client_id):
        return False
    if rule.generations and asked.generation not in rule.generations:
        return False
    # An id that nobody made is a 404 anyway; counting it would use up the limit.
    return rule.action.do != "late_404" or (asked.generation > 0 and asked.retrieves < rule.action.polls)


def _fires(seed: int, index: int, rule: Rule, tally: Tally) -> bool:
    if rule.limit is not None and tally.fired >= rule.limit:
        return False
    if not rule.nth and not rule.every and rule.probability is None:
        return True
    return (
        tally.seen in rule.nth
        or (rule.every > 0 and tally.seen % rule.every == 0)
        or (rule.probability is not None and chance(seed, "rule", index, tally.seen) < rule.probability)
    )


def render_seconds(plan: Plan, number: int) -> float | None:
    """How long the n-th generation renders; None: for ever."""
    if number in plan.stuck:
        return None
    if plan.instant:
        return 0.0
    if isinstance(plan.render_s, list):
        low, high = plan.render_s
        return low + (high - low) * chance(plan.seed, "render", number)
    return plan.render_s


def status_word(plan: Plan, number: int, retrieves: int, share_done: float) -> str:
    """The status of a generation that has not ended."""
    honest = "queued" if share_done < 0.1 else "generating"
    words = [honest, *plan.statuses]
    return words[int(chance(plan.seed, "word", number, retrieves) * len(words))] if plan.statuses else honest


def log_forgets(plan: Plan, number: int, client_id: str | None) -> bool:
    """Whether the usage log never mentions this generation."""
    if number in plan.log_forgets_nth or (client_id is not None and client_id in plan.log_forgets):
        return True
    return plan.log_forgets_probability > 0 and chance(plan.seed, "log", number) < plan.log_forgets_probability


def bad_clip(plan: Plan, number: int, download: int) -> BadKind | None:
    """What is wrong with the file that the given download of the n-th generation gets."""
    for bad in plan.bad_clips:
        if (not bad.nth or number in bad.nth) and download <= bad.first:
            return bad.kind
    return None


def hostile_link(plan: Plan, number: int, finished_retrieves: int) -> str | None:
    """The link that is given instead of the real one, if any."""
    links = plan.cdn.hostile_links
    if not links or finished_retrieves > plan.cdn.hostile_first:
        return None
    return links[(number + finished_retrieves - 2) % len(links)]
