"""docs/benchmarks.md and its charts."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.downloads import TIMES, Download
from benchmarks.large_jobs import RENDER_S, SPREAD, Crowd, Step
from benchmarks.nights import Nights
from benchmarks.race import CLIENTS, Race, Result

__all__ = ["write_up"]

HEADER = (
    "| client | clips | done | wall s | clips/s | CPU s a 100 clips | peak MB | polls a clip | notice s "
    "| refused submits | duplicates paid |"
)
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
"""What stands around these in the file is written by people and stays."""
CHARTS = {
    "bench-polls.svg": "Polls a clip against mean notice",
    "bench-limit.svg": "Share of a changing limit that is used",
}


def write_up(
    docs: Path,
    races: Sequence[Race],
    results: dict[str, list[Result]],
    downloads: Sequence[Download],
    steps: Sequence[Step],
    crowd: Crowd | None,
    nights: Nights,
) -> None:
    """Replace the measured part of docs/benchmarks.md."""
    path = docs / "benchmarks.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    charts = _charts(docs / "pictures", nights)
    raced = [_race(race, results.get(race.name, [])) for race in races]
    parts = [_machine(), *raced, _downloads(downloads), _large_jobs(steps, crowd), _nights(nights), *charts]
    path.write_text(f"{head}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{tail}", encoding="utf-8")


def _machine() -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    return (
        f"Measured {when} with `make bench` on {os.cpu_count()} cores ({platform.machine()}, {platform.system()}), "
        f"Python {sys.version.split()[0]}; client and emulator share them. Compare within a table, not between machines."
    )


def _race(race: Race, results: Sequence[Result]) -> str:
    lines = [
        f"### {race.title}",
        "",
        HEADER,
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {CLIENTS[one.client]} | {one.rows} | {one.done} | {one.used.wall_s:.1f} | {one.done / one.used.wall_s:.2f} "
        f"| {_cpu_s_a_100(one)} | {one.used.peak_mb:.0f} | {one.polls:.1f} | {one.notice_s:.2f} | {one.refused} "
        f"| {one.duplicates} |"
        for one in results
    ]
    return "\n".join(lines)


def _cpu_s_a_100(one: Result) -> str:
    """Of the clips that came, which may be none."""
    return f"{100 * one.used.cpu_s / one.done:.1f}" if one.done else ""


def _downloads(downloads: Sequence[Download]) -> str:
    lines = [
        "### Downloads",
        "",
        f"From a server on loopback to the disk, not flushed; the best of {TIMES} tries, taken in turn.",
        "",
        "| files | client | MB/s | CPU s a GB |",
        "| --- | --- | ---: | ---: |",
    ]
    lines += [f"| {one.what} | {one.client} | {one.mb_per_s:.0f} | {one.cpu_s_per_gb:.1f} |" for one in downloads]
    return "\n".join(lines)


def _large_jobs(steps: Sequence[Step], crowd: Crowd | None) -> str:
    lines = [
        "### Large jobs",
        "",
        "All rows share a picture and a voice on disk. A start of `run` is measured up to its first submit.",
        "",
        "| rows | command | wall s | CPU s | peak MB |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.rows:,} ({one.form.upper()}) | {one.what} | {one.used.wall_s:.2f} | {one.used.cpu_s:.2f} "
        f"| {one.used.peak_mb:.0f} |"
        for one in steps
    ]
    if crowd is not None:
        lines += [
            "",
            (
                f"{crowd.clips:,} clips rendering at once, in the middle of a night of clips of {RENDER_S:.0f} s (spread {SPREAD:.2f}) whose render "
                f"times are known: {crowd.polls_a_s:.0f} polls a second take {crowd.core:.1%} of one core in all, planning and "
                f"HTTP included, and the process holds at most {crowd.peak_mb:.0f} MB."
            ),
        ]
    return "\n".join(lines)


def _nights(nights: Nights) -> str:
    lines = [
        "### Simulated nights: polls",
        "",
        "1,000 clips, 20 at once; a mean notice of 5 s asked for, fixed polling each 10 s. Counted from the 21st clip.",
        "",
        "| render times | polls a clip | notice s | product | fixed: polls | notice s | product | least possible |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in nights.polls:
        (polls, notice_s), (fixed_polls, fixed_s) = one.ours, one.fixed
        least = f"{one.least:.0f}" if one.least else ""
        lines.append(
            f"| {one.law} | {polls:.1f} | {notice_s:.1f} | {polls * notice_s:.0f} | {fixed_polls:.1f} | {fixed_s:.1f} "
            f"| {fixed_polls * fixed_s:.0f} | {least} |"
        )
    lines += [
        "",
        "### Simulated nights: hidden limits",
        "",
        "Clips of 530 s, spread 0.25; counted once the limit was filled twice.",
        "",
        "| limit | used | refused submits a 100 clips | refused in all |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.what} | {one.used:.1%} | {100 * one.refused:.1f} | {one.refused_in_all} |" for one in nights.limits
    ]
    return "\n".join(lines)


def _charts(folder: Path, nights: Nights) -> list[str]:
    try:
        # Of the extra `bench` only; without it the charts that are there stay.
        mpl, figures = import_module("matplotlib"), import_module("matplotlib.figure")
    except ImportError:
        return [f"![{words}](pictures/{name})" for name, words in CHARTS.items() if (folder / name).exists()]
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "benchmarks"  # the same picture for the same numbers
    folder.mkdir(exist_ok=True)
    figure = figures.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*nights.curve, strict=True), "o-", label="adaptive")
    axes.plot(*zip(*nights.fixed_curve, strict=True), "s-", label="fixed interval")
    least = nights.polls[0].least or 0.0
    polls = [8.0 + k for k in range(60)]
    axes.plot(polls, [least / p for p in polls], "k--", label="least possible")
    axes.set(xlabel="polls a clip", ylabel="mean notice, s", ylim=(0, 25), title="Clips of 530 s, spread 0.25")
    axes.legend()
    figure.savefig(folder / "bench-polls.svg", metadata={"Date": None})
    figure = figures.Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([k / 4 for k in range(len(nights.usage))], nights.usage)
    axes.set(
        xlabel="minutes", ylabel="share of the limit used", ylim=(0, 1.05),
        title="A hidden limit of 40, then 80 (minute 15), then 20 (minute 30)",
    )  # fmt: skip
    figure.savefig(folder / "bench-limit.svg", metadata={"Date": None})
    return [f"![{words}](pictures/{name})" for name, words in CHARTS.items()]
