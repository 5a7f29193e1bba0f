"""A synchronous handle on an emulator in its own process, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from .clips import Clips, default_folder
from .money import ledger
from .plan import Plan
from .world import World

START_S = 30.0
STOP_S = 10.0
# Proxies of the environment have no business with loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Emulator:
    """Starts the emulator, changes its plan, kills and restarts it, reads the truth.

    `ledger`, `journal` and `expected_clip` work while it is dead too: they then read its file.
    """

    def __init__(self, folder: Path, plan: Plan | None = None, *, cache: Path | None = None) -> None:
        self.folder = folder
        self.db = folder / "emulator.db"
        self.log = folder / "emulator.log"
        self.base_url = self.cdn_url = self.elsewhere_url = ""
        self.pid = 0
        self._plan = plan or Plan()
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start(self._plan)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # The process

    def start(self, plan: Plan | None = None) -> None:
        """Start it; without a plan it goes on with the one it had."""
        if self.alive:
            raise RuntimeError("the emulator is running")
        self.folder.mkdir(parents=True, exist_ok=True)
        package = __package__.split(".")
        command = [sys.executable, "-m", __package__, "--db", str(self.db.absolute())]
        if plan is not None:
            file = self.folder / "plan.json"
            file.write_text(plan.to_json())
            command += ["--plan", str(file.absolute())]
            self._plan = plan
        if self._cache is not None:
            command += ["--cache", str(self._cache.absolute())]
        ports = [url.rpartition(":")[2] or "0" for url in (self.base_url, self.cdn_url, self.elsewhere_url)]
        command += ["--port", ports[0], "--cdn-port", ports[1], "--elsewhere-port", ports[2]]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=Path(__file__).resolve().parents[len(package)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        try:
            hello = json.loads(_first_line(self._process.stdout))
        except ValueError as error:
            self.kill()
            raise RuntimeError(f"the emulator did not start: {self.log.read_text()[-2000:]}") from error
        self.base_url, self.cdn_url, self.elsewhere_url = hello["base_url"], hello["cdn_url"], hello["elsewhere_url"]
        self.pid = hello["pid"]

    def stop(self) -> None:
        """End it in an orderly way."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL, once the journal is written: the tests may need what it says about the time before."""
        if self._process is not None:
            with contextlib.suppress(OSError, ValueError):
                if self.alive and self.base_url:
                    self._call("flush", b"", timeout_s=2.0)
            self._process.kill()
            self._reap()

    def restart(self, plan: Plan | None = None) -> None:
        """Start again on the same ports with the same world; kills it first if it still runs."""
        self.kill()
        self.start(plan)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(STOP_S)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    # The plan

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        return self._plan

    def set_plan(self, plan: Plan | None = None, **changes: Any) -> None:
        """A new plan, or the present one with some fields changed; the rules count from one again."""
        self._plan = replace(plan or self._plan, **changes)
        self._call("plan", self._plan.to_json().encode())

    def finish(self, *numbers: int, failed: bool = False) -> int:
        """End these generations now, or all; how many had not ended."""
        answer = self._call("finish", json.dumps({"generations": numbers, "failed": failed}).encode())
        return int(json.loads(answer)["ended"])

    # The truth

    def ledger(self) -> dict[str, Any]:
        """Every generation (`generations`) and the `totals`."""
        if self.alive:
            truth: dict[str, Any] = json.loads(self._call("ledger"))
            return truth
        world = World(self.db)
        try:
            return ledger(world, time.time())
        finally:
            world.close()

    def generations(self) -> list[dict[str, Any]]:
        """The generations of the ledger."""
        rows: list[dict[str, Any]] = self.ledger()["generations"]
        return rows

    def journal(self, route: str | None = None) -> list[dict[str, Any]]:
        """Requests in order of arrival, of one route (submit, ..., download, elsewhere, other) or all."""
        if self.alive:
            lines: list[dict[str, Any]] = json.loads(self._call("journal" + (f"?route={route}" if route else "")))
            return lines
        world = World(self.db)
        try:
            return world.journal(route)
        finally:
            world.close()

    def expected_clip(self, generation_id: str) -> bytes:
        """The whole, good file of a generation."""
        if self.alive:
            return self._call(f"clip?generation_id={quote(generation_id, safe='')}")
        world = World(self.db)
        try:
            one = world.find(generation_id, any_form=True)
            if one is None:
                raise KeyError(generation_id)
            return Clips(self._cache or default_folder()).clip(one.bare_id, one.seconds, one.output, one.pad_bytes)
        finally:
            world.close()

    def wait_until(self, true: Callable[[Emulator], bool], timeout_s: float = 30.0, every_s: float = 0.02) -> None:
        """Poll until the condition holds, or fail with TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while not true(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not so within {timeout_s:g} s")
            time.sleep(every_s)

    def _call(self, what: str, body: bytes | None = None, timeout_s: float = 60.0) -> bytes:
        request = urllib.request.Request(f"{self.base_url}/_test/{what}", data=body)
        try:
            with OPENER.open(request, timeout=timeout_s) as answer:
                data: bytes = answer.read()
                return data
        except urllib.error.HTTPError as error:
            raise ValueError(f"{what}: {error.code} {error.read().decode(errors='replace')}") from error


def _first_line(pipe: IO[bytes]) -> str:
    """One line, without waiting for ever; empty when none came."""
    line, deadline = b"", time.monotonic() + START_S
    while not line.endswith(b"\n") and time.monotonic() < deadline:
        ready, _, _ = select.select([pipe], [], [], 0.2)
        if ready:
            piece = os.read(pipe.fileno(), 4096)
            if not piece:
                break
            line += piece
    return line.decode()
