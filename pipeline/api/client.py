"""The API over aiohttp: one method a request, the answer as a noun or an error with a remedy.

What broke decides what is known. While the last byte of a submit has not been handed to the connection the server
can't have it whole, so nothing was made; from then on a lost answer is an unknown fate. The key travels to the
API's own address and no further: redirects are not followed, and downloads have a session of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self, TypeVar

import aiohttp

from pipeline.api import books, wire
from pipeline.api.assets import SubmitBody
from pipeline.errors import AvatarBatchError, NotSent, RequestFailed, ServerTrouble, UnknownFate, one_line
from pipeline.version import __version__

__all__ = ["ApiClient", "user_agent"]

MAX_ANSWER_BYTES = 4 << 20
CONNECT_TIMEOUT_S = 15.0
# Shorter than the 5 s after which common servers close an idle connection: a submit that meets a connection just
# being closed has an unknown fate, which costs a walk through the usage log.
KEEPALIVE_S = 4.0

SHORTEST_KEY_CHARS = 8
"""A shorter key is no secret, and would be found in any word."""

_T = TypeVar("_T")

_NOT_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ClientProxyConnectionError,
)


def user_agent() -> str:
    """The name under which the project speaks to servers."""
    return f"avatar-batch/{__version__}"


class ApiClient:
    """Speaks to one API with one key; use it in an ``async with``.

    Args:
        base_url: without ``/v2``.
        key: empty for an API that needs none.
        timeout_s: the longest that one request may take in all.
    """

    def __init__(self, base_url: str, key: str, timeout_s: float) -> None:
        self.base_url = base_url.rstrip("/").removesuffix("/v2")
        self._key = key
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": user_agent()}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def submit(self, body: SubmitBody, client_request_id: str) -> wire.Accepted:
        """Order a clip. Sending the same body twice makes and bills two.

        Raises:
            NotSent, ServerTrouble: nothing was made.
            UnknownFate: something may have been made.
            RowRefused, Throttled, KeyRefused, OutOfCredits: the API's word.
        """
        headers = self._headers | {
            "Content-Type": "application/json",
            "Content-Length": str(body.length),
            "X-Client-Request-Id": client_request_id,
        }
        try:
            status, answered, content = await self._request(
                "POST", wire.GENERATIONS_PATH, data=body.pieces(), headers=headers
            )
        except _NOT_CONNECTED as error:
            raise NotSent(self._words(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if body.failure is not None:
                raise body.failure from None
            if not body.started:
                raise NotSent(self._words(error)) from None
            if not body.complete:
                raise ServerTrouble(f"the connection broke before the request was out: {self._words(error)}") from None
            raise UnknownFate(f"no answer to the submit: {self._words(error)}") from None
        accepted = self._deciphered(wire.decipher_submit, (status, answered, content))
        return replace(accepted, request_id=accepted.request_id and self._without_key(accepted.request_id))

    async def retrieve(self, generation_id: str) -> wire.Generation:
        """Ask how a generation stands.

        Raises:
            GenerationUnknown, NotSent, ServerTrouble, Throttled, KeyRefused, OutOfCredits.
        """
        answer = await self._ask(wire.GENERATIONS_PATH, {"generation_id": generation_id})
        generation = self._deciphered(wire.decipher_retrieve, answer)
        words = generation.error and self._without_key(generation.error)
        # A link that carries the key somewhere is none of the provider's.
        url = None if generation.url and self._without_key(generation.url) != generation.url else generation.url
        return replace(generation, url=url, error=words, status=self._without_key(generation.status))

    async def usage_log(self, window: Mapping[str, str], *, model: str, offset: int) -> books.LogPage:
        """A page of the usage log, newest first.

        Args:
            window: ``period``, or ``start`` and ``end`` (ISO 8601).
            model: the log's filter.
            offset: where the page begins; it has at most 100 lines.

        Raises:
            NotSent, ServerTrouble, Throttled, KeyRefused, OutOfCredits.
        """
        query = {**window, "model": model, "limit": "100", "offset": str(offset)}
        return self._deciphered(books.decipher_log_page, await self._ask(books.LOGS_PATH, query))

    async def balance_usd(self) -> float | None:
        """The account's balance; None if the API tells none.

        Raises:
            NotSent, ServerTrouble, Throttled, KeyRefused, OutOfCredits.
        """
        return self._deciphered(books.decipher_balance, await self._ask(books.BILLING_PATH, {}))

    async def charges(self, cursor: str = "") -> books.ChargePage:
        """A page of the ledger, newest first, from ``cursor`` on.

        Raises:
            NotSent, ServerTrouble, Throttled, KeyRefused, OutOfCredits.
        """
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        return self._deciphered(books.decipher_charges, await self._ask(books.TRANSACTIONS_PATH, query))

    async def _ask(self, path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        try:
            return await self._request("GET", path, params=query, headers=self._headers)
        except _NOT_CONNECTED as error:
            raise NotSent(self._words(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ServerTrouble(f"no answer: {self._words(error)}") from None

    async def _request(self, method: str, path: str, **options: Any) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:
            raise RuntimeError("use ApiClient in an `async with`")
        async with self._session.request(method, self.base_url + path, allow_redirects=False, **options) as response:
            try:
                content = await _read_bounded(response)
            except (aiohttp.ClientError, TimeoutError, OSError):
                content = b""  # the status and the headers still tell something, the id of a submit above all
            return response.status, response.headers, content

    def _deciphered(self, decipher: Callable[..., _T], answer: tuple[int, Mapping[str, str], bytes]) -> _T:
        """What an answer means; where its words echo the key, they are told without it.

        Only words are touched: a short key may well be a part of an id or a link.
        """
        try:
            return decipher(*answer)
        except AvatarBatchError as error:
            error.args = tuple(self._without_key(str(words)) for words in error.args)
            if isinstance(error, RequestFailed) and error.request_id:
                error.request_id = self._without_key(error.request_id)
            raise

    def _without_key(self, words: str) -> str:
        return words.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY_CHARS else words

    def _words(self, error: BaseException) -> str:
        words = one_line(str(error) or type(error).__name__, 200)
        if isinstance(error, aiohttp.ClientConnectorError):
            words = one_line(f"no connection to {error.host}:{error.port}: {_why(error.os_error)}", 200)
        if isinstance(error, TimeoutError) and not str(error):
            words = "timed out"
        return self._without_key(words)


def _why(error: OSError) -> str:
    """The system's words for it, where it is the system's: names that aren't known and TLS have words of their own."""
    if isinstance(error, ConnectionError | TimeoutError) and error.errno:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            return b""
    return bytes(content)
