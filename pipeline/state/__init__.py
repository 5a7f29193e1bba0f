"""The state file: one SQLite database, the queue between the stages and the only thing that they share."""

from pipeline.state.intake import Intake, take_in
from pipeline.state.store import StateFile
from pipeline.state.views import Overview, Record, StateView

__all__ = ["Intake", "Overview", "Record", "StateFile", "StateView", "take_in"]
