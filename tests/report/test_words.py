"""The docs say what is so: every command runs, every key and code is explained, every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
import yaml

from pipeline.cli import COMMANDS, cli
from pipeline.clip import FailureCode, Status
from pipeline.inspection import Mark
from pipeline.remedies import FAILURES, MARKS, NOTE, NOTES
from pipeline.settings import Settings
from tests.emulator import Emulator, Plan
from tests.unit.making import make_voice

ROOT = Path(__file__).resolve().parents[2]
VOICE_S = 2.1
"""Short, and four of them still cost more than the budget of the recipe that reaches it."""
PAGES = ("manifest", "configuration", "state", "studio", "recipes", "troubleshooting")
RENDERED_HERE = "studio"
"""The page whose clips are really rendered; for the others the emulator makes clips at once, by the same commands."""
SERVERS = ("avatar-batch watch", "avatar-batch serve")
_BLOCK = re.compile(r"(?:<!-- ends with (\d+) -->\n)?```sh\n(.*?)```", re.DOTALL)


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def scripts(name: str) -> Iterator[tuple[str, int]]:
    """The page's shell blocks, and how each ends."""
    for code, script in _BLOCK.findall(page(name)):
        yield script, int(code or 0)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("api"), Plan(render_s=0.2)) as one:
        yield one


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a fresh checkout whose voices are short, and whose programs are these."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("jobs", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    for voice in (folder / "jobs" / "media").iterdir():
        if voice.suffix in {".mp3", ".wav", ".m4a"}:
            make_voice(voice, VOICE_S)
    for name, script in (("avatar-batch", f'exec {sys.executable} -m pipeline "$@"'), ("logger", "cat > /dev/null")):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def place(checkout: Path, tmp_path: Path) -> Path:
    """Where a page's commands run: a checkout of its own."""
    return shutil.copytree(checkout, tmp_path / "place")


def environ(place: Path, emulator: Emulator, name: str) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AVATAR_BATCH", "AIML"))}
    known |= {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "AVATAR_BATCH__STUDIO__QUALITY": "draft", "AVATAR_BATCH__INSPECT__WAIT_S": "0",
        "AIMLAPI_API_KEY": "sk-of-the-docs-0123456789",
    }  # fmt: skip
    if name != RENDERED_HERE:
        known |= {
            "AVATAR_BATCH__API__PROVIDER": "aimlapi", "AVATAR_BATCH__API__BASE_URL": emulator.base_url,
            "AVATAR_BATCH__POLL__EXPECTED_S": "0.3", "AVATAR_BATCH__POLL__INTERVAL_S": "0.1",
        }  # fmt: skip
    return known


def first_line(command: str, place: Path, known: dict[str, str]) -> str:
    """What a server says first; then it is ended, orderly."""
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"],
        cwd=place,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                process.kill()
    return line


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_runs(name: str, place: Path, emulator: Emulator) -> None:
    count = 0
    known = environ(place, emulator, name)
    for script, code in scripts(name):
        count += 1
        if script.startswith(SERVERS):
            command = script.strip() + ("" if "--port" in script else " --port 0")
            assert first_line(command, place, known).startswith("http://"), script
            continue
        done = subprocess.run(
            ["sh", "-e", "-c", script], cwd=place, env=known, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == code, f"{script}\n{done.stdout}\n{done.stderr}"
        assert "fault of this program" not in done.stderr
    assert count


def told_defaults() -> dict[str, str]:
    """What the table of settings says: each key with its own default, several in a cell in the keys' order."""
    told: dict[str, str] = {}
    for line in page("configuration").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        keys = re.findall(r"`(\w+\.\w+)`", cells[0])
        if line.startswith("| `") and keys:
            told |= zip(keys, [word.strip(" `") for word in cells[1].split(",")], strict=True)
    return told


def as_told(value: object) -> str:
    """A default as the table has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_every_setting_is_explained_with_its_default() -> None:
    told = told_defaults()
    local = yaml.safe_load((ROOT / "configs" / "local.yaml").read_text(encoding="utf-8"))
    defaults = msgspec.to_builtins(Settings())
    for section, values in defaults.items():
        if section == "models":
            continue
        for key, value in values.items():
            name = f"{section}.{key}"
            assert local[section][key] == value, f"{name} in configs/local.yaml"
            assert told.pop(name, "not explained") == as_told(value), name
    assert not told, "no such settings"


def test_every_code_every_mark_and_every_known_note_is_explained() -> None:
    for code in FailureCode:
        assert f"### `{code}`" in page("troubleshooting")
        assert code in FAILURES
    for mark in Mark:
        assert f"| `{mark}` |" in page("state")
        assert mark in MARKS
    for note in NOTES:
        assert f"| `{note}` |" in page("studio")
    for status in Status:
        assert f"| `{status}` |" in page("state")


@pytest.mark.parametrize(
    "remedy", [*FAILURES.values(), *MARKS.values(), *NOTES.values(), NOTE], ids=lambda remedy: remedy.title
)
def test_every_remedy_names_a_command_that_there_is(remedy: object) -> None:
    command = getattr(remedy, "command").split()[0]  # noqa: B009 - the parameter's type is lost on the way
    assert command in COMMANDS


def test_every_command_of_the_readme_is_one_that_there_is() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^avatar-batch .*", text, re.MULTILINE)
    assert len(lines) >= 9
    for line in lines:
        _, name, *words = shlex.split(line.partition(" > ")[0], comments=True)
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, line
        command.make_context(name, words)  # an option that there is not, is an error


def test_whoever_has_made_a_run_is_told_how_to_type_the_commands() -> None:
    assert "\n. .venv/bin/activate\n" in (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The night")[0]
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nrun:")[2].partition("\n\n")[0]
    assert recipe.endswith('once in each new shell: . $(BIN)/activate"')


@pytest.mark.parametrize("name", [*PAGES, "guarantees", "talking-head"])
def test_every_page_ends_with_where_to_go_next(name: str) -> None:
    assert page(name).strip().splitlines()[-1].startswith("Next: [")


@pytest.mark.parametrize("name", ["../README", *PAGES, "guarantees", "talking-head"])
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([\w./-]*)(?:#([\w-]+))?\)", page(name)):
        path = (ROOT / "docs" / f"{name}.md").parent / target if target else ROOT / "docs" / f"{name}.md"
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            known = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in known, f"{target}#{anchor}"
