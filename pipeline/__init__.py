"""avatar-batch: talking-avatar clips by the hundred, nothing paid twice, nothing paid lost.

::

    import asyncio
    from pathlib import Path
    from pipeline import Job, load_settings, run_job

    job = Job.at(Path("jobs/demo.yaml"), load_settings())
    result = asyncio.run(run_job(job, on_event=print))
    print(result.exit_code, result.overview.spent_usd)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.clip import Failure, FailureCode, Row, Status
    from pipeline.errors import AvatarBatchError, ManifestError, Problem, StopRun, UsageError
    from pipeline.events import Event, EventHook
    from pipeline.exit_code import ExitCode
    from pipeline.job import Checked, Job, Opened, Wishes
    from pipeline.models import Model, builtin_catalogue
    from pipeline.plan import Plan, make_plan
    from pipeline.run import RunResult, run_job
    from pipeline.settings import Settings, load_settings
    from pipeline.state import Overview, Record, StateView
    from pipeline.watcher import RunWatcher

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

_HOMES = {
    "clip": ("Failure", "FailureCode", "Row", "Status"),
    "errors": ("AvatarBatchError", "ManifestError", "Problem", "StopRun", "UsageError"),
    "events": ("Event", "EventHook"),
    "exit_code": ("ExitCode",),
    "job": ("Checked", "Job", "Opened", "Wishes"),
    "models": ("Model", "builtin_catalogue"),
    "plan": ("Plan", "make_plan"),
    "run": ("RunResult", "run_job"),
    "settings": ("Settings", "load_settings"),
    "state": ("Overview", "Record", "StateView"),
    "watcher": ("RunWatcher",),
}


def __getattr__(name: str) -> Any:
    """A public name is imported when it is first asked for (PEP 562): no command waits for what it does not use."""
    for module, names in _HOMES.items():
        if name in names:
            globals()[name] = value = getattr(import_module(f"pipeline.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
