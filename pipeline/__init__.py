"""avatar-batch: talking-avatar clips by the hundred, nothing paid twice, nothing paid lost.

::

    import asyncio
    from pathlib import Path
    from pipeline import Job, load_settings, run_job

    job = Job.at(Path("jobs/demo.yaml"), load_settings())
    result = asyncio.run(run_job(job, on_event=print))
    print(result.exit_code, result.overview.spent_usd)
"""

from pipeline.clip import Failure, FailureCode, Row, Status
from pipeline.errors import AvatarBatchError, ManifestError, Problem, StopRun, UsageError
from pipeline.events import Event, EventHook
from pipeline.job import Checked, Job, Opened, Wishes
from pipeline.models import Model, builtin_catalogue
from pipeline.plan import Plan, make_plan
from pipeline.run import ExitCode, RunResult, RunWatcher, run_job
from pipeline.settings import Settings, load_settings
from pipeline.state.views import Overview, Record, StateView

__all__ = [
    "AvatarBatchError",
    "Checked",
    "Event",
    "EventHook",
    "ExitCode",
    "Failure",
    "FailureCode",
    "Job",
    "ManifestError",
    "Model",
    "Opened",
    "Overview",
    "Plan",
    "Problem",
    "Record",
    "Row",
    "RunResult",
    "RunWatcher",
    "Settings",
    "StateView",
    "Status",
    "StopRun",
    "UsageError",
    "Wishes",
    "builtin_catalogue",
    "load_settings",
    "make_plan",
    "run_job",
]
