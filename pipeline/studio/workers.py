"""Render processes of this machine.

Each is an executor of its own with one process, so that a process that dies takes down no other clip and it is known
which clip it died of. A process holds one end of a pipe whose other end only the studio has: the kernel closes that
when the studio ends, even by SIGKILL, and the process leaves at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

from pipeline.studio.render import RenderReport, RenderTask, render

__all__ = ["Produced", "RenderProcess", "produce", "stop"]


MANAGER_ENDS_S = 2.0


@dataclass(frozen=True, slots=True)
class Produced:
    """A finished clip: how it was rendered, its bytes, its SHA-256 in hexadecimal."""

    report: RenderReport
    size_bytes: int
    sha256: str


def produce(task: RenderTask) -> Produced:
    """Render a clip and measure the file. Runs in a render process, here or on another machine of the same disk.

    Raises:
        RenderError: the clip can't be made of this picture and this voice.
    """
    report = render(task)
    with task.output.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Produced(report, os.fstat(file.fileno()).st_size, sha256)


class RenderProcess(ProcessPoolExecutor):
    """An executor of one process, started when it is first needed."""

    def __init__(self) -> None:
        # Spawned, not forked: the studio has threads, and FFmpeg's state is not to be shared.
        context = get_context("spawn")
        self._leash_held, self._leash = context.Pipe(duplex=False)
        super().__init__(1, mp_context=context, initializer=_enter, initargs=(self._leash_held,))

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        # The leash alone would do, but for a process that is still importing and does not hold it yet.
        for process in list((self._processes or {}).values()):
            process.kill()
        self._leash.close()
        self._leash_held.close()
        manager = self._executor_manager_thread
        self.shutdown(wait=False, cancel_futures=True)
        if manager is not None:
            # It ends with its process. Left alone it would close its pipe just when Python, at exit, wakes it through that.
            manager.join(MANAGER_ENDS_S)  # type: ignore[attr-defined]  # typeshed takes it for its wake-up pipe


def stop(executor: Executor) -> None:
    """Stop an executor at once, as far as its kind can."""
    if isinstance(executor, RenderProcess):
        executor.kill()
    else:
        executor.shutdown(wait=False, cancel_futures=True)


def _enter(leash: Connection) -> None:
    # Ctrl-C in a terminal reaches the whole process group; stopping is the studio's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_studio, args=(leash,), name="leash", daemon=True).start()


def _leave_with_studio(leash: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)
