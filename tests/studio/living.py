"""A studio in its own process, and a plain client for it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

from .media import data_uri

DEADLINE_S = 240.0
REPOSITORY = Path(__file__).parents[2]

Json = dict[str, Any]


class Studio:
    """``python -m pipeline.studio``, started and ended by its process id."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.directory = directory
        self._flags = flags
        self.process: subprocess.Popen[bytes]
        self.base_url = ""

    def start(self) -> Self:
        """Start it, again if it was ended; its first line is the base URL."""
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.studio", "--dir", str(self.directory), "--verbose", *self._flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        assert self.process.stdout
        readable, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        assert readable, "the studio said nothing"
        self.base_url = self.process.stdout.readline().decode().strip()
        assert self.base_url.startswith("http://"), self.log.read_text()
        return self

    @property
    def log(self) -> Path:
        """What it wrote to standard error."""
        return self.directory.with_suffix(".log")

    def render_processes(self) -> list[int]:
        """Process ids of its render processes that live now."""
        table = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(maxsplit=3) for line in table.stdout.splitlines()]
        mine = [row for row in rows if int(row[1]) == self.process.pid and not row[2].startswith("Z")]
        return [int(row[0]) for row in mine if "spawn_main" in row[3]]

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self._reap()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to stop; its exit code and the seconds that took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self._reap(), time.monotonic() - started

    def end_stdin(self) -> int:
        """Let go of its standard input; its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(DEADLINE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Client:
    """Talks to a studio as a client that knows only the wire."""

    def __init__(self, studio: Studio, session: aiohttp.ClientSession, picture: Path) -> None:
        self.studio = studio
        self.session = session
        self.picture = picture

    async def submit(self, voice: Path | str, headers: dict[str, str] | None = None, /, **fields: Any) -> str:
        """Submit a clip that has to be taken; its id."""
        async with self.post(voice, headers, **fields) as response:
            body = await response.json()
            assert response.status == 201, body
            assert body["status"] == "queued"
            return str(body["id"])

    def post(self, voice: Path | str, headers: dict[str, str] | None = None, /, **fields: Any) -> Any:
        """Submit a clip; the response's context."""
        body = {
            "model": "klingai/avatar-standard",  # a quarter of the pixels, half of the frames
            "image_url": data_uri(self.picture),
            "audio_url": voice if isinstance(voice, str) else data_uri(voice),
            "prompt": "calm",
        } | fields
        # A stream, as large bodies are to be sent so.
        data = io.BytesIO(json.dumps(body).encode())
        return self.session.post(f"{self.studio.base_url}/v2/video/generations", data=data, headers=headers)

    async def get(self, path: str, expect: int = 200, /, **query: str | int) -> Json:
        """GET a JSON body with a status that is expected."""
        async with self.session.get(self.studio.base_url + path, params=query) as response:
            body: Json = await response.json(content_type=None)
            assert response.status == expect, body
            return body

    async def retrieve(self, clip_id: str) -> Json:
        """One poll."""
        return await self.get("/v2/video/generations", generation_id=clip_id)

    async def until(self, clip_id: str, *statuses: str) -> Json:
        """Poll until a generation has one of these statuses."""
        async with asyncio.timeout(DEADLINE_S):
            while (body := await self.retrieve(clip_id))["status"] not in statuses:
                assert body["status"] in {"queued", "generating"}, body
                await asyncio.sleep(0.01)
        return body

    async def clip(self, clip_id: str, path: Path) -> Path:
        """Wait for a clip and download it."""
        body = await self.until(clip_id, "completed")
        async with self.session.get(body["video"]["url"]) as response:
            assert response.status == 200
            await asyncio.to_thread(path.write_bytes, await response.read())
        return path

    async def until_not(self, clip_id: str, status: str) -> Json:
        """Poll until a generation no longer has this status."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                body = await self.retrieve(clip_id)
                if body["status"] != status:
                    return body
                await asyncio.sleep(0.05)
