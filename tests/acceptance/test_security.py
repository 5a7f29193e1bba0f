"""What an attacker who writes the server's answers or the manifest gets: nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.emulator import Action, Cdn, Emulator, Plan, Rule
from tests.emulator.plan import Route

from .conftest import Nights, following
from .night import KEY, Night

EVIL = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b32m\u202etxt.exe\u2066\r\n\x08\x00<script>alert(1)</script> " + KEY + " end"
)
# Bytes that steer a terminal: C0 controls but for the line end, C1 controls, and what turns the reading direction.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def assert_harmless(night: Night) -> None:
    """Nothing of it reached a terminal, the log or the state raw."""
    for text in night.said:
        assert not STEERING.search(text.replace("\r", "")), text
    for file in (night.out / "run.log", night.out / "run.lock"):
        assert not STEERING.search(file.read_text())
    for told in night.rows().values():
        message = (told["error"] or {}).get("message", "")
        assert not STEERING.search(message)
        assert len(message) < 1_000
    # SQLite's own bytes are full of control characters: only whole escape sequences count there.
    for file in night.out.glob("state.db*"):
        content = file.read_bytes()
        assert b"\x1b[" not in content
        assert b"\x1b]" not in content
        assert "\u202e".encode() not in content
    night.assert_no_secret_left()


@pytest.mark.parametrize("envelope", ["problem", "legacy"])
def test_hostile_words_are_made_harmless(emu: Emulator, nights: Nights, envelope: str) -> None:
    numbers = following(emu, 2)
    evil = {"headers": {"x-request-id": KEY, "x-inference-id": KEY}, "message": EVIL, "envelope": envelope}
    rules = [
        Rule("submit", Action("status", status=400, **evil), nth=[1]),  # type: ignore[arg-type]
        Rule("submit", Action("status", status=503, **evil), nth=[2]),  # type: ignore[arg-type]
        Rule("submit", Action("status", status=429, **evil), nth=[3]),  # type: ignore[arg-type]
        Rule("submit", Action("do_then_status", status=502, **evil), nth=[4]),  # type: ignore[arg-type]
        Rule("retrieve", Action("status", status=500, **evil), generations=[numbers[1]], limit=2),  # type: ignore[arg-type]
        Rule("logs", Action("status", status=500, **evil), limit=1),  # type: ignore[arg-type]
        Rule("download", Action("status", status=503, **evil), limit=1),  # type: ignore[arg-type]
    ]
    emu.set_plan(Plan(render_s=0.2, statuses=[EVIL], fails=numbers[:1], fail_message=EVIL, rules=rules))
    night = nights(emu, 4)
    ended = night.run("run", "--verbose")
    assert ended.code == 1, ended.text
    failed = [told["error"] for told in night.rows().values() if told["status"] == "failed"]
    assert {error["code"] for error in failed} == {"bad_request", "generation_error"}
    assert all("end" in error["message"] for error in failed)  # made harmless, not thrown away
    assert night.run("status").code == 0
    assert night.run("export").code == 0
    report = night.run("report")
    assert report.code == 0, report.text
    page = (night.out / "report.html").read_text()
    assert "<script>alert" not in page
    assert_harmless(night)


def test_a_hostile_401_stops_with_harmless_words(emu: Emulator, nights: Nights) -> None:
    for status in (401, 403):
        emu.set_plan(Plan(rules=[Rule("submit", Action("status", status=status, message=EVIL))]))
        night = nights(emu, 1)
        assert night.run().code == 3
        assert_harmless(night)


def test_hostile_links_lead_nowhere_and_are_shown_harmless(emu: Emulator, nights: Nights) -> None:
    links = ["file:///etc/passwd", f"http://127.0.0.1:1/{EVIL}", "\x1b[31m://x/", f"gopher://{KEY}@host/"]
    emu.set_plan(Plan(instant=True, cdn=Cdn(hostile_links=links)))
    night = nights(emu, 4, retry__attempts=2)
    assert night.run("run", "--verbose").code == 1
    assert not list(night.out.glob("*.mp4"))
    assert_harmless(night)


def test_a_redirect_leads_the_key_nowhere(emu: Emulator, nights: Nights) -> None:
    routes: tuple[tuple[Route, int], ...] = (("submit", 307), ("retrieve", 302), ("logs", 302), ("billing", 302))
    rules = [Rule(route, Action("redirect", status=status), nth=[1]) for route, status in routes]
    rules.append(Rule("submit", Action("do_then_drop"), nth=[3]))
    rules.append(Rule("download", Action("redirect", location="file:///etc/passwd"), nth=[1]))
    emu.set_plan(Plan(render_s=0.1, cdn=Cdn(redirect_first=1), rules=rules))
    night = nights(emu, 3)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=3)
    assert {line["route"] for line in night.journal() if line["listener"] == "elsewhere"} <= {"download"}


def test_files_with_prompts_and_ids_are_private(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=3600.0))
    night = nights(emu, 2)
    before = os.umask(0)
    try:
        running = night.start()
    finally:
        os.umask(before)
    with running:
        night.wait_for(lambda: len(night.generations()) == 2)
        names = {file.name: file.stat().st_mode & 0o777 for file in night.out.iterdir()}
        assert {"state.db", "state.db-wal", "run.log"} <= set(names)
        assert {name: oct(mode) for name, mode in names.items() if mode & 0o077} == {}
        emu.finish()
        assert running.wait().code == 0
    assert (night.out / "state.db").stat().st_mode & 0o777 == 0o600
    assert (night.out / "run.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "template",
    ["../{id}.mp4", "/elsewhere/{id}.mp4", "a/../../{id}.mp4", "{meta_place}/{id}.mp4", "state.db", ".{id}/x.mp4"],
)
def test_a_template_stays_in_out(emu: Emulator, nights: Nights, template: str, tmp_path: Path) -> None:
    night = nights(emu, 1)
    night.write(["r1"], {"r1": {"meta_place": "../.."}})
    ended = night.run(output__template=template)
    assert ended.code == 2, ended.text
    assert not night.journal()
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_symbolic_link_leads_no_clip_out_of_out(emu: Emulator, nights: Nights, tmp_path: Path) -> None:
    emu.set_plan(Plan(render_s=0.1))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    night = nights(emu, 3, output__template="{meta_folder}/{id}.mp4")
    folders = {"r1": "link", "r2": "link/deeper", "r3": "fine"}
    night.write(night.ids, {row: {"meta_folder": folder} for row, folder in folders.items()})
    night.out.mkdir()
    (night.out / "link").symlink_to(outside)
    (night.out / "fine").mkdir()
    (night.out / "fine" / "r3.mp4.part").symlink_to(outside / "precious")
    ended = night.run()
    assert ended.code in {1, 2}, ended.text
    assert [file.name for file in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "precious"
