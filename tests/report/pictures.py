"""The README's pictures, made by the project itself: ``python -m tests.report.pictures`` renders the demo and looks at it.

``python -m tests.report.pictures terminal`` makes those of the terminal only.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.report.browser import Browser, find_chromium
from tests.report.terminal import Seen, as_svg, run_in_terminal

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 104
COMMAND = "avatar-batch run jobs/demo.yaml"


def run_demo(scratch: Path) -> Seen:
    """The demo as a newcomer starts it."""
    program = [sys.executable, "-m", "pipeline", *COMMAND.split()[1:]]
    # OUT is where the command has it by default, only that the working folder is another.
    (scratch / "jobs").symlink_to(ROOT / "jobs")
    return run_in_terminal(program, columns=COLUMNS, environ=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=scratch)


async def look_at_report(scratch: Path) -> None:
    """The report of that run, in light and dark."""
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: install Debian's package chromium, or set CHROMIUM to its path")
    with Browser(program, scratch / "profile") as browser:
        for dark in (False, True):
            async with browser.page(width=1200, height=1100, dark=dark) as page:
                await page.open((scratch / "out" / "demo" / "report.html").as_uri())
                await page.screenshot(PICTURES / f"report-{'dark' if dark else 'light'}.png", whole=False)


def main() -> None:
    """Make all of them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        seen = run_demo(scratch)
        if seen.code:
            raise SystemExit("\n".join(seen.screen.text))
        middle = next((screen for screen in seen.screens if any(" 50%|" in line for line in screen)), seen.screens[-1])
        prompt = [f"$ {COMMAND}"]
        for name, lines in (("terminal-running", middle), ("terminal", seen.screen.text)):
            shown = [line for line in prompt + lines if line]
            (PICTURES / f"{name}.svg").write_text(as_svg(COMMAND, shown, COLUMNS), encoding="utf-8")
        if sys.argv[1:] != ["terminal"]:
            asyncio.run(look_at_report(scratch))
    for path in sorted(PICTURES.iterdir()):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
