"""A command, timed: wall and CPU seconds and the most memory of a process and its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.pacing.memory import CACHE_VARIABLE

__all__ = ["PLAIN", "Used", "environ", "pipeline_command", "pipeline_run", "precompile", "timed"]

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.01
PLAIN: Mapping[str, object] = {"inspect.enabled": "false", "report.after_run": "false"}
"""The other clients neither look at clips nor write a report."""
# A process begins with the peak of whoever starts it, so a small one does.
_SPAWNER = """
import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
print(pid, flush=True)
used = os.wait4(pid, 0)[2]
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What a process took. ``peak_mb`` is resident memory at its highest."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def environ() -> dict[str, str]:
    """For a measured process: nothing remembered, and bytecode kept as for an installed program."""
    known = os.environ | {"AIMLAPI_API_KEY": "any", "PYTHONPATH": str(ROOT), CACHE_VARIABLE: ""}
    known.pop("PYTHONDONTWRITEBYTECODE", None)
    return known


def pipeline_command(verb: str, job: Path) -> list[str]:
    """Ours, on a job whose OUT lies beside it."""
    return [sys.executable, "-m", "pipeline", verb, str(job), "--out", str(job.parent / "out"), "--quiet"]


def pipeline_run(job: Path, base_url: str, settings: Mapping[str, object]) -> list[str]:
    """A run against an emulator."""
    known = {"api.provider": "aimlapi", "api.base_url": base_url, **settings}
    words = [word for name, value in known.items() for word in ("--set", f"{name}={value}")]
    return [*pipeline_command("run", job), "--yes", *words]


def precompile() -> None:
    """Bytecode of what is measured, as pip makes it for what it installs."""
    folders = [str(ROOT / "pipeline"), str(ROOT / "benchmarks")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], env=environ(), check=True)


def timed(
    command: Sequence[str],
    log: Path,
    *,
    enough: Callable[[], bool] | None = None,
    more: Mapping[str, str] | None = None,
) -> Used:
    """Run a command.

    Args:
        log: where what it says is added.
        enough: looked at all the time; once it is true the time is taken, and the command is interrupted.
        more: of its environment.
    """
    wall_s = None
    with log.open("ab") as said, subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _SPAWNER, *command], env=environ() | dict(more or {}),
        stdout=subprocess.PIPE, stderr=said, text=True,
    ) as spawner:  # fmt: skip
        assert spawner.stdout is not None
        pid = int(spawner.stdout.readline())
        began = time.monotonic()
        while enough is not None and wall_s is None:
            if spawner.poll() is not None:
                raise RuntimeError(f"it ended too soon: {log.read_text()[-500:]}")
            if enough():
                wall_s = time.monotonic() - began
                os.kill(pid, signal.SIGINT)
            time.sleep(LOOK_S)
        cpu_s, peak = (float(word) for word in spawner.stdout.readline().split())
        wall_s = wall_s or time.monotonic() - began
    # Linux counts in kB, macOS in bytes.
    return Used(wall_s, cpu_s, peak / (1e6 if sys.platform == "darwin" else 1e3))
