"""How fast: backoff, the window of clips, rates, outages, poll times. Pure decisions; time and chance are handed in."""

from pipeline.pacing.backoff import Backoff
from pipeline.pacing.hours import Hours, hours_from, parse_time
from pipeline.pacing.learning import Learning
from pipeline.pacing.memory import Learned, Memory, cache_folder
from pipeline.pacing.outage import Outage
from pipeline.pacing.poll_plan import AdaptivePlan, FixedPlan, PollPlan, poll_plan_for
from pipeline.pacing.poll_queue import PollQueue
from pipeline.pacing.request_rate import RequestRate
from pipeline.pacing.submit_pace import SubmitPace
from pipeline.pacing.window import AdaptiveWindow, FixedWindow, Window, window_for

__all__ = [
    "AdaptivePlan",
    "AdaptiveWindow",
    "Backoff",
    "FixedPlan",
    "FixedWindow",
    "Hours",
    "Learned",
    "Learning",
    "Memory",
    "Outage",
    "PollPlan",
    "PollQueue",
    "RequestRate",
    "SubmitPace",
    "Window",
    "cache_folder",
    "hours_from",
    "parse_time",
    "poll_plan_for",
    "window_for",
]
