"""What a run learns of each model, from what earlier runs have learned to what is kept for the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from pipeline.pacing.memory import Memory
from pipeline.pacing.poll_plan import PollPlan
from pipeline.pacing.submit_pace import SubmitPace

__all__ = ["Learning"]


@dataclass(slots=True)
class Learning:
    """The plan of each model that the run meets, and the pace of them all.

    Attributes:
        memory: of earlier runs.
        pace: of the run; models share it.
        plan_for: makes a model's plan.
    """

    memory: Memory
    pace: SubmitPace
    plan_for: Callable[[str], PollPlan]
    _plans: dict[str, PollPlan] = field(default_factory=dict)

    def plan(self, model: str) -> PollPlan:
        """The model's plan; when it is first asked for, what is remembered of the model goes into it and into the pace."""
        plan = self._plans.get(model)
        if plan is None:
            plan = self._plans[model] = self.plan_for(model)
            learned = self.memory.recall(model)
            plan.learn(learned.observations)
            self.pace.recall(learned)
        return plan

    def typical_s(self, model: str) -> float:
        """How long the model's clips were seen to render, in the middle; 0 if none was."""
        took_s = [one.middle_s for one in self.plan(model).observations if one.ended]
        return median(took_s) if took_s else 0.0

    @property
    def version(self) -> int:
        """Changes when gaps of any plan are out of date."""
        return sum(plan.version for plan in self._plans.values())

    def keep(self) -> None:
        """Keep what is known now for the next run."""
        for model, plan in self._plans.items():
            self.memory.keep(model, self.pace.learned(plan.observations))
