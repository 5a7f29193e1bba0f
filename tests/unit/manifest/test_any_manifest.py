"""What holds for every manifest: what is written is read back, and no bytes get past the list of problems."""

from __future__ import annotations

import csv
import io
import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.clip import Row
from pipeline.errors import UsageError
from pipeline.manifest import Looks, Problems, RowReader
from pipeline.models import builtin_catalogue
from tests.unit.making import make_picture, make_wav, read_manifest

LOOKS = Looks()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    make_picture(folder / "face.png")
    make_wav(folder / "voice.wav", 2.5)
    return folder


ids = st.text("abcXYZ019._-", min_size=1, max_size=20).filter(lambda text: text.strip("."))
words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="{}\ufffe\uffff\ufeff\u2028\u2029\x85"),
    max_size=40,
)  # fmt: skip
cells = words.map(str.strip).filter(bool)
rows_of_text = st.lists(
    st.fixed_dictionaries({"id": ids}, optional={"prompt": cells, "meta_a": cells, "meta_b_2": cells, "provider": st.just("fal")}),
    min_size=1, max_size=6, unique_by=lambda row: row["id"],
)  # fmt: skip


def told(row: Row) -> dict[str, str]:
    known = {"id": row.id, "prompt": row.prompt, "provider": row.provider, **row.meta}
    return {name: text for name, text in known.items() if text}


@settings(max_examples=25)
@given(
    rows=rows_of_text,
    allow_unicode=st.booleans(),
    flow=st.sampled_from([True, False, None]),
    width=st.sampled_from([20, 80, 10_000]),
)
def test_rows_written_as_yaml_are_read_back(
    desk: Path, rows: list[dict[str, str]], allow_unicode: bool, flow: bool | None, width: int
) -> None:
    manifest = {"version": 1, "defaults": {"image": "face.png", "audio": "voice.wav"}, "rows": rows}
    path = desk / "job.yaml"
    path.write_text(
        yaml.safe_dump(manifest, allow_unicode=allow_unicode, default_flow_style=flow, sort_keys=False, width=width),
        encoding="utf-8",
    )

    read, problems = read_manifest(path, looks=LOOKS)

    assert not problems, problems
    assert [told(row) for row in read] == rows


@given(
    rows=rows_of_text,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ends=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_rows_written_as_csv_are_read_back(
    desk: Path, rows: list[dict[str, str]], quoting: Any, ends: str, mark: bool
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(
        text,
        ["id", "image", "audio", "prompt", "provider", "meta_a", "meta_b_2"],
        restval="",
        quoting=quoting,
        lineterminator=ends,
    )
    writer.writeheader()
    writer.writerows({"image": "face.png", "audio": "voice.wav", **row} for row in rows)
    path = desk / "job.csv"
    path.write_text(text.getvalue(), encoding="utf-8-sig" if mark else "utf-8", newline="")

    read, problems = read_manifest(path, looks=LOOKS)

    assert not problems, problems
    assert [told(row) for row in read] == rows


LIKELY = st.sampled_from(
    [
        "version: 1\n", "rows:\n", "- ", "  ", "\n", "id: a", "image: face.png", "audio: voice.wav", "audio: http://[x", "prompt: ", "options: ",
        "{", "}", "[", "]", ",", ":", "&a ", "*a", "!!int ", "!x ", "'", '"', "|\n", ">-\n", "? ", "%YAML 1.1\n", "---\n", "...\n", "#", "\t",
        "id,image,audio\n", "meta_x", "a,face.png,voice.wav\n", ".inf", "2026-11-22", "1e999", "<<: ", "=", "~", "\r", "\ufeff", "\x85", "\\x00",
    ]
)  # fmt: skip
ANY_TEXT = (
    st.lists(LIKELY | st.text(max_size=5), max_size=40)
    .map("".join)
    .map(lambda text: text.encode("utf-8", "surrogatepass"))
)


@settings(max_examples=250)
@given(
    content=st.binary(max_size=300)
    | ANY_TEXT
    | ANY_TEXT.map(lambda rest: b"version: 1\nrows:\n- image: face.png\n  audio: voice.wav\n  " + rest)
)
@example(b"version: 1\nrows:\n- image: face.png\n  audio: 'http://[x'\n")
@example(b'version: 1\nrows:\n- image: "\\ud800"\n  audio: voice.wav\n')
def test_no_bytes_get_past_the_list_of_problems(desk: Path, content: bytes) -> None:
    for name in ("any.yaml", "any.csv"):
        (desk / name).write_bytes(content)

        rows, problems = read_manifest(desk / name, looks=LOOKS)

        assert rows or problems
        assert all(str(problem).startswith(name) and "\n" not in str(problem) for problem in problems)


@given(template=st.text(st.sampled_from("{}id./a!:[]0_ \\meta_x\n\x00é-"), max_size=20).map(lambda text: text + ".mp4"))
def test_no_template_leads_out_of_out(desk: Path, template: str) -> None:
    (desk / "one.csv").write_text("id,image,audio,meta_x\n..a,face.png,voice.wav,../..\n")

    rows, problems = read_manifest(desk / "one.csv", template=template, looks=LOOKS)

    assert bool(rows) != bool(problems)
    for row in rows:
        path = (desk / "out" / row.output).resolve()
        assert path.is_relative_to(desk / "out")
        assert path.name == row.output.split("/")[-1]


def row_lines(count: int, form: str) -> Iterator[str]:
    if form == "yaml":
        yield "version: 1\ndefaults: {image: face.png, audio: voice.wav}\nrows:\n"
        for number in range(count):
            yield f"- id: row-{number:06}\n  prompt: A prompt of some length for row {number}, so that rows would be felt\n"
    else:
        yield "id,image,audio,prompt\n"
        for number in range(count):
            yield f"row-{number:06},face.png,voice.wav,A prompt of some length for row {number} so that rows would be felt\n"


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_memory_does_not_grow_with_the_rows(desk: Path, form: str) -> None:
    held = []
    for count in (300, 2_000):
        path = desk / f"{count}.{form}"
        with path.open("w") as file:
            file.writelines(row_lines(count, form))
        problems = Problems(path.name)
        reader = RowReader(path, catalogue=builtin_catalogue(), template="{id}.mp4", looks=LOOKS, problems=problems)

        tracemalloc.start()
        try:
            rows = reader.rows()
            read = sum(1 for _ in itertools.islice(rows, count - 1))
            held.append(held_by_the_package(tracemalloc.take_snapshot()))
            read += sum(1 for _ in rows)
        finally:
            tracemalloc.stop()

        assert (read, problems.total) == (count, 0)

    assert held[1] < held[0] + 30_000, f"1,700 rows more hold {held[1] - held[0]:,} bytes more"


def held_by_the_package(snapshot: tracemalloc.Snapshot) -> int:
    """Not the peak: the interpreter's table of interned strings doubles whenever it likes."""
    ours = snapshot.filter_traces([tracemalloc.Filter(inclusive=True, filename_pattern="*/pipeline/*")])
    return sum(statistic.size for statistic in ours.statistics("filename"))


def test_a_manifest_is_read_lazily(desk: Path) -> None:
    path = desk / "lazy.csv"
    path.write_text("id,image,audio\na,face.png,voice.wav\n")
    reader = RowReader(
        path, catalogue=builtin_catalogue(), template="{id}.mp4", looks=LOOKS, problems=Problems("lazy.csv")
    )

    rows = reader.rows()
    path.write_text("id,image,audio\nb,face.png,voice.wav\n")

    assert next(rows).id == "b"


def test_another_ending_is_refused_before_anything_is_read(desk: Path) -> None:
    with pytest.raises(UsageError):
        read_manifest(desk / "job.toml")
