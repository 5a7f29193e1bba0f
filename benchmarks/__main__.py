"""``python -m benchmarks [NAME…]``: run the races and the simulated nights, write docs/benchmarks.md and its charts."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.downloads import measure_downloads
from benchmarks.nights import simulated_nights
from benchmarks.race import run_race
from benchmarks.races import RACES
from benchmarks.write_up import write_up

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """A few minutes."""
    wanted = set(sys.argv[1:])
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
    nights = simulated_nights()
    if wanted:
        print("a part only: docs/benchmarks.md is left as it is")
        return
    write_up(DOCS, RACES, results, downloads, nights)
    print(f"wrote {DOCS / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
