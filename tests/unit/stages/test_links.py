"""Which links are followed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from pipeline.stages.links import LinkRefused, PublicResolver, check_link, is_private_host

PUBLIC = [
    "https://cdn.example.com/a.mp4?sig=1",
    "http://93.184.216.34/a",
    "http://[2606:2800:220:1::1]:8080/a",
    "https://8.8.8.8",
]
PRIVATE = [
    "http://127.0.0.1/a", "http://localhost/a", "http://LOCALHOST:80/a", "http://x.localhost/a", "http://10.0.0.1/a", "http://192.168.1.1/a",
    "http://172.16.0.1/a", "http://169.254.169.254/latest/meta-data", "http://0.0.0.0/a", "http://[::1]/a", "http://[fe80::1%25eth0]/a", "http://[fd00::1]/a",
    "http://[::ffff:127.0.0.1]/a", "http://100.64.0.1/a",
]  # fmt: skip
NEVER = [
    "file:///etc/passwd",
    "ftp://example.com/a",
    "data:video/mp4;base64,AA",
    "gopher://x/",
    "//cdn.example.com/a",
    "a.mp4",
    "",
    "http://",
    "https:///a",
    "http://[bad",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_link_is_followed(url: str) -> None:
    check_link(url, allow_private=False)


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_link_is_followed_only_for_an_api_that_is_private(url: str) -> None:
    check_link(url, allow_private=True)
    with pytest.raises(LinkRefused, match="an address in a private network"):
        check_link(url, allow_private=False)


@pytest.mark.parametrize("url", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_what_no_clip_can_be_behind_is_never_followed(url: str, allow_private: bool) -> None:
    with pytest.raises(LinkRefused):
        check_link(url, allow_private=allow_private)


def resolving(monkeypatch: pytest.MonkeyPatch, resolver: PublicResolver, hosts: list[str]) -> None:
    async def resolve(host: str, port: int = 0, family: Any = socket.AF_INET) -> list[dict[str, Any]]:
        return [
            {"hostname": host, "host": one, "port": port, "family": family, "proto": 0, "flags": 0} for one in hosts
        ]

    monkeypatch.setattr(resolver, "_inner", type("Inner", (), {"resolve": staticmethod(resolve)})())


async def test_a_name_that_leads_home_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = PublicResolver()
    resolving(monkeypatch, resolver, ["127.0.0.1", "::1", "10.1.2.3"])

    with pytest.raises(OSError, match=r"evil\.example\.com is an address in a private network"):
        await resolver.resolve("evil.example.com", 80)


async def test_of_several_addresses_the_public_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = PublicResolver()
    resolving(monkeypatch, resolver, ["127.0.0.1", "8.8.8.8"])

    assert [result["host"] for result in await resolver.resolve("cdn.example.com", 443)] == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("url", "private"),
    [("http://127.0.0.1:8765", True), ("http://localhost", True), ("http://[::1]:1", True), ("https://8.8.8.8", False)],
)
def test_an_api_of_this_machine_is_known_as_such(url: str, private: bool) -> None:
    assert is_private_host(url) is private


def test_a_name_is_private_if_any_of_its_addresses_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, port: object) -> list[Any]:
        if host == "gone":
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", ("8.8.8.8", 0)), (0, 0, 0, "", ("10.0.0.9" if host == "inner" else "1.1.1.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    assert [is_private_host(f"http://{host}") for host in ("inner", "outer", "gone")] == [True, False, False]
