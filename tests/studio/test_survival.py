"""Kills, stops and starts: nothing that was taken in is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .living import DEADLINE_S, REPOSITORY, Client, Studio
from .media import measure, sound_s


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most as long as anything may take here."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def failed_start(*arguments: str) -> str:
    """Standard error of a studio that must refuse to start."""
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.studio", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert result.returncode == 2, result
    assert result.stdout == ""
    return result.stderr


async def test_a_killed_studio_goes_on_where_it_was(
    own_studio: Callable[..., Studio],
    client_of: Callable[[Studio], Client],
    voice: Path,
    long_voice: Path,
    tmp_path: Path,
) -> None:
    studio = own_studio("--workers", "1")
    client = client_of(studio)
    done = await client.submit(voice)
    await client.until(done, "completed")
    half_rendered, queued = await client.submit(long_voice), await client.submit(voice)
    await client.until(half_rendered, "generating")
    balance = await client.get("/v2/billing")
    workers = studio.render_processes()
    assert len(workers) == 1

    studio.kill()
    wait_until(lambda: not any(alive(pid) for pid in workers))
    studio.start()

    assert await client.get("/v2/billing") == balance
    assert measure(await client.clip(done, tmp_path / "done.mp4")).complaints == ()
    assert (await client.retrieve(half_rendered))["status"] in {"queued", "generating"}
    for clip_id, seconds in ((half_rendered, 8), (queued, 2.5)):
        assert sound_s(await client.clip(clip_id, tmp_path / "clip.mp4")) == pytest.approx(seconds, abs=0.06)
    charged = [entry["reference_id"] for entry in (await client.get("/v2/billing/transactions"))["data"]]
    assert charged == [queued, half_rendered, done, None]
    assert not list((studio.directory / "media").iterdir())
    assert {path.suffix for path in (studio.directory / "clips").iterdir()} == {".mp4"}


async def test_a_clip_comes_though_its_render_process_was_killed(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], voice: Path, long_voice: Path
) -> None:
    client = client_of(own_studio("--workers", "1"))
    clip_id, next_one = await client.submit(long_voice), await client.submit(voice)
    await client.until(clip_id, "generating")
    wait_until(lambda: bool(client.studio.render_processes()))

    os.kill(client.studio.render_processes()[0], signal.SIGKILL)

    await client.until(clip_id, "completed")
    await client.until(next_one, "completed")
    assert "its render process died (1 of 3)" in client.studio.log.read_text()


async def test_a_clip_that_kills_its_process_again_and_again_is_given_up(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], voice: Path, long_voice: Path
) -> None:
    client = client_of(own_studio("--workers", "1"))
    clip_id = await client.submit(long_voice)
    killed: set[int] = set()
    async with asyncio.timeout(DEADLINE_S):
        while (body := await client.retrieve(clip_id))["status"] != "error":
            assert body["status"] != "completed"
            for pid in set(client.studio.render_processes()) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            await asyncio.sleep(0.01)

    assert len(killed) == 3
    assert body["error"] == {"name": "InternalError", "message": "its render process died 3 times"}
    assert (await client.get("/v2/billing"))["current_balance"] == 1000
    await client.until(await client.submit(voice), "completed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_in_mid_render_is_quick_and_loses_nothing(
    own_studio: Callable[..., Studio],
    client_of: Callable[[Studio], Client],
    long_voice: Path,
    number: signal.Signals,
) -> None:
    studio = own_studio("--workers", "1")
    client = client_of(studio)
    clip_id = await client.submit(long_voice)
    await client.until(clip_id, "generating")
    wait_until(lambda: bool(studio.render_processes()))
    workers = studio.render_processes()

    code, seconds = studio.stop(number)

    assert code == 0
    assert seconds < 3  # a fraction of a second, and some patience for a busy machine
    wait_until(lambda: not any(alive(pid) for pid in workers))
    assert "Traceback" not in studio.log.read_text()
    studio.start()
    assert (await client.retrieve(clip_id))["status"] in {"queued", "generating"}


async def test_an_embedded_studio_ends_with_its_standard_input(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], long_voice: Path
) -> None:
    studio = own_studio("--exit-with-stdin")
    client = client_of(studio)
    await client.until(await client.submit(long_voice), "generating")
    wait_until(lambda: bool(studio.render_processes()))
    workers = studio.render_processes()

    assert studio.end_stdin() == 0
    wait_until(lambda: not any(alive(pid) for pid in workers))


async def test_an_embedded_studio_follows_at_once_on_one_that_is_ending(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], long_voice: Path
) -> None:
    first = own_studio("--exit-with-stdin")
    clip_id = await client_of(first).submit(long_voice)
    await client_of(first).until(clip_id, "generating")
    assert first.process.stdin
    first.process.stdin.close()  # as the kernel does for a run that was killed

    second = own_studio("--exit-with-stdin")

    await client_of(second).until(clip_id, "completed")
    assert first.end_stdin() == 0


def test_a_directory_that_is_held_is_refused(shared_studio: Studio) -> None:
    said = failed_start("--dir", str(shared_studio.directory))

    assert said.startswith("error: ")
    assert f"held by another studio (process {shared_studio.process.pid})" in said
    assert len(said.splitlines()) == 1


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = failed_start("--dir", str(tmp_path / "studio"), "--port", str(port))

    assert (
        said
        == f"error: can't listen on 127.0.0.1 port {port}: Address already in use: choose another --port, or 0 for any that is free\n"
    )


def test_a_directory_that_is_no_studios_is_refused(tmp_path: Path) -> None:
    (tmp_path / "studio.db").write_bytes(b"not a database, by any means" * 100)
    assert "can't be used as the studio's queue" in failed_start("--dir", str(tmp_path))
    (tmp_path / "file").touch()
    assert "can't be used" in failed_start("--dir", str(tmp_path / "file"))


def test_what_is_kept_is_private(shared_studio: Studio) -> None:
    assert shared_studio.directory.stat().st_mode & 0o777 == 0o700
    for name in ("studio.db", "secret", "lock"):
        assert (shared_studio.directory / name).stat().st_mode & 0o777 == 0o600
