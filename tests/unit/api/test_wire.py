"""What answers mean, by table. Every answer here was seen, is documented, or is what a broken server could say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pipeline.api import books, pieces, wire
from pipeline.api.books import decipher_balance, decipher_charges, decipher_log_page
from pipeline.api.ids import client_request_id_prefix, generation_ids_to_try, new_client_request_id
from pipeline.api.wire import Accepted, decipher_retrieve, decipher_submit
from pipeline.errors import (
    AvatarBatchError,
    GenerationUnknown,
    KeyRefused,
    OutOfCredits,
    RequestFailed,
    RowRefused,
    ServerTrouble,
    Throttled,
    UnknownFate,
)

GID = "2baf5bc0-1111-2222-3333-444455556666:klingai/avatar-pro"
PROBLEM = {
    "title": "Bad Request",
    "status": 400,
    "message": "Invalid payload",
    "error": {"name": "ValidationError", "message": "Expected string, received number"},
}
LEGACY = {
    "message": "Too many requests",
    "path": "/v2/video/generations",
    "requestId": "r",
    "statusCode": "429",
    "timestamp": "t",
}
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"


def answer(body: Any = b"", **headers: str) -> tuple[CIMultiDict[str], bytes]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()}), content


# --- submit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_taken_submit_tells_its_id_and_its_cost(status: int) -> None:
    headers, body = answer(
        {"id": GID, "status": "queued", "meta": {"usage": {"credits_used": 1_207_500}}}, X_Request_Id="r-1"
    )

    assert decipher_submit(status, headers, body) == Accepted(GID, 0.60375, "r-1")


TAKEN: dict[str, tuple[Any, dict[str, str], str, float | None]] = {
    "older names": ({"generation_id": GID, "meta": {"usage": {"tokens_used": 2_000_000}}}, {}, GID, 1.0),
    "both names": ({"id": "new", "generation_id": "old"}, {}, "new", None),
    "an id in the header only": (b"{}", {"x_inference_id": GID}, GID, None),
    "an id in the header of a broken body": (b'{"id": "2baf', {"x_inference_id": GID}, GID, None),
    "an id in the header of a page": (HTML, {"X_Inference_Id": GID}, GID, None),
    "no body at all": (b"", {"x_inference_id": GID}, GID, None),
    "cost in USD in the header": ({"id": "g"}, {"x_aimlapi_usd_spent": "0.6"}, "g", 0.6),
    "cost in credits in the header": ({"id": "g"}, {"x_aimlapi_credits_used": "1000000"}, "g", 0.5),
    "USD before credits": ({"id": "g"}, {"x_aimlapi_credits_used": "1000000", "x_aimlapi_usd_spent": "0.7"}, "g", 0.7),
    "the body's cost before the header's": ({"id": "g", "meta": {"usage": {"credits_used": 2}}}, {"x_aimlapi_usd_spent": "9"}, "g", 0.000001),
    "free of charge": ({"id": "g", "meta": {"usage": {"credits_used": 0}}}, {"x_aimlapi_usd_spent": "9"}, "g", 0.0),
    "an empty id and a header": ({"id": ""}, {"x_inference_id": "h"}, "h", None),
    "a number for an id and a header": ({"id": 7}, {"x_inference_id": "h"}, "h", None),
}  # fmt: skip
for _name, _cost in {
    "null": None, "text": "12", "negative": -1, "true": True, "absurd": 1e30, "a list": [1],
}.items():  # fmt: skip
    TAKEN[f"a cost of {_name}"] = ({"id": "g", "meta": {"usage": {"credits_used": _cost}}}, {}, "g", None)
METAS: dict[str, Any] = {
    "null": None,
    "text": "x",
    "a list": [],
    "usage null": {"usage": None},
    "usage text": {"usage": "x"},
}
for _name, _meta in METAS.items():
    TAKEN[f"meta {_name}"] = ({"id": "g", "meta": _meta}, {}, "g", None)
for _header in ("nan", "inf", "-1", "", "1e99", "free"):
    TAKEN[f"a header cost of {_header!r}"] = ({"id": "g"}, {"x_aimlapi_usd_spent": _header}, "g", None)


@pytest.mark.parametrize(("body", "headers", "generation_id", "cost"), TAKEN.values(), ids=TAKEN)
def test_an_id_is_found_wherever_it_stands(
    body: Any, headers: dict[str, str], generation_id: str, cost: float | None
) -> None:
    accepted = decipher_submit(200, *answer(body, **headers))

    assert (accepted.generation_id, accepted.cost_usd) == (generation_id, cost)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b'"id"', b"{", b'{"id": "x"', HTML, {"id": None}, {"id": 7}, {"id": ""}, {"id": "a b"}, {"id": "a\nb"}, {"id": "\u202eevil"},
        {"id": "x" * 513}, {"id": "\x1b[31m"}, {"status": "queued"}, b"\xff\xfe", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_success_without_an_id_is_an_unknown_fate(body: Any) -> None:
    with pytest.raises(UnknownFate, match="holds no id") as caught:
        decipher_submit(200, *answer(body, x_request_id="r-9"))

    assert caught.value.request_id == "r-9"


SUBMIT_REFUSED: list[tuple[int, type[AvatarBatchError]]] = [
    (400, RowRefused), (405, RowRefused), (409, RowRefused), (413, RowRefused), (415, RowRefused), (422, RowRefused), (451, RowRefused),
    (401, KeyRefused), (402, OutOfCredits), (403, OutOfCredits), (429, Throttled), (425, Throttled), (404, ServerTrouble),
    (301, ServerTrouble), (302, ServerTrouble), (307, ServerTrouble), (308, ServerTrouble), (304, ServerTrouble), (500, ServerTrouble), (503, ServerTrouble),
    (502, UnknownFate), (504, UnknownFate), (408, UnknownFate), (501, UnknownFate), (520, UnknownFate), (524, UnknownFate), (599, UnknownFate),
]  # fmt: skip
BODIES = {
    "problem": (PROBLEM, "ValidationError: Expected string, received number"), "legacy": (LEGACY, "Too many requests"), "page": (HTML, "502 Bad Gateway"),
    "nothing": (b"", "HTTP"), "text": (b"upstream is gone", "upstream is gone"), "a title": ({"title": "Teapot"}, "Teapot"),
    "an error of text": ({"error": "no such thing"}, "no such thing"), "messages": ({"message": ["one", "two"]}, "one; two"),
    "a name": ({"error": {"name": "ModerationError"}}, "ModerationError"),
    "a message that names it": ({"error": {"name": "Oops", "message": "oops: all"}}, "oops: all"), "a page without title": (b"<h1>Gone</h1> <p>away", "Gone away"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), SUBMIT_REFUSED)
@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_a_submit_that_was_not_taken_has_its_remedy_and_says_why(
    status: int, kind: type[AvatarBatchError], body: Any, words: str
) -> None:
    with pytest.raises(AvatarBatchError) as caught:
        decipher_submit(status, *answer(body, x_request_id="r-1"))

    assert type(caught.value) is kind
    assert words in str(caught.value)
    if isinstance(caught.value, RequestFailed):
        assert caught.value.request_id == "r-1"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None), ({"retry_after": "7"}, 7.0), ({"retry_after": "0"}, 0.0), ({"ratelimit_reset": "3"}, 3.0), ({"x_ratelimit_reset": "2.5"}, 2.5),
        ({"retry_after": "1", "ratelimit_reset": "9"}, 1.0), ({"retry_after": "soon"}, None), ({"retry_after": "-1"}, None), ({"retry_after": "nan"}, None),
        ({"retry_after": "1e9"}, None), ({"x_ratelimit_reset": "1800000000"}, None), ({"retry_after": "x", "ratelimit_reset": "4"}, 4.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry_after": "Wednesday, 21-Oct-26 07:28:30 GMT", "date": "Wed Oct 21 07:28:00 2026"}, 30.0),
        ({"retry_after": "Sat, 24 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry_after": "Wed, 21 Oct 2026 27:28:30 GMT", "date": "x", "ratelimit_reset": "4"}, 4.0),
    ],
)  # fmt: skip
def test_a_wait_that_the_server_asks_for_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    for decipher in (decipher_submit, decipher_retrieve, decipher_log_page):
        with pytest.raises(Throttled) as caught:
            decipher(429, *answer(LEGACY, **headers))
        assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, None), ({"retry_after": "7"}, 7.0), ({"ratelimit_reset": "3"}, None)]
)
def test_a_server_in_trouble_may_ask_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    for decipher in (decipher_submit, decipher_retrieve, decipher_log_page):
        with pytest.raises(ServerTrouble) as caught:
            decipher(503, *answer(LEGACY, **headers))
        assert caught.value.retry_after_s == seconds


def test_a_date_without_the_servers_clock_is_held_against_ours() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    with pytest.raises(Throttled) as caught:
        decipher_submit(429, *answer(LEGACY, retry_after=soon))
    assert caught.value.retry_after_s == pytest.approx(60, abs=5)


# --- retrieve ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["queued", "generating", "waiting", "active", "QUEUED"])
def test_a_known_word_means_rendering(word: str) -> None:
    generation = decipher_retrieve(
        200, *answer({"id": GID, "status": word, "video": None, "error": None, "meta": None})
    )

    assert (generation.state, generation.word_is_known, generation.url, generation.error) == (
        "rendering",
        True,
        None,
        None,
    )


@pytest.mark.parametrize("word", ["dreaming", "processing", "\x1b[2Jx", "x" * 500, "completed?"])
def test_an_unknown_word_means_not_finished_yet(word: str) -> None:
    generation = decipher_retrieve(200, *answer({"status": word}))

    assert (generation.state, generation.word_is_known) == ("rendering", False)
    assert generation.status.isprintable()
    assert len(generation.status) <= 40


@pytest.mark.parametrize(
    ("more", "url", "cost"),
    [
        ({"video": {"url": "https://cdn.example.com/a.mp4"}, "meta": {"usage": {"credits_used": 1_000_000}}}, "https://cdn.example.com/a.mp4", 0.5),
        ({"video": {"url": "u"}, "meta": {"usage": {"tokens_used": 2_000_000}}}, "u", 1.0), ({"video": {"url": "u"}}, "u", None), ({"video": None}, None, None),
        ({"video": {"url": " https://c.example/a%20b/früh am\tTag.mp4?x=1&y=a+b#z "}}, "https://c.example/a%20b/fr%C3%BCh%20am%09Tag.mp4?x=1&y=a+b#z", None),
        ({"video": {"url": ""}}, None, None), ({"video": {"url": "u" * 9000}}, None, None), ({"video": {"url": 3}}, None, None), ({"video": "u"}, None, None), ({}, None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["completed", "succeeded", "Completed"])
def test_a_finished_generation_has_its_link_if_there_is_one(
    more: dict[str, Any], url: str | None, cost: float | None, word: str
) -> None:
    generation = decipher_retrieve(200, *answer({"status": word, **more}))

    assert (generation.state, generation.url, generation.cost_usd) == ("completed", url, cost)
    assert generation.word_is_known


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"name": "ModerationError", "message": "The picture was refused"}, "ModerationError: The picture was refused"),
        ({"message": "no face"}, "no face"), ({"name": "Timeout"}, "Timeout"), (None, "the API gave no reason"), ({}, "the API gave no reason"), ([], "the API gave no reason"),
        ({"message": "\x1b[31mred\x1b[0m\nline \u202e"}, "red line"), ("out of luck", "out of luck"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["error", "failed", "ERROR"])
def test_a_failed_generation_says_why(error: Any, words: str, word: str) -> None:
    generation = decipher_retrieve(200, *answer({"status": word, "error": error, "video": None}))

    assert (generation.state, generation.error) == ("error", words)


@pytest.mark.parametrize(
    ("said", "notes"),
    [
        (["face not found"], ("face not found",)), (["one", "two", "one"], ("one", "two")), ([], ()), (None, ()),
        ("face not found", ()), ({"0": "note"}, ()), (3, ()), ([None, 3, ["deep"], {"a": "b"}, "kept", "", " \n"], ("kept",)),
        (["\x1b[31mred\x1b[0m\nline \u202e\x00"], ("red line",)), ([str(number) for number in range(10_000)], tuple("01234567")),
        (["\ud800 lone"], ("� lone",)),
    ],
)  # fmt: skip
def test_notes_are_a_few_clean_lines_whatever_is_sent(said: Any, notes: tuple[str, ...]) -> None:
    body = {"status": "completed", "video": {"url": "u"}, "meta": {"usage": {"credits_used": 1_000_000}, "notes": said}}

    generation = decipher_retrieve(200, *answer(body))

    assert (generation.url, generation.cost_usd, generation.notes) == ("u", 0.5, notes)


def test_a_huge_note_is_cut_and_a_deep_answer_is_none() -> None:
    body = {"status": "completed", "video": {"url": "u"}, "meta": {"notes": ["x" * 10_000_000]}}
    (note,) = decipher_retrieve(200, *answer(body)).notes
    assert len(note) == pieces.MOST_NOTE_CHARS

    deep = b'{"status": "completed", "meta": {"notes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with pytest.raises(ServerTrouble):  # asked for again, as any answer that can't be read
        decipher_retrieve(200, {}, deep)


@pytest.mark.parametrize("meta", [None, [], "notes", {"notes": {"notes": ["x"]}}, ["notes"]])
def test_a_strange_meta_has_no_notes(meta: Any) -> None:
    assert decipher_retrieve(200, *answer({"status": "completed", "video": {"url": "u"}, "meta": meta})).notes == ()


QUESTIONS: list[tuple[int, type[AvatarBatchError]]] = [
    (401, KeyRefused), (402, OutOfCredits), (403, OutOfCredits), (429, Throttled), (400, ServerTrouble), (405, ServerTrouble), (301, ServerTrouble),
    (304, ServerTrouble), (500, ServerTrouble), (502, ServerTrouble), (503, ServerTrouble), (504, ServerTrouble), (408, ServerTrouble),
]  # fmt: skip
ASKED: dict[str, Callable[..., Any]] = {
    "retrieve": decipher_retrieve, "log": decipher_log_page, "balance": decipher_balance, "ledger": decipher_charges,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), QUESTIONS)
@pytest.mark.parametrize("decipher", ASKED.values(), ids=ASKED)
def test_a_question_is_asked_again_but_for_money_and_keys(
    status: int, kind: type[AvatarBatchError], decipher: Callable[..., Any]
) -> None:
    for body in (PROBLEM, LEGACY, HTML, b""):
        with pytest.raises(AvatarBatchError) as caught:
            decipher(status, *answer(body))
        assert type(caught.value) is kind


@pytest.mark.parametrize("body", [b"", b"[]", b"{", HTML, b"null", b"{}"])
@pytest.mark.parametrize("decipher", ASKED.values(), ids=ASKED)
def test_an_answer_that_can_not_be_read_is_asked_for_again(body: bytes, decipher: Callable[..., Any]) -> None:
    with pytest.raises(ServerTrouble):
        decipher(200, *answer(body))


@pytest.mark.parametrize(
    "body", [{"id": GID}, {"status": None}, {"status": 3}, {"status": ""}, {"status": ["completed"]}]
)
def test_an_answer_without_a_status_is_asked_for_again(body: Any) -> None:
    with pytest.raises(ServerTrouble, match="names no status"):
        decipher_retrieve(200, *answer(body))


@pytest.mark.parametrize("body", [PROBLEM, LEGACY, HTML, b""])
def test_404_means_that_the_id_is_not_known(body: Any) -> None:
    with pytest.raises(GenerationUnknown):
        decipher_retrieve(404, *answer(body))


# --- the usage log, the balance ----------------------------------------------------------------------------------


def test_a_page_of_the_log_is_read() -> None:
    line = {
        "created": "2026-11-22T08:00:00Z", "status": "succeeded", "model": "m", "cost": {"usd": 0.6, "credits": 1_200_000}, "request_id": "r",
        "inference_id": GID, "client_request_id": "c-1",
    }  # fmt: skip
    page = decipher_log_page(
        200,
        *answer(
            {
                "data": [line, line | {"status": "failed", "client_request_id": "c-2", "cost": None}],
                "pagination": {"has_more": True},
            }
        ),
    )

    assert page.has_more
    assert [(entry.client_request_id, entry.inference_id, entry.failed, entry.cost_usd) for entry in page.entries] == [
        ("c-1", GID, False, 0.6),
        ("c-2", GID, True, None),
    ]


@pytest.mark.parametrize("data", [[], [None], ["x"], [3, []]])
def test_lines_that_are_none_are_passed_over(data: list[Any]) -> None:
    assert decipher_log_page(200, *answer({"data": data, "pagination": {"has_more": False}})).entries == ()


def test_a_line_with_holes_is_a_line_with_holes() -> None:
    (entry,) = decipher_log_page(200, *answer({"data": [{"client_request_id": None, "cost": {"usd": "x"}}]})).entries

    assert (entry.client_request_id, entry.inference_id, entry.failed, entry.cost_usd, entry.created) == (
        "",
        "",
        False,
        None,
        "",
    )


@pytest.mark.parametrize(
    ("pagination", "more"),
    [({"has_more": True}, True), ({"has_more": "true"}, False), ({}, False), (None, False), ([], False)],
)
def test_more_is_only_believed_when_it_is_said(pagination: Any, more: bool) -> None:
    assert decipher_log_page(200, *answer({"data": [], "pagination": pagination})).has_more is more


@pytest.mark.parametrize("data", [None, {}, "x", 3])
def test_a_log_without_a_list_is_trouble(data: Any) -> None:
    with pytest.raises(ServerTrouble, match="no list"):
        decipher_log_page(200, *answer({"data": data, "x": 1}))


LINES: dict[str, tuple[Any, list[float]]] = {
    "taken": ({"amount": {"usd": -0.6, "credits": -1_200_000}}, [0.6]), "given back": ({"amount": {"usd": 0.6}}, [-0.6]),
    "credits only": ({"amount": {"credits": -1_200_000}}, [0.6]), "a number": ({"amount": -2}, [2]), "a cost": ({"cost": {"usd": 0.6}}, [0.6]),
    "no amount": ({}, []), "text": ({"amount": "1"}, []), "true": ({"amount": True}, []), "text in it": ({"amount": {"credits": "many"}}, []),
    "null in it": ({"amount": {"usd": None, "credits": None}}, []),
}  # fmt: skip


@pytest.mark.parametrize(("line", "usd"), LINES.values(), ids=LINES)
@pytest.mark.parametrize("name", ["data", "transactions", "items"])
def test_a_line_of_the_ledger_tells_what_was_taken(name: str, line: dict[str, Any], usd: list[float]) -> None:
    page = decipher_charges(200, *answer({name: [line | {"reference_id": GID, "created": "t"}, None, "x"]}))

    assert [charge.usd for charge in page.charges] == pytest.approx(usd)
    assert all((charge.reference_id, charge.created) == (GID, "t") for charge in page.charges)


@pytest.mark.parametrize(
    ("paging", "cursor"),
    [
        ({"pagination": {"next_cursor": "c", "has_more": True}}, "c"), ({"pagination": {"next_cursor": "c", "has_more": False}}, ""), ({"next_cursor": "c"}, "c"),
        ({"pagination": {"next_cursor": None}}, ""), ({"pagination": None}, ""), ({}, ""),
    ],
)  # fmt: skip
def test_the_ledger_s_next_page_is_known_by_its_cursor(paging: dict[str, Any], cursor: str) -> None:
    assert decipher_charges(200, *answer({"data": [], **paging})).cursor == cursor


@pytest.mark.parametrize(
    ("body", "usd"),
    [({"current_balance": 123.45, "currency": "USD"}, 123.45), ({"current_balance": "1"}, None), ({"x": 1}, None)],
)
def test_the_balance_is_told_where_there_is_one(body: Any, usd: float | None) -> None:
    assert decipher_balance(200, *answer(body)) == usd


# --- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inference_id", "tried"),
    [
        ("abc", ("abc", "abc:m/n")),
        ("abc:m/n", ("abc:m/n", "abc")),
        ("abc:other", ("abc:other", "abc:other:m/n")),
        ("abc:m/n:m/n", ("abc:m/n:m/n", "abc:m/n")),
    ],
)
def test_a_logged_id_is_tried_as_it_stands_then_with_and_without_its_suffix(
    inference_id: str, tried: tuple[str, ...]
) -> None:
    assert generation_ids_to_try(inference_id, "m/n") == tried


def test_correlation_ids_have_the_form_that_the_api_keeps_and_are_never_the_same() -> None:
    made = {new_client_request_id("1f2e3d4c") for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", text) for text in made)
    assert all(text.startswith(client_request_id_prefix("1f2e3d4c")) for text in made)


# --- foreign text ------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
known = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "id",
            "generation_id",
            "status",
            "video",
            "error",
            "message",
            "title",
            "meta",
            "data",
            "pagination",
            "current_balance",
        ),
        json_values,
    ),
)
bodies = (
    known.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=100)
    | st.text(max_size=50).map(lambda text: text.encode("utf-8", "replace"))
)


@given(
    status=st.integers(200, 599),
    body=bodies,
    headers=st.dictionaries(
        st.sampled_from(["x-request-id", "x-inference-id", "retry-after", "x-aimlapi-usd-spent"]), st.text(max_size=10)
    ),
)
def test_no_answer_gets_past_nouns_and_remedies(status: int, body: bytes, headers: dict[str, str]) -> None:
    for decipher in (decipher_submit, *ASKED.values()):
        try:
            said: object = decipher(status, headers, body)
        except AvatarBatchError as error:
            said = str(error)
        assert said is None or isinstance(
            said, str | float | wire.Accepted | wire.Generation | books.LogPage | books.ChargePage
        )
        if isinstance(said, str):
            assert not {"\n", "\x1b"} & set(said)
            assert len(said) < 700


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502])
def test_hostile_words_are_one_clean_line(status: int) -> None:
    words = "\x1b[2J\x1b]0;title\x07 one\r\ntwo\u202ethree \x9b31m " + "x" * 5000
    for body in (
        {"message": words},
        {"error": {"name": words, "message": words}},
        words.encode(),
        b"<title>" + words.encode() + b"</title>",
    ):
        with pytest.raises(AvatarBatchError) as caught:
            decipher_submit(status, *answer(body))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700
