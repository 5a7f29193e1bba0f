"""The report, from disk, in a real browser."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from pipeline.manifest import Problems, RowReader
from pipeline.manifest.looks import Looks
from pipeline.models import builtin_catalogue
from tests.report.browser import Browser, Page
from tests.report.conftest import SHOTS
from tests.report.contrast import worst_contrast

VISIBLE = "[...document.querySelectorAll('.card:not([hidden])')]"


async def opened(page: Page, out: Path) -> Page:
    await page.open((out / "report.html").as_uri())
    return page


def assert_at_home(page: Page, out: Path) -> None:
    """Nothing went wrong, and nothing but the folder was asked."""
    assert page.errors == []
    strange = [url for url in page.requests if not url.startswith((out.as_uri() + "/", "data:", "blob:", "about:"))]
    assert strange == []


async def ids(page: Page) -> list[str]:
    found: list[str] = await page.run(f"{VISIBLE}.map((card) => card.dataset.id)")
    return found


async def test_it_opens_from_disk_without_an_error_or_an_outside_request(browser: Browser, night: Path) -> None:
    async with browser.page() as page:
        await opened(page, night)
        await page.run("document.getElementById('sheet').scrollIntoView()")
        await page.until(
            "[...document.querySelectorAll('.play img')].slice(0, 3).every((image) => image.naturalWidth > 100)"
        )
        assert await page.run("document.querySelector('.headline').textContent") == (
            "43 of 48 clips are done: 4 failed, 1 of unknown fate, 2 look wrong, 1 has a note"
        )
        assert await page.run("document.querySelectorAll('.card').length") == 48
        assert_at_home(page, night)


async def test_failures_come_first_with_the_servers_words_and_the_remedy(browser: Browser, night: Path) -> None:
    async with browser.page() as page:
        await opened(page, night)
        first: list[str] = await page.run(
            "[...document.querySelectorAll('.card')].slice(0, 7).map((c) => c.dataset.status)"
        )
        assert first == ["failed"] * 4 + ["unconfirmed", "done", "done"]
        group: str = await page.run("document.querySelector('.group').textContent")
        assert "no face was found in the picture" in group
        assert "not billed" in group
        assert (
            "avatar-batch retry jobs/onboarding.yaml --config configs/aimlapi.yaml archive-es-02 archive-es-06" in group
        )


async def test_filters_search_and_order_narrow_the_sheet(browser: Browser, night: Path) -> None:
    async with browser.page() as page:
        await opened(page, night)
        await page.run("document.querySelector('[data-kind=marked]').click()")
        assert await ids(page) == ["welcome-en-04", "welcome-en-11"]
        assert await page.run("document.getElementById('shown').textContent") == "2 of 48"
        await page.run("document.querySelector('.chips [data-kind=noted]').click()")
        assert await ids(page) == ["changelog-fr-11"]
        await page.run("document.querySelector('[data-kind=\"\"]').click()")
        await page.press("/")
        assert await page.run("document.activeElement.id") == "search"
        await page.call("Input.insertText", text="SAFETY-de")
        await page.until(f"{VISIBLE}.length < 48")
        assert all("safety-de" in row for row in await ids(page))
        await page.call("Input.insertText", text=" nowhere")
        await page.until("!document.getElementById('empty').hidden")
        await page.press("Escape")
        assert len(await ids(page)) == 48
        await page.run(
            "(() => { const s = document.getElementById('sort'); s.value = 'number'; s.dispatchEvent(new Event('change')); })()"
        )
        assert (await ids(page))[:3] == ["welcome-en-01", "safety-de-01", "changelog-fr-01"]
        assert_at_home(page, night)


async def test_a_clip_plays_in_its_card_and_only_one_at_a_time(browser: Browser, night: Path) -> None:
    async with browser.page() as page:
        await opened(page, night)
        assert await page.run("document.querySelectorAll('video').length") == 0
        await page.run("document.querySelector('[data-id=\"welcome-en-01\"] .play').click()")
        await page.until("document.querySelector('video')?.currentTime > 0.1")
        await page.run("document.querySelector('[data-id=\"safety-de-01\"] .play').click()")
        await page.until("document.querySelectorAll('video').length === 2")
        await page.until("[...document.querySelectorAll('video')].filter((video) => !video.paused).length === 1")
        assert_at_home(page, night)


async def test_the_keyboard_alone_is_enough(browser: Browser, night: Path) -> None:
    async with browser.page() as page:
        await opened(page, night)
        for _ in range(6):
            await page.press("j")
        assert await page.run("document.activeElement.dataset.id") == "welcome-en-04"
        await page.press("x")
        assert await page.run("document.getElementById('ticked').textContent") == "1 row to render again"
        await page.press("Enter")
        await page.until("document.querySelectorAll('video').length === 1")
        before = await page.run("document.documentElement.dataset.theme")
        await page.run("document.body.focus()")
        await page.press("t")
        assert await page.run("document.documentElement.dataset.theme") != before
        await page.run("localStorage.clear()")
        # Every control has a name, and tabbing reaches the first link.
        nameless = await page.run(
            "[...document.querySelectorAll('button, input, select, a')].filter((one) => !(one.textContent.trim() || "
            "one.getAttribute('aria-label') || one.closest('label')?.textContent.trim())).length"
        )
        assert nameless == 0


async def test_ticked_rows_become_a_manifest_that_the_project_reads(
    browser: Browser, night: Path, tmp_path: Path
) -> None:
    async with browser.page() as page:
        await opened(page, night)
        await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        await page.run("document.querySelector('.group [data-tick]').click()")
        command = await page.run("document.getElementById('command').textContent")
        assert (
            command
            == "avatar-batch retry jobs/onboarding.yaml --config configs/aimlapi.yaml archive-es-02 archive-es-06"
        )
        await page.run("document.getElementById('download').click()")
        made = await _downloaded(page, tmp_path)
        rows = yaml.safe_load(made.read_text())["rows"]
        assert [row["id"] for row in rows] == ["archive-es-02", "archive-es-06"]
        problems = Problems(made.name)
        reader = RowReader(made, catalogue=builtin_catalogue(), template="{id}.mp4", looks=Looks(), problems=problems)
        again = list(reader.rows())
        assert [str(problem) for problem in problems.kept] == []
        assert [row.prompt for row in again] == [row["prompt"] for row in rows]
        assert again[0].meta == {}
        await page.run("document.getElementById('clear').click()")
        assert await page.run("document.getElementById('basket').hidden")


async def test_hostile_text_is_text(browser: Browser, hostile_night: Path, tmp_path: Path) -> None:
    async with browser.page() as page:
        await opened(page, hostile_night)
        await page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert await page.run("window.pwned") is None
        assert await page.run("document.querySelectorAll('script').length") == 1
        assert await page.run("document.querySelectorAll('img[src=x]').length") == 0
        assert "<script>window.pwned=1" in await page.run(
            "document.querySelector('[data-notes=\"2\"] .mark').textContent"
        )
        shown: str = await page.run("document.querySelector('[data-status=failed] .error').textContent")
        assert "<script>window.pwned=1</script>" in shown
        assert "{{7*7}}" in await page.run("document.querySelector('[data-status=failed] .prompt').textContent")
        # Also in what is made of it: braces of a prompt are not taken for fields when it is read again.
        await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        await page.run("document.getElementById('tickall').click()")
        await page.run("document.getElementById('download').click()")
        made = await _downloaded(page, tmp_path)
        rows = yaml.safe_load(made.read_text())["rows"]
        assert "{{{{7*7}}}}" in rows[0]["prompt"]
        assert_at_home(page, hostile_night)


async def test_a_thousand_clips_stay_quick(browser: Browser, large_night: Path) -> None:
    async with browser.page() as page:
        began = time.monotonic()
        await opened(page, large_night)
        assert time.monotonic() - began < 8
        assert (large_night / "report.html").stat().st_size < 6_000_000
        took_ms: float = await page.run(
            "(async () => { const s = document.getElementById('search'); const t = performance.now(); s.value = 'clip-09'; "
            "s.dispatchEvent(new Event('input')); while (document.querySelectorAll('.card:not([hidden])').length > 100) "
            "await new Promise(requestAnimationFrame); return performance.now() - t; })()"
        )
        assert took_ms < 1500
        assert len(await ids(page)) == 100
        # Only what is near is loaded: no video, and few of the thousand posters.
        assert not [url for url in page.requests if url.endswith(".mp4")]
        assert_at_home(page, large_night)


async def test_it_prints(browser: Browser, night: Path) -> None:
    async with browser.page(dark=True) as page:
        await opened(page, night)
        made = await page.call("Page.printToPDF", printBackground=True)
        assert len(made["data"]) > 50_000
        # Paper is white, also for who reads in the dark, and what is folded away is printed too.
        closed: int = await page.run("document.querySelectorAll('details:not([open])').length")
        assert closed > 0
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        await page.call("Emulation.setEmulatedMedia", media="print", features=[scheme])
        await page.run("window.dispatchEvent(new Event('beforeprint'))")
        assert await page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert await page.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert await page.run("document.querySelectorAll('details:not([open])').length") == 0
        await page.run("window.dispatchEvent(new Event('afterprint'))")
        assert await page.run("document.querySelectorAll('details:not([open])').length") == closed
        assert await page.run("document.documentElement.dataset.theme") == "dark"


async def test_pictures_for_people_to_look_at(browser: Browser, night: Path) -> None:
    for width, name in ((1440, "wide"), (390, "narrow")):
        for dark in (False, True):
            async with browser.page(width=width, height=900, dark=dark) as page:
                await opened(page, night)
                assert await page.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
                # Nothing sticks out sideways.
                assert await page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
                await page.screenshot(SHOTS / f"report-{name}-{'dark' if dark else 'light'}.png")
                assert await worst_contrast(page) >= 4.5


async def _downloaded(page: Page, folder: Path) -> Path:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        ready = [path for path in folder.iterdir() if path.suffix == ".yaml"]
        if ready:
            return ready[0]
        await page.run("new Promise((done) => setTimeout(done, 50))")
    raise AssertionError("no download")
