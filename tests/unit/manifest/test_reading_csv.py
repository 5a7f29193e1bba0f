"""CSV manifests: what is read, what is refused, and on which line."""

from __future__ import annotations

import pytest

from pipeline.errors import Problem
from tests.unit.manifest.conftest import Read

GOOD = "id,image,audio,prompt\n"


def lines_and_texts(problems: list[Problem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.text) for problem in problems]


def test_a_header_and_a_line_a_row(read: Read) -> None:
    rows, problems = read(GOOD + 'a,face.png,voice.wav,"Hello, {id}"\nb, face.png ,voice.wav\n', "job.csv")

    assert not problems
    assert [(row.id, row.prompt) for row in rows] == [("a", "Hello, a"), ("b", "")]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_spreadsheets_save_is_read(read: Read, ends: str, mark: bytes) -> None:
    text = 'image,audio,meta_note\nface.png,voice.wav,"two\nlines"\n\n,,\nface.png,voice.mp3,x\n'

    rows, problems = read(mark + text.replace("\n", ends).encode(), "JOB.CSV")

    assert [problem.text for problem in problems] == [
        "id: 'voice' (from the audio file's name): give the row an id; line 2 has it already: ids are unique"
    ]
    assert [row.meta["meta_note"].split() for row in rows] == [["two", "lines"]]
    assert problems[0].line == 6


FAULTS = {
    "empty": ("", 0, "is empty: a header line"),
    "only blank lines": ("\n\n,,\n", 0, "is empty: a header line"),
    "only a header": (GOOD, 0, "has no rows"),
    "lines of an old Mac": ("id,image,audio\ra,face.png,voice.wav\r", 1, "lines that end in CR alone, as old Macs wrote them: save"),
    "semicolons": ("id;image;audio\na;face.png;voice.wav\n", 1, "separated by semicolons or tabs"),
    "tabs": ("id\timage\taudio\na\tface.png\tvoice.wav\n", 1, "separated by semicolons or tabs"),
    "an unknown column": ("id,image,audio,promt\na,face.png,voice.wav,x\n", 1, "unknown column 'promt': did you mean prompt?"),
    "a nameless column": ("id,image,,audio\na,face.png,x,voice.wav\n", 1, "a column without a name"),
    "options": ("id,image,audio,options\na,face.png,voice.wav,{}\n", 1, "extra body fields need a YAML manifest"),
    "a column twice": ("id,image,audio,id\na,face.png,voice.wav,b\n", 1, "column 'id' stands twice"),
    "too many cells": (GOOD + "a,face.png,voice.wav,Hello, world\n", 2, "5 cells under 4 columns: quote a cell"),
    "no picture": (GOOD + "\na,,voice.wav,x\n", 3, "image: is missing"),
    "an unknown model": ("id,image,audio,model\na,face.png,voice.wav,kling\n", 2, "unknown model 'kling'"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line(read: Read, content: str, line: int, words: str) -> None:
    _, problems = read(content, "job.csv")

    assert len(problems) == 1, lines_and_texts(problems)
    assert (problems[0].line, words in problems[0].text) == (line, True), lines_and_texts(problems)


def test_an_open_quote_is_told_where_it_opens(read: Read) -> None:
    content = GOOD + 'a,face.png,voice.wav,ok\nb,face.png,voice.wav,"open\n' + "c,face.png,voice.wav,ok\n" * 3

    _, problems = read(content, "job.csv")

    assert [problem.line for problem in problems] == [3], lines_and_texts(problems)
    assert "check the quotes" in problems[0].text


def test_a_cell_of_absurd_size_is_a_problem(read: Read) -> None:
    _, problems = read(GOOD + "a,face.png,voice.wav," + "x" * 200_000 + "\n", "job.csv")

    assert [problem.line for problem in problems] == [2], lines_and_texts(problems)


def test_rows_are_checked_under_a_header_with_a_fault(read: Read) -> None:
    _, problems = read("id,image,audio,promt\na,face.png,voice.wav,x\nb,gone.png,voice.wav,x\n", "job.csv")

    assert [problem.line for problem in problems] == [1, 3], lines_and_texts(problems)


def test_a_header_in_another_spelling_is_told_once_and_not_for_every_row(read: Read) -> None:
    header = "ID,Image,AUDIO,Prompt,Meta Name\n"

    rows, problems = read((header + '1,face.png,voice.wav,"Hi {meta_name}",Nora\n' * 3).encode(), "job.csv")

    assert not rows
    assert [text.rpartition(" mean ")[2] for _, text in lines_and_texts(problems)] == [
        "id?", "image?", "audio?", "prompt?", "meta_name?",
    ]  # fmt: skip


def test_a_column_that_is_there_besides_is_not_excused(read: Read) -> None:
    _, problems = read(b"id,Image,image,audio\na,face.png,,voice.wav\n", "job.csv")

    assert [line for line, _ in lines_and_texts(problems)] == [1, 2]


def test_a_quoted_line_break_does_not_shift_the_lines(read: Read) -> None:
    content = GOOD + 'a,face.png,voice.wav,"one\ntwo\n\nfour"\n\nb,gone.png,voice.wav,\n'

    rows, problems = read(content, "job.csv")

    assert [row.prompt for row in rows] == ["one\ntwo\n\nfour"]
    assert [problem.line for problem in problems] == [7]
