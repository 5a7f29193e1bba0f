"""The tree of errors, and foreign text as one harmless line."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import errors
from pipeline.errors import (
    AvatarBatchError,
    BadMedia,
    ManifestError,
    Problem,
    RequestFailed,
    StopRun,
    Throttled,
    UsageError,
    one_line,
)

ALL = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def test_every_error_is_ours_and_public() -> None:
    assert all(issubclass(kind, AvatarBatchError) for kind in ALL.values())
    assert set(ALL) <= set(errors.__all__)
    assert errors.__all__ == sorted(errors.__all__, key=lambda name: (name.islower(), name))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for name, kind in ALL.items():
        assert name in (errors.__doc__ or "").split(), name
        assert kind.__doc__


@pytest.mark.parametrize(
    ("parent", "names"),
    [
        (UsageError, {"ConfigError", "ManifestError", "OutHeld", "StateRefused"}),
        (
            StopRun,
            {
                "KeyRefused",
                "OutOfCredits",
                "BudgetReached",
                "HoursOver",
                "NotConfirmed",
                "DiskFull",
                "StateBroken",
                "Unreachable",
            },
        ),
        (RequestFailed, {"NotSent", "Throttled", "ServerTrouble", "RowRefused", "GenerationUnknown", "UnknownFate"}),
        (BadMedia, set()),
    ],
)
def test_a_remedy_has_its_place(parent: type[AvatarBatchError], names: set[str]) -> None:
    assert {name for name, kind in ALL.items() if kind.__base__ is parent} == names


def test_what_a_request_says_is_cleaned() -> None:
    error = Throttled("too\x1b[31m many\n\u202e", request_id="r", retry_after_s=3.0)

    assert (str(error), error.request_id, error.retry_after_s) == ("too many", "r", 3.0)


def test_a_problem_says_where_and_which_row() -> None:
    assert str(Problem("job.csv", 7, "a", "id: is bad")) == "job.csv:7: row 'a': id: is bad"
    assert str(Problem("job.csv", 0, "", "no such file")) == "job.csv: no such file"
    assert str(Problem("a\nb.csv", 1, "\x1b[31m", "x\ny")).isprintable()


def test_a_manifest_error_holds_all_its_problems() -> None:
    error = ManifestError([Problem("j", 1, "", "a"), Problem("j", 2, "", "b")])

    assert (str(error), error.total) == ("j:1: a\nj:2: b", 2)
    assert ManifestError(error.problems, total=9).total == 9


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain words", "plain words"), ("  two\r\n lines\t ", "two lines"), ("\x1b[31mred\x1b[0m", "red"), ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"), ("a\x1bcb", "acb"), ("\x1b\x1b[31m[31mx", "[31mx"), ("a\x00b\x7fc\x9bd", "a b c d"),
        ("left\u202eright\u2066x\u2069", "left right x"), ("a\u2028b\u2029c\x85d", "a b c d"), ("zero\u200bwidth\ufeff", "zero width"), ("\ud800", ""),
        ("é ü 名 \U0001f600", "é ü 名 \U0001f600"), ("", ""),
    ],
)  # fmt: skip
def test_a_line_is_freed_of_what_could_do_harm(text: str, clean: str) -> None:
    assert one_line(text) == clean


def test_a_line_is_cut_with_a_sign() -> None:
    assert one_line("x" * 501) == "x" * 499 + "…"
    assert one_line("x" * 500) == "x" * 500
    assert one_line("abcdef", 3) == "ab…"
    assert len(one_line("y" * 50_000_000)) == 500


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["\x1b", "[", "]", "31m", "\x07", "\\", "a", ";", " ", "\u202e", "\u061c", "\x9b", "0"]),
        max_size=20,
    ).map("".join),
    st.integers(1, 80),
)
@example("soft\xadhyphen", 80)
@example("\u061cabc", 80)
@example("tag\U000e0041\U000e007f", 80)
@example("\ufff9a\ufffb\ufffe", 80)
@example("private\ue000", 80)
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)

    assert line.isprintable()
    assert len(line) <= limit
    assert line == line.strip()
    assert one_line(line, limit) == line
