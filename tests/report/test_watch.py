"""The live page: read only, on loopback, with a token beyond it, and in a real browser."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pipeline import watch
from pipeline.clip import Failure, FailureCode
from pipeline.errors import UsageError
from pipeline.lock import OutLock
from pipeline.report.night import Gatherer, Night
from pipeline.state import moves
from pipeline.state.rows import read_clips
from pipeline.state.schema import connect
from pipeline.state.views import StateView
from pipeline.watch import is_loopback, serve_watch, watch_app
from pipeline.watch_feed import Feed
from tests.report.browser import Browser
from tests.report.conftest import COMMAND, SHOTS, job_of
from tests.report.contrast import worst_contrast
from tests.report.making import BEGAN, Fate, finish, make_night

Client = aiohttp.ClientSession


@asynccontextmanager
async def served(out: Path, *, token: str = "", loopback: bool = True) -> AsyncIterator[str]:
    """The page of a job, live."""
    runner = web.AppRunner(
        watch_app(Feed(job_of(out), COMMAND), token=token, loopback=loopback),
        shutdown_timeout=0.5,
        handler_cancellation=True,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (_, port) = runner.addresses[0][:2]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
def evening(tmp_path: Path, small_clips: list[Path]) -> Path:
    """A job under way: two done, three rendering, five waiting."""
    fates = [Fate(), Fate(), *[Fate("rendering")] * 3, *[Fate("pending")] * 5]
    return make_night(tmp_path / "evening", fates, clips=small_clips)


def move_on(out: Path, clip: Path) -> None:
    """As a run beside the page would: one more is done, one fails."""
    with closing(connect(out / "state.db")) as db:
        db.execute("BEGIN IMMEDIATE")
        one = read_clips(db, "clips.seq = 3")[0]
        moves.complete(db, one, "https://cdn.example.com/x.mp4", 0.5, BEGAN + 600)
        finish(db, out, read_clips(db, "clips.seq = 3")[0], BEGAN + 602, clip)
        two = read_clips(db, "clips.seq = 4")[0]
        moves.fail(db, two, Failure(FailureCode.GENERATION_ERROR, "<b>no face</b>"), BEGAN + 601, fate="failed")
        db.execute("COMMIT")


async def test_the_page_its_clips_and_its_pictures_are_served(evening: Path) -> None:
    async with served(evening) as url, Client() as client:
        async with client.get(f"{url}/") as answer:
            html = await answer.text()
            assert answer.status == 200
            assert "2 of 10 clips are done" in html
            assert answer.headers["X-Frame-Options"] == "DENY"
        async with client.get(f"{url}/clip-0001.mp4", headers={"Range": "bytes=0-9"}) as answer:
            assert (answer.status, len(await answer.read())) == (206, 10)
        name = html.partition('src="report_files/clip-')[2].partition('"')[0]
        async with client.get(f"{url}/report_files/clip-{name}") as answer:
            assert (await answer.read())[:2] == b"\xff\xd8"


async def test_nothing_else_of_the_folder_is_served_and_nothing_is_written(evening: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in evening.rglob("*") if "state.db-" not in path.name}
    async with served(evening) as url, Client() as client:
        for path in (
            "state.db",
            "run.log",
            "run.lock",
            "..%2f..%2fetc%2fpasswd",
            "report_files/..%2fstate.db",
            "clip-0009.mp4",
        ):
            async with client.get(f"{url}/{path}") as answer:
                assert answer.status == 404, path
        for method in ("POST", "PUT", "DELETE"):
            async with client.request(method, f"{url}/") as answer:
                assert answer.status == 405
    after = {path: path.stat().st_mtime_ns for path in evening.rglob("*") if "state.db-" not in path.name}
    assert after == before


async def test_another_name_for_this_machine_is_refused(evening: Path) -> None:
    async with served(evening) as url, Client() as client:
        for host, status in (("evil.example", 403), ("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200)):
            async with client.get(url, headers={"Host": host}) as answer:
                assert answer.status == status, host


async def test_beyond_loopback_a_token_opens_the_door_and_leaves_the_address(evening: Path) -> None:
    async with served(evening, token="sesame", loopback=False) as url:
        async with Client() as client:
            for path in ("/", "/events", "/clip-0001.mp4", "/?token=wrong", "/clip-0001.mp4?token=sesame"):
                async with client.get(url + path) as answer:
                    assert answer.status == 401, path
        # Cookies of an address need the unsafe jar.
        async with Client(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            async with client.get(f"{url}/?token=sesame") as answer:
                assert answer.status == 200
                assert "token" not in str(answer.url)
                assert answer.history[0].cookies["avatar_batch_token"]["httponly"]
            async with client.get(f"{url}/clip-0001.mp4") as answer:
                assert answer.status == 200


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("nas", False)]
)
def test_what_loopback_is(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "127.0.0.1",
            "can't listen on 127.0.0.1 port {port}: Address already in use: choose another --port, or 0 for any",
        ),
        (
            "203.0.113.7",
            "can't listen on 203.0.113.7 port {port}: Cannot assign requested address: choose an address of",
        ),
        (
            "no..name",
            "can't listen on no..name: the name is not known: choose an address of this machine as --host",
        ),
    ],
)
def test_an_address_that_cannot_be_had_is_one_plain_line(evening: Path, host: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            serve_watch(job_of(evening), COMMAND, host=host, port=port, token="", tell=print)
    assert str(refused.value).startswith(said.format(port=port))
    assert "(" not in str(refused.value), "nothing of Python's"


@pytest.mark.parametrize(("host", "at"), [("0.0.0.0", "0.0.0.0"), ("", "0.0.0.0"), ("::", "[::]"), ("127.0.0.1", "")])
def test_an_address_for_other_devices_says_what_to_put_in_it(
    evening: Path, monkeypatch: pytest.MonkeyPatch, host: str, at: str
) -> None:
    async def served_shortly(_: object, listener: socket.socket, tell: Callable[[], None]) -> None:
        listener.close()
        tell()

    monkeypatch.setattr(watch, "_serve", served_shortly)
    listen = socket.create_server
    monkeypatch.setattr(socket, "create_server", lambda *_, **__: listen(("127.0.0.1", 0)))
    told: list[str] = []

    serve_watch(job_of(evening), COMMAND, host=host, port=0, token="sesame", tell=told.append)

    first, *more = "\n".join(told).splitlines()
    assert first.startswith(f"http://{at or host}:")
    assert first.endswith("/?token=sesame")
    assert more == ([f"from another device, put this machine's address or name in place of {at}"] if at else [])


async def test_news_come_as_events_and_only_what_changed(evening: Path, small_clips: list[Path]) -> None:
    async with (
        served(evening) as url,
        Client() as client,
        client.get(f"{url}/events?since=1", headers={"Last-Event-ID": "1"}) as stream,
    ):
        assert stream.headers["Content-Type"] == "text/event-stream"
        await asyncio.to_thread(move_on, evening, small_clips[0])
        news = b""
        async with asyncio.timeout(10):
            while b"\n\n" not in news.partition(b"event: update")[2]:
                news += await stream.content.readany()
        assert b"id: 2" in news
        assert b"&lt;b&gt;no face&lt;/b&gt;" in news
        assert b'"c3"' in news
        assert b'"c4"' in news
        assert b'"c1"' not in news


async def test_the_page_follows_the_run_in_a_browser(browser: Browser, evening: Path, small_clips: list[Path]) -> None:
    async with served(evening) as url, browser.page(width=390, height=844) as page:
        await page.open(url)
        await page.until("document.getElementById('live').textContent === 'live'")
        await page.run("document.querySelector('[data-id=\"clip-0005\"] .tick input').click()")
        at_its_end = (
            "(({scrollLeft, scrollWidth, clientWidth}) => scrollLeft > 0 && scrollLeft + clientWidth > scrollWidth - 9)"
        )
        assert await page.run(f"{at_its_end}(document.querySelector('.timeline'))")
        await asyncio.to_thread(move_on, evening, small_clips[0])
        await page.until("document.querySelector('.headline').textContent.startsWith('3 of 10')")
        assert await page.run(f"{at_its_end}(document.querySelector('.timeline'))")
        assert await page.run("document.querySelector('[data-id=\"clip-0004\"]').dataset.status") == "failed"
        assert "<b>no face</b>" in await page.run(
            "document.querySelector('[data-id=\"clip-0004\"] .error').textContent"
        )
        assert await page.run("document.querySelector('[data-id=\"clip-0005\"] .tick input').checked")
        assert (await page.run("document.title")).endswith("3/10")
        await page.run("document.querySelector('[data-id=\"clip-0003\"] .play').click()")
        await page.until("document.querySelector('video')?.currentTime > 0.1")
        assert page.errors == []
        assert [one for one in page.requests if not one.startswith((url, "data:", "about:"))] == []


async def test_pictures_for_people_to_look_at(browser: Browser, tmp_path: Path, small_clips: list[Path]) -> None:
    fates = [*[Fate()] * 9, Fate("failed"), *[Fate("rendering")] * 4, *[Fate("pending")] * 6]
    out = make_night(tmp_path / "evening", fates, places=4, clips=small_clips, began=time.time() - 1900)
    with OutLock(out):
        await _take_pictures(browser, out)


async def _take_pictures(browser: Browser, out: Path) -> None:
    async with served(out) as url:
        for width, name in ((1440, "wide"), (390, "narrow")):
            for dark in (False, True):
                async with browser.page(width=width, height=900, dark=dark) as page:
                    await page.open(url)
                    await page.until("document.getElementById('live').textContent === 'live'")
                    assert await page.run(
                        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
                    )
                    await page.screenshot(SHOTS / f"watch-{name}-{'dark' if dark else 'light'}.png")
                    assert await worst_contrast(page) >= 4.5


async def test_a_line_that_broke_is_taken_up_again(browser: Browser, evening: Path, small_clips: list[Path]) -> None:
    async with browser.page() as page:
        async with served(evening) as url:
            await page.open(url)
            await page.until("document.getElementById('live').textContent === 'live'")
        await page.until("document.getElementById('live').textContent === 'not connected'")


async def test_the_state_is_closed_after_a_look_under_way(evening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's connection, closed beneath a thread that reads, takes the process with it."""
    looking, go_on, happened = threading.Event(), threading.Event(), []
    gather_really, close_really = Gatherer.gather, StateView.close

    def gather(gatherer: Gatherer, view: StateView) -> Night:
        looking.set()
        go_on.wait(20)
        night = gather_really(gatherer, view)
        happened.append("looked")
        return night

    def close(view: StateView) -> None:
        happened.append("closed")
        close_really(view)

    monkeypatch.setattr(Gatherer, "gather", gather)
    monkeypatch.setattr(StateView, "close", close)
    feed = Feed(job_of(evening), COMMAND)
    look = asyncio.create_task(feed.look())
    await asyncio.to_thread(looking.wait, 20)
    look.cancel()
    closing_it = asyncio.create_task(feed.aclose())
    # Behind the job that closes it, if that is one for a thread; else it is closed by the time that this returns.
    await asyncio.to_thread(lambda: None)
    assert not closing_it.done()
    assert happened == []
    go_on.set()
    await closing_it
    assert happened == ["looked", "closed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_as_soon_as_it_tells_its_address(evening: Path, number: signal.Signals) -> None:
    for _ in range(3):
        command = [sys.executable, "-m", "pipeline", "watch", "none.yaml", "--out", str(evening), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                assert process.stdout.readline().startswith("http://127.0.0.1:")
                process.send_signal(number)
                assert process.wait(20) == 0
                assert process.stderr.read() == ""
            finally:
                process.kill()


async def test_a_state_file_that_vanishes_does_not_end_the_page(evening: Path) -> None:
    async with served(evening) as url, Client() as client:
        (evening / "state.db").rename(evening / "elsewhere.db")
        await asyncio.sleep(1.2)
        async with client.get(url) as answer:
            assert answer.status == 200
    with closing(sqlite3.connect(evening / "elsewhere.db")) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
