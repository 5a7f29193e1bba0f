"""``frames``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.commands.conftest import Run


@pytest.mark.parametrize("output", ["gone/sheet.png", "sheet", "sheet.xyz", "sheet.fits", "out.png", "."])
def test_a_sheet_that_cannot_be_written_is_not_the_clips_fault(
    run: Run, folder: Path, clip_file: Path, output: str
) -> None:
    (folder / "out.png").mkdir()

    code, out, err = run("frames", str(clip_file), "-o", output)

    assert (code, out) == (2, "")
    assert err.startswith(f"avatar-batch: {output} can't be written (")
    assert err.endswith("): choose another -o (.png, .jpg)\n")
    assert run("frames", str(clip_file), "-o", "Sheet.JPG")[0] == 0
    assert "name a clip that plays" in run("frames", "job.csv")[2]
