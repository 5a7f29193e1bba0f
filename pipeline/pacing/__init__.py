"""How fast: backoff, submit pace, outage, poll plan. Pure decisions; time and chance are handed in."""

from pipeline.pacing.backoff import Backoff
from pipeline.pacing.outage import Outage
from pipeline.pacing.poll_plan import AdaptivePlan, FixedPlan, PollPlan, poll_plan_for
from pipeline.pacing.submit_pace import SubmitPace
from pipeline.pacing.window import AdaptiveWindow, FixedWindow, Window, window_for

__all__ = [
    "AdaptivePlan",
    "AdaptiveWindow",
    "Backoff",
    "FixedPlan",
    "FixedWindow",
    "Outage",
    "PollPlan",
    "SubmitPace",
    "Window",
    "poll_plan_for",
    "window_for",
]
