"""The live page's news: the state file is looked at every second, and what changed on the page gets a new number."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import StateRefused
from pipeline.inspection.pictures import clip_poster_name, draw_clip, draw_source, report_files, source_poster_name
from pipeline.job import Job
from pipeline.report.cards import Card
from pipeline.report.night import Gatherer, Night
from pipeline.report.page import card_html, page_html, piece_html, verdict_of
from pipeline.state.views import StateView

__all__ = ["Feed"]

LOOK_S = 1.0
CLOCK_S = 5.0
"""How often what only time changes (what is left, the drawing's right end) is made anew while a run goes on."""

PIECES = ("summary", "attention", "timeline")
KEPT_PICTURES = 600


class Feed:
    """What is on the page, and since when. Nothing is ever written.

    Args:
        job: whose.
        command: how people start this job's commands, ``{}`` in place of the command's name.

    Attributes:
        revision: counts the changes.
    """

    def __init__(self, job: Job, command: str) -> None:
        self._view = StateView(job.state_path)
        self._thread = ThreadPoolExecutor(1, "look")
        self._out = job.out
        self._gatherer = Gatherer(job, command, self._clip_poster, self._source_poster)
        self._sources: dict[str, tuple[Path, bool]] = {}
        self._pictures: dict[str, bytes] = {}
        self._made: dict[str, tuple[str, int]] = {}
        self._cards: dict[int, tuple[Card, int]] = {}
        self._clips: dict[str, Path] = {}
        self._seen_version = -1
        self._made_at = 0.0
        self._night: Night | None = None
        self._news = asyncio.Condition()
        self.revision = 0

    async def aclose(self) -> None:
        """Let go of the state file, after a look that is under way: the state may not be closed beneath it."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._view.close()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            # The state file may be moved or broken under our eyes: the page then stays as it was.
            with suppress(StateRefused, OSError):
                await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once, and tell whoever waits."""
        if await asyncio.get_running_loop().run_in_executor(self._thread, self._look):
            async with self._news:
                self._news.notify_all()

    async def after(self, revision: int, timeout_s: float) -> bool:
        """Wait until there is something newer; False if the time is over first."""
        async with self._news:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: self.revision > revision), timeout_s)
        return self.revision > revision

    def page(self) -> str:
        """The whole page as it is now."""
        if self._night is None:
            raise RuntimeError("look first")
        return page_html(self._night, live=True, revision=self.revision)

    def changes(self, since: int) -> dict[str, Any]:
        """The pieces of the page that are newer than a revision."""
        pieces: dict[str, Any] = {name: html for name, (html, made) in self._made.items() if made > since}
        cards = {f"c{number}": card_html(card) for number, (card, made) in self._cards.items() if made > since}
        title = f"{self._night.name} · {verdict_of(self._night).short}" if self._night else ""
        return pieces | {"cards": cards, "title": title}

    def clip(self, url: str) -> Path | None:
        """The file of a clip that is on the page."""
        return self._clips.get(url)

    def picture(self, name: str) -> bytes:
        """A small picture that is on the page; empty if there is none."""
        if name not in self._sources:
            return b""
        kept = report_files(self._out, make=False) / name
        if kept.exists():
            return kept.read_bytes()
        if name not in self._pictures:
            while len(self._pictures) >= KEPT_PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
            path, is_clip = self._sources[name]
            self._pictures[name] = draw_clip(path) if is_clip else draw_source(path)
        return self._pictures[name]

    def _look(self) -> bool:
        version = self._view.version()
        now = time.monotonic()
        ticking = self._night is not None and self._night.running and now - self._made_at > CLOCK_S
        if version == self._seen_version and not ticking:
            return False
        night = self._gatherer.gather(self._view)
        self._seen_version, self._made_at = version, now
        revision = self.revision + 1
        changed = False
        for name in PIECES:
            html = piece_html(name, night)
            if self._made.get(name, ("", 0))[0] != html:
                self._made[name] = (html, revision)
                changed = True
        for card in night.cards:
            if card.number not in self._cards or self._cards[card.number][0] != card:
                self._cards[card.number] = (card, revision)
                changed = True
        self._clips = {card.clip_url: Path(card.record.output) for card in night.cards if card.record.output}
        self._night = night
        if changed:
            self.revision = revision
        return changed

    def _clip_poster(self, clip: Path) -> str:
        name = clip_poster_name(clip)
        if name:
            self._sources[name] = (clip, True)
        return name

    def _source_poster(self, image: str) -> str:
        name = source_poster_name(image)
        if name:
            self._sources[name] = (Path(image), False)
        return name
