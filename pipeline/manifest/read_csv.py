"""CSV manifests: a header line, then a row a record; an empty cell is a field left out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from pipeline.manifest.lines import Unreadable, lines_of
from pipeline.manifest.problems import Problems
from pipeline.manifest.raw import RawRow, is_field, meant_field, unknown_field

__all__ = ["read_csv"]


def read_csv(path: Path, problems: Problems) -> Iterator[RawRow]:
    """The rows of a CSV manifest, streamed; what is wrong with the file's form goes to ``problems``."""
    reader = csv.reader(lines_of(path), strict=True)
    header: list[str] | None = None
    told = frozenset[str]()
    start = 1
    try:
        for record in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in record):
                continue
            if header is None:
                header = [name.strip() for name in record]
                if not _header_can_be_used(header, line, problems):
                    return
                told = frozenset(meant_field(name) for name in header if not is_field(name)) - {*header, ""}
                continue
            if len(record) > len(header):
                problems.add(
                    f"{len(record)} cells under {len(header)} columns: quote a cell that holds a comma", line=line
                )
                continue
            fields = {
                name: cell.strip()
                for name, cell in zip(header, record, strict=False)
                if cell.strip() and is_field(name) and name != "options"
            }
            yield RawRow(line, fields, {}, told)
    except Unreadable as error:
        problems.add(str(error), line=error.line)
        return
    except csv.Error as error:
        if "new-line character" in str(error):
            problems.add("has lines that end in CR alone, as old Macs wrote them: save it with LF or CRLF", line=start)
        else:
            problems.add(f"isn't valid CSV ({error}): check the quotes", line=start)
        return
    if header is None:
        problems.add("is empty: a header line (id,image,audio,prompt) and a row a clip are needed")


def _header_can_be_used(header: list[str], line: int, problems: Problems) -> bool:
    """Tell what is wrong with it; whether rows under it can be read all the same, without its bad columns."""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        problems.add("columns are separated by semicolons or tabs: save it with commas", line=line)
        return False
    for name in header:
        if not name:
            problems.add("a column without a name: name it or remove it", line=line)
        elif name == "options":
            problems.add("column 'options': extra body fields need a YAML manifest", line=line)
        elif not is_field(name):
            problems.add(unknown_field(name).replace("field", "column", 1), line=line)
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        problems.add(f"column {name!r} stands twice: remove one", line=line)
    return any(is_field(name) for name in header)
