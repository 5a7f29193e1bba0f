"""YAML manifests: what is read, what is refused, and on which line."""

from __future__ import annotations

import textwrap
import time

import pytest

from pipeline.errors import Problem
from tests.unit.making import AVATAR_PRO
from tests.unit.manifest.conftest import Read

HEAD = "version: 1\nrows:\n"
FIRST = "- {image: face.png, audio: voice.wav}\n"


def said(problems: list[Problem]) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.row, problem.text) for problem in problems]


def the_only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{id: a, image: face.png, audio: [1, 2]}", "audio: expected text, got a list or a mapping: quote it"),
        ("{id: a, image: face.png, audio: *nobody}", "alias *nobody: only text may be repeated so; use defaults:"),
        ("{image: face.png, audio: !!binary x}", "YAML tag 'tag:yaml.org,2002:binary': tags are not read, remove it"),
        ("{image: face.png, Audio: voice.wav}", "unknown field 'Audio': did you mean audio?"),
        ("{ID: a, image: face.png, audio: voice.wav}", "unknown field 'ID': did you mean id?"),
        ('{image: face.png, audio: voice.wav, Meta Name: Nora, prompt: "{meta_name}"}', "unknown field 'Meta Name': did you mean meta_name?"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(read: Read, row: str, told: str) -> None:
    rows, problems = read(HEAD + f"- {row}\n")

    assert not rows
    assert the_only(problems).text == told


def test_one_mistake_in_the_defaults_is_one_problem(read: Read) -> None:
    defaults = "version: 1\ndefaults: {image: [face.png]}\nrows:\n"

    assert the_only(read(defaults + "- {id: a, audio: voice.wav}\n- {id: b, audio: voice.wav}\n")[1]).line == 2
    assert len(read(defaults + "- {id: a, image: gone.png, audio: voice.wav}\n")[1]) == 2, "the row's own is another"


# --- what is read ------------------------------------------------------------------------------------------------


def test_a_row_of_two_files_is_enough(read: Read) -> None:
    rows, problems = read(HEAD + FIRST)

    assert not problems
    (row,) = rows
    assert (row.id, row.model, row.output, row.prompt, row.provider) == ("voice", AVATAR_PRO, "voice.mp4", "", "")
    assert row.image.endswith("/face.png")
    assert row.voice_s == 2.5
    assert row.estimated_usd == pytest.approx(2.5 * 0.12075)
    assert row.image_stamp
    assert row.audio_stamp


def test_defaults_lie_under_each_row_and_a_row_overrides_them(read: Read) -> None:
    rows, problems = read(
        textwrap.dedent("""\
        version: 1
        defaults:
          image: face.png
          audio: voice.wav
          prompt: "Hello {meta_name}"
          meta_name: all
        rows:
          - id: a
          - {id: b, meta_name: you}
          - id: c
            prompt: "Bye {id}"
        """)
    )

    assert not problems
    assert [row.prompt for row in rows] == ["Hello all", "Hello you", "Bye c"]
    assert rows[1].meta == {"meta_name": "you"}


@pytest.mark.parametrize("nothing", ["", "~", "null", "NULL"])
def test_an_empty_value_hides_a_default(read: Read, nothing: str) -> None:
    rows, problems = read(
        f"version: 1\ndefaults: {{image: face.png, audio: voice.wav, prompt: smile}}\nrows:\n- id: a\n  prompt: {nothing}\n"
    )

    assert not problems
    assert rows[0].prompt == ""


def test_a_quoted_null_is_text(read: Read) -> None:
    rows, _ = read(HEAD + '- {image: face.png, audio: voice.wav, prompt: "null"}\n')

    assert rows[0].prompt == "null"


def test_text_may_be_repeated_by_an_alias(read: Read) -> None:
    rows, problems = read(
        HEAD + "- {id: a, image: &face face.png, audio: voice.wav}\n- {id: b, image: *face, audio: voice.wav}\n"
    )

    assert not problems
    assert rows[0].image == rows[1].image


@pytest.mark.parametrize("text", ["007", "1e3", "0x1F", "true", "1:30", "2026-11-22", "_-."])
def test_an_id_is_the_text_as_it_stands(read: Read, text: str) -> None:
    rows, problems = read(HEAD + f"- {{id: {text}, image: face.png, audio: voice.wav}}\n")

    if ":" in text:
        assert the_only(problems).text.startswith("id: '1:30'")
    else:
        assert [row.id for row in rows] == [text]


def test_options_are_typed_and_reach_the_row(read: Read) -> None:
    rows, problems = read(
        HEAD
        + textwrap.dedent("""\
        - image: face.png
          audio: voice.wav
          options:
            seed: 7
            scale: 0.5
            fast: true
            name: "7"
            tags: [a, 1]
            more: {deep: null}
            day: 2026-11-22
        """)
    )

    assert not problems
    assert rows[0].options == {
        "seed": 7, "scale": 0.5, "fast": True, "name": "7", "tags": ["a", 1], "more": {"deep": None}, "day": "2026-11-22",
    }  # fmt: skip


def test_a_byte_order_mark_and_other_line_ends_are_read(read: Read) -> None:
    rows, problems = read(b"\xef\xbb\xbf" + (HEAD + FIRST).replace("\n", "\r\n").encode())

    assert not problems
    assert len(rows) == 1


def test_links_are_taken_unfetched(read: Read) -> None:
    rows, problems = read(
        HEAD + "- {image: https://example.com/a.png, audio: 'HTTP://example.com/x%20y.mp3?a=1', id: l}\n"
    )

    assert not problems
    (row,) = rows
    assert (row.voice_s, row.estimated_usd, row.image_stamp, row.audio_stamp) == (None, None, "", "")
    assert row.audio_digest == row.audio


def test_a_row_is_named_after_its_link(read: Read) -> None:
    rows, problems = read(HEAD + "- {image: face.png, audio: https://example.com/a/Take%2D1.final.mp3?x=/b.wav}\n")

    assert not problems
    assert rows[0].id == "Take-1.final"


# --- the form of the file ----------------------------------------------------------------------------------------

FORM = {
    "empty": ("", 0, "expected `version: 1`"),
    "only a comment": ("# nothing\n\n", 0, "expected `version: 1`"),
    "a list": ("- a\n", 1, "expected `version: 1`"),
    "a word": ("\n\nhello\n", 3, "expected `version: 1`"),
    "no version": ("rows:\n" + FIRST, 1, "version: is missing"),
    "another version": ("rows:\n" + FIRST + "version: 2\n", 3, "this program reads version 1"),
    "no rows": ("version: 1\n", 1, "rows: is missing"),
    "rows of a word": ("version: 1\nrows: many\n", 2, "rows: expected a list"),
    "rows empty": ("version: 1\nrows: []\n", 0, "has no rows"),
    "rows null": ("version: 1\nrows:\n", 2, "rows: expected a list"),
    "a row of a word": (HEAD + FIRST + "- hello\n", 4, "expected a row of fields"),
    "an unknown key": ("version: 1\nrow: 3\nrows:\n" + FIRST, 2, "unknown key 'row'"),
    "rows twice": (HEAD + FIRST + "rows: []\n", 4, "rows: stands twice (first on line 2)"),
    "defaults too late": (HEAD + FIRST + "defaults: {prompt: a}\n", 4, "defaults: must stand before rows"),
    "defaults of a word": ("version: 1\ndefaults: x\nrows:\n" + FIRST, 2, "defaults: expected fields"),
    "an id in the defaults": (
        "version: 1\ndefaults: {id: x}\nrows:\n- {image: face.png, audio: voice.wav}\n", 2, "an id belongs to a row",
    ),
    "a field twice": (HEAD + "- image: face.png\n  audio: voice.wav\n  image: face.png\n", 5, "image: stands twice (first on line 3)"),
    "an unknown field": (HEAD + "- image: face.png\n  audio: voice.wav\n  promt: x\n", 5, "unknown field 'promt': did you mean prompt?"),
    "a nameless meta": (HEAD + "- {image: face.png, audio: voice.wav, meta_: x}\n", 3, "unknown field 'meta_'"),
    "a merge": (HEAD + "- {<<: {prompt: x}, image: face.png, audio: voice.wav}\n", 3, "unknown field '<<'"),
    "text that is a list": (HEAD + "- {image: [face.png], audio: voice.wav, id: a}\n", 3, "image: expected text"),
    "a key that is a list": (HEAD + "- {[a]: b, image: face.png, audio: voice.wav}\n", 3, "a field's name must be text"),
    "options of a word": (HEAD + "- {options: fast, image: face.png, audio: voice.wav}\n", 3, "options: expected fields"),
    "a second document": (HEAD + FIRST + "---\nversion: 1\n", 4, "a second YAML document"),
    "an open bracket": (HEAD + FIRST + "- {image: face.png\n", 5, "isn't valid YAML"),
    "a tab for indentation": (HEAD + "- image: face.png\n\taudio: voice.wav\n", 4, "isn't valid YAML"),
    "an unknown alias": (HEAD + "- {image: *nobody, audio: voice.wav, id: a}\n", 3, "alias *nobody"),
    "an unknown directive": ("%YAML 9.9\n---\n" + HEAD + FIRST, 1, "isn't valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line", "words"), FORM.values(), ids=FORM)
def test_a_fault_of_form_is_told_with_its_line(read: Read, content: str, line: int, words: str) -> None:
    _, problems = read(content)

    assert any(words in problem.text and problem.line == line for problem in problems), said(problems)


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!int 3", "!mine x", "! x", "!!set {a}"],
)
def test_a_tag_is_refused_and_nothing_made_of_it(read: Read, tag: str) -> None:
    rows, problems = read(HEAD + FIRST + f"- id: a\n  image: face.png\n  audio: voice.wav\n  prompt: {tag}\n")

    assert (problems[0].line, "tags are not read" in problems[0].text) == (7, True), said(problems)
    assert len(rows) >= 1


def test_a_tag_on_the_rows_is_told_once(read: Read) -> None:
    _, problems = read("version: 1\nrows: !!python/tuple\n" + FIRST)

    assert [problem.line for problem in problems] == [2]
    assert "tags are not read" in problems[0].text


def test_an_alias_bomb_costs_nothing(read: Read) -> None:
    bomb = "version: 1\ndefaults:\n  meta_a: &a [x,x,x,x,x,x,x,x,x]\n"
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"  meta_{name}: &{name} [{', '.join(['*' + inner] * 9)}]\n"

    _, problems = read(bomb + "rows:\n- {id: a, image: face.png, audio: voice.wav, prompt: *i}\n")

    assert any("alias *a: only text may be repeated" in problem.text for problem in problems)


@pytest.mark.parametrize("depth", [10, 200, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")], ids=["lists", "mappings"])
def test_deep_nesting_is_refused_on_its_line(read: Read, depth: int, opening: str, closing: str) -> None:
    before = time.process_time()

    _, problems = read(HEAD + f"- id: a\n  options: {{x: {opening * depth}{closing * depth}}}\n")

    assert time.process_time() - before < 1.0, "the parser is quadratic in the depth, so it must be stopped"
    assert problems
    assert {problem.line for problem in problems if "nested" in problem.text or "YAML" in problem.text} == {4}, said(
        problems[:3]
    )


# --- the text ----------------------------------------------------------------------------------------------------

TEXTS = {
    "Latin-1": (HEAD.encode() + b"- {image: face.png, audio: voice.wav, prompt: caf\xe9}\n", 3, "isn't UTF-8 (byte 0xe9"),
    "UTF-16 with BOM": ((HEAD + FIRST).encode("utf-16"), 1, "is UTF-16 text: save it as UTF-8"),
    "UTF-16 without BOM": ((HEAD + FIRST).encode("utf-16-le"), 1, "control character U+0000"),
    "UTF-32": ((HEAD + FIRST).encode("utf-32"), 1, "save it as UTF-8"),
    "a surrogate": (HEAD.encode() + b"- {prompt: \xed\xa0\x80}\n", 3, "isn't UTF-8"),
    "a NUL": (HEAD.encode() + b"- {prompt: a\x00b}\n", 3, "control character U+0000 at column 13"),
    "an escape": (HEAD.encode() + b"- {prompt: \x1b[31mred}\n", 3, "control character U+001B"),
    "a C1 control": ((HEAD + "- {prompt: a\x90b}\n").encode(), 3, ""),
    "zip": (b"PK\x03\x04" + bytes(200), 1, "control character"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), 1, "isn't UTF-8"),
    "a line without end": (HEAD.encode() + b"- {prompt: '" + b"x" * (1 << 20), 3, "a line of more than 1,048,576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line", "words"), TEXTS.values(), ids=TEXTS)
def test_what_is_not_clean_utf_8_is_told_with_its_line(read: Read, content: bytes, line: int, words: str) -> None:
    _, problems = read(content)

    assert [problem.line for problem in problems] == [line], said(problems)
    assert words in problems[0].text


@pytest.mark.parametrize("name", [name for name, (_, line, _) in TEXTS.items() if line == 1])
def test_no_other_kind_of_file_is_taken_for_csv(read: Read, name: str) -> None:
    content, line, words = TEXTS[name]

    _, problems = read(content, "job.csv")

    assert [problem.line for problem in problems] == [line], said(problems)
    assert words in problems[0].text


def test_what_stands_before_a_broken_line_is_told_too(read: Read) -> None:
    content = (
        HEAD.encode()
        + b"- {id: a, image: none.png, audio: voice.wav}\n"
        + b"- {id: b, image: face.png, audio: voice.wav, prompt: caf\xe9}\n"
    )

    _, problems = read(content)

    assert [problem.line for problem in problems] == [3, 4], said(problems)


def test_all_problems_are_listed_at_once_in_file_order(read: Read) -> None:
    _, problems = read(
        textwrap.dedent("""\
        version: 2
        defaults: {image: face.png}
        rows:
          - id: a/b
            audio: voice.wav
          - id: twice
            audio: gone.wav
            model: nobody/knows
          - id: twice
            audio: file:///etc/passwd
            prompt: "{nothing}"
            what: x
          - just words
        """)
    )

    lines = [(problem.line, problem.row, problem.text.partition(":")[0]) for problem in problems]
    assert lines == [
        (1, "", "version"), (4, "a/b", "id"), (7, "twice", "audio"), (8, "twice", "model"), (9, "twice", "id"),
        (10, "", "audio"), (11, "", "prompt"), (12, "", "unknown field 'what'"), (13, "", "expected a row of fields, such as `- image"),
    ]  # fmt: skip
