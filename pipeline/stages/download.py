"""downloading → done: stream, verify, put in place. A broken download is never a reason to render again."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from pipeline.api.client import user_agent
from pipeline.clip import Clip, Failure, FailureCode, Status
from pipeline.errors import DiskFull, StopRun
from pipeline.models import model_named
from pipeline.stages.backlog import Backlog
from pipeline.stages.context import RunContext
from pipeline.stages.fetch import Broken, Fetch, LinkExpired, Part, fetch
from pipeline.stages.links import PublicResolver
from pipeline.stages.submit import RESERVED_BYTES
from pipeline.stages.verify import Arrival, Refused, Verifier, refused_path

__all__ = ["DownloadStage"]

DEAD_LINK_AFTER = 3
"""Failures in a row without a byte after which a fresh link is asked for."""


@dataclass(slots=True)
class _Progress:
    """What a clip's download has been through in this run."""

    failures: int = 0
    links: int = 0
    wants_link: bool = False
    most_bytes: int = 0
    refused_sha256: str = ""
    part: Part | None = None


class DownloadStage:
    """A pool of downloads.

    Args:
        context: the run's shared things.
        allow_private: whether links may lead into private networks (as those of a local studio do).
    """

    def __init__(self, context: RunContext, *, allow_private: bool) -> None:
        self._context = context
        self._allow_private = allow_private
        self._backlog = Backlog(context.state.inbox(Status.DOWNLOADING), context.now)
        self._progress: dict[int, _Progress] = {}
        self._boot = boot_id()
        self._real_out = os.path.realpath(context.out)
        self._folders: set[Path] = set()
        self._verifier = Verifier(context.out, context.settings.download.concurrency, RESERVED_BYTES)

    async def run(self) -> None:
        """Download until cancelled; then part files stay for the next run."""
        settings = self._context.settings.download
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=settings.stall_timeout_s)
        connector = aiohttp.TCPConnector(limit=0, resolver=None if self._allow_private else PublicResolver())
        free = asyncio.Semaphore(settings.concurrency)
        with closing(self._verifier):
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
                    headers={"User-Agent": user_agent()},
                ) as session,
                asyncio.TaskGroup() as downloads,
            ):  # fmt: skip
                how = Fetch(
                    session,
                    settings.stall_timeout_s,
                    settings.max_bytes,
                    RESERVED_BYTES,
                    self._allow_private,
                    self._boot,
                    self._received,
                )
                while True:
                    await free.acquire()
                    clip = await self._backlog.get()
                    task = downloads.create_task(self._download(how, clip))
                    task.add_done_callback(lambda _: free.release())

    def _received(self, count: int) -> None:
        self._context.bytes_received += count

    async def _download(self, how: Fetch, clip: Clip) -> None:
        try:
            await self._step(how, clip)
        except StopRun as reason:
            self._context.abort(reason)
        except OSError as error:
            self._context.abort(
                DiskFull(f"{clip.output} can't be written ({error.strerror or error}): check the disk of OUT")
            )

    async def _step(self, how: Fetch, clip: Clip) -> None:
        context = self._context
        progress = self._progress.setdefault(clip.seq, _Progress())
        if progress.wants_link:
            progress.wants_link = False
            await context.state.relink(clip)
            context.tell("relinking", clip)
            return
        part = part_path(context.out, clip)
        if self._leads_out(part):
            message = f"{part.parent} leads out of {context.out} through a symbolic link: remove the link, then retry"
            await self._fail(clip, FailureCode.DOWNLOAD, message)
            return
        part.parent.mkdir(parents=True, exist_ok=True)

        def note(known: Part) -> None:
            progress.part = msgspec.structs.replace(known, output=clip.output)
            context.state.note_part(clip, msgspec.json.encode(progress.part).decode())

        try:
            known = progress.part or (msgspec.json.decode(clip.part, type=Part) if clip.part else Part())
            if known.output != clip.output:
                known = Part()
            fetched = await fetch(how, clip.video_url, part, known, note)
            arrival = Arrival(
                part, context.out / clip.output, fetched, model_named(context.catalogue, clip.model), clip.voice_s
            )
            try:
                verified = await self._verifier.verify(arrival)
            finally:
                how.holding.give_back(len(fetched.content or b""))
        except LinkExpired as error:
            await self._ask_for_link(clip, progress, str(error))
        except Broken as error:
            await self._go_on_later(clip, progress, part, error)
        except Refused as error:
            await self._fetch_anew(clip, progress, part, error)
        else:
            del self._progress[clip.seq]
            facts = verified.facts
            await context.state.finish(
                clip, sha256=verified.sha256, size_bytes=facts.size_bytes, duration_s=round(facts.video_s, 3)
            )
            context.tell("done", clip, output=clip.output, bytes=facts.size_bytes, duration_s=round(facts.video_s, 3))

    def _leads_out(self, part: Path) -> bool:
        """Whether a file would lie outside of OUT; each folder is looked at once."""
        folder = part.parent
        if folder not in self._folders:
            if not Path(os.path.realpath(folder)).is_relative_to(self._real_out):
                return True
            self._folders.add(folder)
        return False

    async def _ask_for_link(self, clip: Clip, progress: _Progress, message: str) -> None:
        context = self._context
        progress.links += 1
        context.tell("link_expired", clip, message=message, times=progress.links)
        if progress.links > context.settings.retry.attempts:
            await self._fail(clip, FailureCode.DOWNLOAD, f"{message}, also with fresh links: retry fetches it again")
            return
        progress.wants_link = True
        # A first fresh link is asked for at once; a link that is refused again and again wants patience.
        self._backlog.put_back(clip, context.backoff.wait_s(progress.links - 1) if progress.links > 1 else 0.0)

    async def _go_on_later(self, clip: Clip, progress: _Progress, part: Path, error: Broken) -> None:
        context, message = self._context, str(error)
        size = part.stat().st_size if part.exists() else 0
        if size > progress.most_bytes:
            # It gets on: neither the line nor its links are given up.
            progress.most_bytes, progress.failures, progress.links = size, 0, 0
        progress.failures += 1
        context.tell("download_broken", clip, message=message, bytes=size, tries=progress.failures)
        if progress.failures >= context.settings.retry.attempts:
            await self._fail(clip, FailureCode.DOWNLOAD, f"{message}: it is paid for, run or retry fetches it again")
            return
        # A link that gives nothing time and again may be dead in a way that has no status: a fresh one can't hurt.
        progress.wants_link = progress.failures % DEAD_LINK_AFTER == 0
        self._backlog.put_back(clip, context.backoff.wait_s(progress.failures, error.retry_after_s))

    async def _fetch_anew(self, clip: Clip, progress: _Progress, part: Path, error: Refused) -> None:
        context = self._context
        context.tell("refused_file", clip, message=str(error), sha256=error.sha256)
        if error.sha256 == progress.refused_sha256:
            kept = refused_path(part)
            part.replace(kept)
            await self._fail(
                clip, FailureCode.BAD_MEDIA,
                f"the clip {error} (kept as {kept.name}); retry fetches it again, retry with its id renders it anew (paid)",
            )  # fmt: skip
            return
        progress.refused_sha256 = error.sha256
        progress.failures += 1
        part.unlink(missing_ok=True)
        if progress.failures >= context.settings.retry.attempts:
            await self._fail(
                clip, FailureCode.DOWNLOAD, f"the clip {error}, each time another way: retry fetches it again"
            )
            return
        progress.wants_link = True
        self._backlog.put_back(clip, context.backoff.wait_s(1))

    async def _fail(self, clip: Clip, code: FailureCode, message: str) -> None:
        del self._progress[clip.seq]
        await self._context.state.fail(clip, Failure(code, message))
        self._context.tell("failed", clip, code=code, message=message)


def part_path(out: Path, clip: Clip) -> Path:
    """Where a clip's download grows."""
    return out / (clip.output + ".part")


def boot_id() -> str:
    """A name for this boot of the machine; where the system gives none, a part file is trusted over a reboot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
