"""Downloads beside curl and aria2c: the same files from the same server, to the same disk, not flushed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import environ

__all__ = ["Download", "measure_downloads"]

TIMES = 9
_SERVER = """
import sys
from aiohttp import web
app = web.Application()
app.router.add_static("/", sys.argv[1])
web.run_app(app, host="127.0.0.1", port=0, print=lambda text: print(text, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Download:
    """The best of some tries: MB a second of wall time, and seconds of CPU for each GB."""

    client: str
    what: str
    mb_per_s: float
    cpu_s_per_gb: float


@dataclass(frozen=True, slots=True)
class _Load:
    what: str
    files: int
    size_bytes: int
    at_once: int


LOADS = (_Load("one of 500 MB", 1, 500_000_000, 1), _Load("64 of 8 MB, 16 at once", 64, 8_000_000, 16))


def measure_downloads(folder: Path) -> list[Download]:
    """Each client some times in turn, so that what else the machine does meets all of them."""
    source = folder / "source"
    source.mkdir(parents=True)
    found: list[Download] = []
    with _served(source) as url:
        for load in LOADS:
            for number in range(load.files):
                (source / str(number)).write_bytes(os.urandom(load.size_bytes))
            urls = [f"{url}/{number}" for number in range(load.files)]
            tries: dict[str, list[tuple[float, float]]] = {}
            for _ in range(TIMES):
                for client, command in _commands(load, urls, folder).items():
                    into = folder / "into"
                    into.mkdir()
                    os.sync()  # nobody shall wait for what another one left to be written
                    tries.setdefault(client, []).append(_measured(command, into))
                    came = sum(path.stat().st_size for path in into.iterdir())
                    assert came == load.files * load.size_bytes, f"{client} brought {came:,} bytes"
                    shutil.rmtree(into)
            gb = load.files * load.size_bytes / 1e9
            for client, measured in tries.items():
                wall_s, cpu_s = min(measured)
                found.append(Download(client, load.what, 1000 * gb / wall_s, cpu_s / gb))
    return found


def _commands(load: _Load, urls: list[str], folder: Path) -> dict[str, list[str]]:
    listed = folder / "urls.txt"
    listed.write_text("\n".join(urls))
    commands = {
        "curl": ["curl", "--silent", "--parallel", "--parallel-immediate", "--parallel-max", str(load.at_once),
                 "--remote-name-all", *urls],
        "aria2c": ["aria2c", "--quiet", "--split=1", "--file-allocation=none", f"--max-concurrent-downloads={load.at_once}",
                   f"--input-file={listed}"],
        "avatar-batch": [sys.executable, "-m", "benchmarks.clients.fetch", ".", str(load.at_once), *urls],
    }  # fmt: skip
    return {client: command for client, command in commands.items() if shutil.which(command[0])}


def _measured(command: list[str], folder: Path) -> tuple[float, float]:
    began, before = time.monotonic(), os.times()
    said = subprocess.run(command, cwd=folder, env=environ(), check=True, capture_output=True, text=True).stdout
    wall_s, after = time.monotonic() - began, os.times()
    if command[0] == sys.executable:
        wall_s = float(said)
    return wall_s, after.children_user + after.children_system - before.children_user - before.children_system


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(folder)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = next(text for text in server.stdout if "http://" in text)
            yield "http://" + line.partition("http://")[2].split()[0].rstrip("/ =")
        finally:
            server.terminate()
