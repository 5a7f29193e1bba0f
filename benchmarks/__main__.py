"""``python -m benchmarks [NAME…]``: run the races and the simulated nights, write docs/benchmarks.md and its charts."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.downloads import measure_downloads
from benchmarks.large_jobs import measure_crowd, measure_rows
from benchmarks.nights import simulated_nights
from benchmarks.process import precompile
from benchmarks.race import run_race
from benchmarks.races import RACES
from benchmarks.write_up import write_up

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """A quarter of an hour; a single part less."""
    wanted = set(sys.argv[1:])
    precompile()
    results = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        for race in RACES:
            if not wanted or race.name in wanted:
                results[race.name] = run_race(race, Path(folder))
                for result in results[race.name]:
                    print(result, flush=True)
        downloads = measure_downloads(Path(folder) / "downloads") if not wanted or "downloads" in wanted else []
        for download in downloads:
            print(download, flush=True)
        steps = []
        for step in measure_rows(Path(folder) / "rows") if not wanted or "rows" in wanted else ():
            steps.append(step)
            print(step, flush=True)
        crowd = None
        if not wanted or "crowd" in wanted:
            crowd = measure_crowd(Path(folder) / "crowd")
            print(crowd, flush=True)
    if wanted:
        print("a part only: docs/benchmarks.md is left as it is")
        return
    write_up(DOCS, RACES, results, downloads, steps, crowd, simulated_nights())
    print(f"wrote {DOCS / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
