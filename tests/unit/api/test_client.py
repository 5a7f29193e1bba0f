"""The client over a mocked aiohttp, and over a real socket where the moment of a break decides."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from pipeline.api import ApiClient
from pipeline.api.assets import SubmitBody, prepare_body
from pipeline.errors import (
    AvatarBatchError,
    GenerationUnknown,
    KeyRefused,
    NotSent,
    OutOfCredits,
    RowRefused,
    ServerTrouble,
    Throttled,
    UnknownFate,
)
from tests.unit.making import AVATAR_PRO, a_clip

BASE = "https://api.example.com"
GENERATIONS = f"{BASE}/v2/video/generations"
KEY = "sk-secret-0123456789"


@pytest.fixture
def mocked() -> Iterator[aioresponses]:
    with aioresponses() as answers:
        yield answers


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient(BASE, KEY, 30.0) as one:
        yield one


def a_body() -> SubmitBody:
    return prepare_body(a_clip(prompt="hello"))


def calls(mocked: aioresponses) -> list[tuple[str, URL, dict[str, Any]]]:
    return [(method, url, dict(call.kwargs)) for (method, url), made in mocked.requests.items() for call in made]


# --- what goes out -----------------------------------------------------------------------------------------------


async def test_a_submit_goes_out_with_key_length_and_correlation_id(mocked: aioresponses, client: ApiClient) -> None:
    mocked.post(GENERATIONS, status=201, payload={"id": "g-1", "status": "queued"}, headers={"x-request-id": "r-1"})
    body = a_body()

    accepted = await client.submit(body, "avatar-batch:1")

    ((method, url, options),) = calls(mocked)
    assert (method, str(url)) == ("POST", GENERATIONS)
    assert options["headers"]["Authorization"] == f"Bearer {KEY}"
    assert options["headers"]["X-Client-Request-Id"] == "avatar-batch:1"
    assert options["headers"]["Content-Length"] == str(len(options["data"])) == str(body.length)
    assert options["headers"]["Content-Type"] == "application/json"
    assert options["allow_redirects"] is False
    assert (accepted.generation_id, accepted.request_id) == ("g-1", "r-1")


async def test_questions_name_what_they_ask_for(mocked: aioresponses, client: ApiClient) -> None:
    mocked.get(
        f"{GENERATIONS}?generation_id=a%3Ab/c", payload={"status": "completed", "video": {"url": "https://cdn/x"}}
    )
    mocked.get(
        f"{BASE}/v2/logs?period=24h&model={AVATAR_PRO}&limit=100&offset=200",
        payload={"data": [], "pagination": {"has_more": False}},
    )
    mocked.get(f"{BASE}/v2/billing", payload={"current_balance": 5.5})

    generation = await client.retrieve("a:b/c")
    page = await client.usage_log({"period": "24h"}, model=AVATAR_PRO, offset=200)
    balance = await client.balance_usd()

    assert (generation.state, page.entries, balance) == ("completed", (), 5.5)
    assert all(options["headers"]["Authorization"] == f"Bearer {KEY}" for _, _, options in calls(mocked))
    assert all("Content-Type" not in options["headers"] for _, _, options in calls(mocked))


@pytest.mark.parametrize("base", [BASE, BASE + "/", BASE + "/v2", BASE + "/v2/"])
async def test_a_base_url_is_taken_with_or_without_its_version(mocked: aioresponses, base: str) -> None:
    mocked.get(f"{GENERATIONS}?generation_id=g", payload={"status": "queued"})

    async with ApiClient(base, "", 30.0) as client:
        await client.retrieve("g")

    ((_, _, options),) = calls(mocked)
    assert "Authorization" not in options["headers"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(mocked: aioresponses, client: ApiClient, status: int) -> None:
    mocked.post(GENERATIONS, status=status, headers={"Location": "https://evil.example.com/"})
    mocked.get(f"{GENERATIONS}?generation_id=g", status=status, headers={"Location": "https://evil.example.com/"})

    with pytest.raises(ServerTrouble):
        await client.submit(a_body(), "c")
    with pytest.raises(ServerTrouble):
        await client.retrieve("g")

    assert {url.host for _, url, _ in calls(mocked)} == {"api.example.com"}


# --- what comes back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RowRefused), (401, KeyRefused), (403, OutOfCredits), (404, ServerTrouble), (408, UnknownFate), (429, Throttled), (500, ServerTrouble),
        (502, UnknownFate), (503, ServerTrouble), (504, UnknownFate),
    ],
)  # fmt: skip
async def test_a_submit_s_status_is_its_remedy(
    mocked: aioresponses, client: ApiClient, status: int, kind: type[Exception]
) -> None:
    mocked.post(GENERATIONS, status=status, payload={"message": "no"})

    with pytest.raises(kind, match="no"):
        await client.submit(a_body(), "c")


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502])
async def test_a_key_that_comes_back_in_an_answer_goes_no_further(
    mocked: aioresponses, client: ApiClient, status: int
) -> None:
    mocked.post(
        GENERATIONS, status=status, payload={"error": {"name": "Unauthorized", "message": f"Bearer {KEY} is not valid"}}
    )

    with pytest.raises(AvatarBatchError) as caught:
        await client.submit(a_body(), "c")

    assert KEY not in str(caught.value)
    assert "Bearer [key] is not valid" in str(caught.value)


async def test_a_key_that_comes_back_in_a_header_goes_no_further(mocked: aioresponses, client: ApiClient) -> None:
    mocked.post(GENERATIONS, status=500, body="", headers={"x-request-id": f"r-{KEY}"})

    with pytest.raises(ServerTrouble) as caught:
        await client.submit(a_body(), "c")

    assert KEY not in str(caught.value.request_id)


async def test_an_unknown_id_is_told_apart(mocked: aioresponses, client: ApiClient) -> None:
    mocked.get(f"{GENERATIONS}?generation_id=g", status=404, payload={"message": "not found"})

    with pytest.raises(GenerationUnknown):
        await client.retrieve("g")


# --- what breaks -------------------------------------------------------------------------------------------------

AFTER: list[Callable[[], Exception]] = [
    aiohttp.ServerDisconnectedError, lambda: aiohttp.SocketTimeoutError("read"), lambda: aiohttp.ServerTimeoutError("total"), TimeoutError,
    lambda: aiohttp.ClientOSError(104, "Connection reset by peer"), lambda: aiohttp.ClientPayloadError("cut"), lambda: aiohttp.ClientConnectionError("closed"),
    ConnectionResetError, lambda: aiohttp.ClientResponseError(Mock(real_url=URL(BASE)), (), message="bad http"),
]  # fmt: skip
BEFORE: list[Callable[[], Exception]] = [
    lambda: aiohttp.ClientConnectorError(Mock(ssl=True), OSError(111, "Connection refused")),
    lambda: aiohttp.ClientConnectorDNSError(Mock(ssl=True), OSError(-2, "Name or service not known")),
    lambda: aiohttp.ConnectionTimeoutError("connect"),
    lambda: aiohttp.ClientConnectorCertificateError(Mock(ssl=True), ValueError("expired")),
    lambda: aiohttp.ClientProxyConnectionError(Mock(ssl=True), OSError(111, "Connection refused")),
]


@pytest.mark.parametrize("error", AFTER)
async def test_a_break_after_the_whole_request_is_an_unknown_fate(
    mocked: aioresponses, client: ApiClient, error: Callable[[], Exception]
) -> None:
    mocked.post(GENERATIONS, exception=error())

    with pytest.raises(UnknownFate) as caught:
        await client.submit(a_body(), "c")  # the mock reads the whole body first

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("error", BEFORE)
async def test_a_connection_that_never_stood_sent_nothing(
    mocked: aioresponses, client: ApiClient, error: Callable[[], Exception]
) -> None:
    mocked.post(GENERATIONS, exception=error())
    mocked.get(f"{GENERATIONS}?generation_id=g", exception=error())

    with pytest.raises(NotSent):
        await client.submit(a_body(), "c")
    with pytest.raises(NotSent):
        await client.retrieve("g")


@pytest.mark.parametrize("error", AFTER)
async def test_a_question_without_an_answer_is_asked_again(
    mocked: aioresponses, client: ApiClient, error: Callable[[], Exception]
) -> None:
    mocked.get(f"{GENERATIONS}?generation_id=g", exception=error())

    with pytest.raises(ServerTrouble, match="no answer"):
        await client.retrieve("g")


async def test_an_error_s_words_do_not_hold_the_key(mocked: aioresponses, client: ApiClient) -> None:
    mocked.get(f"{GENERATIONS}?generation_id=g", exception=aiohttp.ClientOSError(f"proxy said {KEY}\n\x1b[31m"))

    with pytest.raises(ServerTrouble) as caught:
        await client.retrieve("g")

    assert KEY not in str(caught.value)
    assert str(caught.value).isprintable()


async def test_an_interrupt_is_not_taken_for_a_break(mocked: aioresponses, client: ApiClient) -> None:
    async def interrupted(url: URL, **_: Any) -> CallbackResult:
        raise asyncio.CancelledError

    mocked.post(GENERATIONS, callback=interrupted)

    with pytest.raises(asyncio.CancelledError):
        await client.submit(a_body(), "c")


# --- over a socket -----------------------------------------------------------------------------------------------


async def on_socket(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
    ask: Callable[[ApiClient], Any],
    timeout_s: float = 5.0,
) -> Any:
    """Let ``talk`` be the server of ``ask``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with ApiClient(f"http://127.0.0.1:{port}", KEY, timeout_s) as client:
            return await ask(client)


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return await reader.readexactly(length)


async def test_a_refused_connection_sent_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with ApiClient(f"http://127.0.0.1:{port}", KEY, 5.0) as client:
        with pytest.raises(NotSent):
            await client.submit(a_body(), "c")


async def test_silence_after_the_whole_request_is_an_unknown_fate() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        await reader.read()

    with pytest.raises(UnknownFate, match=r"no answer to the submit: .*"):
        await on_socket(silent, lambda client: client.submit(a_body(), "c"), timeout_s=0.2)


async def test_a_hang_up_after_the_whole_request_is_an_unknown_fate() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)

    with pytest.raises(UnknownFate):
        await on_socket(hang_up, lambda client: client.submit(a_body(), "c"))


async def test_a_hang_up_amid_the_request_made_nothing() -> None:
    body = SubmitBody([b'{"a": "', b"x" * 30_000_000, b'", "b": "', b"y" * 30_000_000, b'"}'])

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.transport.abort()

    with pytest.raises(ServerTrouble, match="broke before the request was out"):
        await on_socket(hang_up, lambda client: client.submit(body, "c"))
    assert not body.complete


async def test_an_answer_amid_the_request_is_believed() -> None:
    body = SubmitBody([b'{"a": "', b"x" * 30_000_000, b'", "b": "', b"y" * 30_000_000, b'"}'])

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large")
        await writer.drain()
        await reader.read()

    with pytest.raises(RowRefused, match="too large"):
        await on_socket(refuse, lambda client: client.submit(body, "c"))


async def test_an_answer_that_breaks_off_still_tells_its_id_by_its_header() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nx-inference-id: g-7\r\nContent-Length: 100\r\n\r\n{"id": "g')
        await writer.drain()

    accepted = await on_socket(broken, lambda client: client.submit(a_body(), "c"))

    assert accepted.generation_id == "g-7"


async def test_an_answer_that_breaks_off_before_any_id_is_an_unknown_fate() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": "g')
        await writer.drain()

    with pytest.raises(UnknownFate, match="holds no id"):
        await on_socket(broken, lambda client: client.submit(a_body(), "c"))


@pytest.mark.parametrize("words", [b"not http at all\r\n\r\n", b"HTTP/1.1 999 ?\r\n", b"\x00" * 50])
async def test_an_answer_that_is_no_http_is_an_unknown_fate(words: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(words)
        await writer.drain()

    with pytest.raises(UnknownFate):
        await on_socket(babble, lambda client: client.submit(a_body(), "c"))


async def test_an_endless_answer_is_cut_off() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(bytes(1 << 20))
            await writer.drain()

    with pytest.raises(ServerTrouble, match="can't be read"):
        await on_socket(flood, lambda client: client.retrieve("g"))


async def test_the_length_on_the_wire_is_the_length_that_was_promised() -> None:
    seen: list[tuple[int | None, int]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append((request.content_length, len(await request.read())))
        assert "Transfer-Encoding" not in request.headers
        return web.json_response({"id": "g"})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v2/video/generations", take)
    async with TestServer(app) as server, ApiClient(str(server.make_url("/")), KEY, 5.0) as client:
        await client.submit(SubmitBody([b'{"a": "', b"x" * 2_000_000, b'"}']), "c")

    assert seen == [(2_000_009, 2_000_009)]


async def test_a_client_outside_its_with_is_a_fault_of_ours() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await ApiClient(BASE, KEY, 5.0).retrieve("g")
