"""The embedded studio: a process that a local run starts, speaks HTTP to like to any API, and ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from pipeline.errors import UsageError, one_line
from pipeline.settings import Settings

__all__ = ["local_studio"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


@asynccontextmanager
async def local_studio(folder: Path, settings: Settings) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run a studio while in the ``async with``; gives its base URL and its process.

    It is a process of its own, ended by the end of its standard input, so that it can't outlive a killed run. Its
    queue and clips stay in ``folder``: the next run goes on with them.

    Raises:
        UsageError: it did not start; the text holds its last words.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path, models_path = folder / "studio.log", folder / "models.json"
    models_path.write_bytes(msgspec.json.encode(settings.models))
    studio = settings.studio
    command = [
        sys.executable, "-m", "pipeline.studio", "--host", "127.0.0.1", "--port", "0", "--dir", str(folder),
        "--quality", studio.quality, "--exit-with-stdin",
        "--models", str(models_path),
        *(["--workers", str(studio.workers)] if studio.workers else []),
        *(["--strict"] if studio.strict else []),
    ]  # fmt: skip
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            # Ctrl-C goes to the whole group; the studio must outlast it until the run has left.
            start_new_session=True, env=_environment(),
        )  # fmt: skip
    try:
        yield await _base_url(process, log_path), process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """The very package, from wherever the run was started; and no module that happens to lie in the working folder."""
    home = Path(__file__).resolve().parent.parent
    paths = [str(home), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(paths)}


async def _base_url(process: asyncio.subprocess.Process, log_path: Path) -> str:
    line = b""
    if process.stdout is not None:
        with suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
    url = line.decode("utf-8", "replace").strip()
    if not url.startswith("http://"):
        words = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        said = one_line(" ".join(words)).removeprefix("error: ")
        raise UsageError(f"the local studio did not start ({said or 'no word from it'}): see {log_path}")
    return url
