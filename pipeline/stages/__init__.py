"""The stages: each takes rows of one status out of the state file, does one thing, and records the move."""

from pipeline.stages.context import RunContext
from pipeline.stages.download import DownloadStage
from pipeline.stages.hours import HoursStage
from pipeline.stages.inspect_clips import InspectStage
from pipeline.stages.poll import PollStage
from pipeline.stages.reconcile import ReconcileStage
from pipeline.stages.remember import RememberStage
from pipeline.stages.submit import SubmitStage

__all__ = [
    "DownloadStage",
    "HoursStage",
    "InspectStage",
    "PollStage",
    "ReconcileStage",
    "RememberStage",
    "RunContext",
    "SubmitStage",
]
