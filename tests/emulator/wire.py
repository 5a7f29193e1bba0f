"""Putting answers on the wire, whole or broken: resets, cuts, stalls, bodies of any size."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass

from aiohttp import web

from .answers import Reply
from .world import Entry

BODY_LIMIT = 64_000_000
PIECE = 128 * 1024
DRAIN_S = 1.0


class TooLargeError(Exception):
    """The request body is larger than any request of this API."""


async def read_body(request: web.BaseRequest, limit: int = BODY_LIMIT) -> bytes:
    """The request body, bounded."""
    pieces: list[bytes] = []
    size = 0
    while True:
        piece = await request.content.readany()
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise TooLargeError


async def read_half(request: web.BaseRequest) -> None:
    """Take half of the request body and no more."""
    left = (request.content_length or 0) // 2
    while left > 0:
        piece = await request.content.read(min(left, 65536))
        if not piece:
            return
        left -= len(piece)


async def reset(request: web.BaseRequest, entry: Entry, fate: str = "reset") -> web.StreamResponse:
    """Close the connection with a TCP reset, after what was written has reached the other side."""
    entry.fate = fate
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        await _sent(sock)
        # Zero linger turns the close into a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def close(request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
    """Close the connection in an orderly way."""
    entry.fate = "closed"
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _sent(sock: socket.socket) -> None:
    # A reset throws away what the kernel has not delivered yet; then a cut would come earlier than planned.
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DRAIN_S
    while loop.time() < deadline:
        try:
            waiting = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        except OSError:
            return
        if not waiting:
            return
        await asyncio.sleep(0.001)


def send(reply: Reply, entry: Entry) -> web.StreamResponse:
    """The whole answer."""
    entry.status, entry.fate, entry.bytes_sent = reply.status, "answered", len(reply.body)
    headers = {**reply.headers, "Content-Type": reply.content_type}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


async def send_cut(request: web.BaseRequest, reply: Reply, entry: Entry) -> web.StreamResponse:
    """The headers and half of the body, then a reset."""
    entry.status = reply.status
    response = _start(reply, len(reply.body))
    await response.prepare(request)
    half = reply.body[: len(reply.body) // 2]
    await response.write(half)
    entry.bytes_sent = len(half)
    await reset(request, entry, "cut")
    return response


async def send_huge(request: web.BaseRequest, reply: Reply, entry: Entry, size: int) -> web.StreamResponse:
    """The JSON answer behind `size` bytes of padding: valid, and too much."""
    entry.status = reply.status
    start, rest = b'{"padding": "', b'", ' + reply.body.lstrip()[1:]
    response = _start(reply, len(start) + size + len(rest))
    await response.prepare(request)
    await response.write(start)
    piece = b"x" * PIECE
    while entry.bytes_sent < size:
        part = piece[: size - entry.bytes_sent]
        await response.write(part)
        entry.bytes_sent += len(part)
    entry.fate = "answered"
    await response.write(rest)
    return response


def _start(reply: Reply, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type})
    if length is not None:
        response.content_length = length
    return response


@dataclass(frozen=True, slots=True)
class Flow:
    """How a long body goes out."""

    chunked: bool = False
    cut_after: int | None = None
    cut_how: str = "reset"
    stall_after: int | None = None
    stall_s: float = 0.0
    bytes_per_s: int | None = None


async def stream(request: web.BaseRequest, reply: Reply, entry: Entry, flow: Flow) -> web.StreamResponse:
    """A body sent the way the plan says."""
    entry.status = reply.status
    response = _start(reply, None if flow.chunked else len(reply.body))
    if flow.chunked:
        response.enable_chunked_encoding()
    await response.prepare(request)
    body, stops = memoryview(reply.body), sorted({*_stops(flow, len(reply.body)), len(reply.body)})
    for stop in stops:
        while entry.bytes_sent < stop:
            piece = body[entry.bytes_sent : min(stop, entry.bytes_sent + _piece(flow))]
            if flow.bytes_per_s:
                await asyncio.sleep(len(piece) / flow.bytes_per_s)
            entry.bytes_sent += len(piece)
            if entry.bytes_sent == len(body):
                entry.fate = "answered"  # noted before the client can know
            await response.write(bytes(piece))
        if stop == flow.stall_after:
            await asyncio.sleep(flow.stall_s)
        if stop == flow.cut_after:
            await (close(request, entry) if flow.cut_how == "close" else reset(request, entry, "cut"))
            return response
    entry.fate = "answered"
    await response.write_eof()
    return response


def _stops(flow: Flow, length: int) -> list[int]:
    return [stop for stop in (flow.cut_after, flow.stall_after) if stop is not None and stop <= length]


def _piece(flow: Flow) -> int:
    return PIECE if flow.bytes_per_s is None else max(1, min(PIECE, flow.bytes_per_s // 20))


async def stream_endless(request: web.BaseRequest, reply: Reply, entry: Entry, size: int) -> web.StreamResponse:
    """Zeros without a Content-Length, until the client has had enough, or `size` for safety."""
    entry.status = reply.status
    response = _start(reply, None)
    response.enable_chunked_encoding()
    await response.prepare(request)
    piece = bytes(PIECE)
    await response.write(reply.body)
    while entry.bytes_sent < size:
        await response.write(piece)
        entry.bytes_sent += len(piece)
    entry.fate = "answered"
    await response.write_eof()
    return response
