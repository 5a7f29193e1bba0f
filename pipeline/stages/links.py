"""Which download links are followed: http(s) only, and into private networks only for an API that lives in one."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["LinkRefused", "PublicResolver", "check_link", "is_private_host"]


class LinkRefused(Exception):
    """The link isn't followed; the message says why."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only.

    The check sits where the connection gets its address, so a name that changes between a look and the connection
    can't slip through.
    """

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The host's public addresses.

        Raises:
            OSError: it has none.
        """
        results = await self._inner.resolve(host, port, family)
        public = [result for result in results if not _is_private(result["host"])]
        if not public:
            raise OSError(f"{host} is an address in a private network")
        return public

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._inner.close()


def check_link(url: str, *, allow_private: bool) -> None:
    """Refuse a link that no clip can be behind.

    Raises:
        LinkRefused: another scheme than http(s), no host, or a private address where those aren't allowed.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise LinkRefused("the link isn't a URL") from None
    if parts.scheme not in {"http", "https"}:
        raise LinkRefused(f"the link has the scheme {parts.scheme[:20]!r}, not http(s)")
    if not host:
        raise LinkRefused("the link names no host")
    if not allow_private and (_is_private(host) or host == "localhost" or host.endswith(".localhost")):
        raise LinkRefused(f"the link leads to {host}, an address in a private network")


def is_private_host(url: str) -> bool:
    """Whether a URL's host is this machine or in a private network; a name is resolved, which may block."""
    host = urlsplit(url).hostname or ""
    if _is_private(host) or host == "localhost":
        return True
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return any(_is_private(str(address)) for address in addresses)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return False
