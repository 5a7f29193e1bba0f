"""Checksums that come along with a file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pipeline.stages.digests import Digest, digests_of, mismatch

CONTENT = b"the whole clip"


def b64(algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, CONTENT).digest()).decode()


def of(algorithm: str) -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, CONTENT).hexdigest())


HEADERS: dict[str, tuple[dict[str, str], bool, list[str]]] = {
    "none": ({}, True, []),
    "Repr-Digest": ({"Repr-Digest": f"sha-256=:{b64('sha256')}:"}, False, ["sha256"]),
    "two in one": (
        {"Repr-Digest": f"sha-512=:{b64('sha512')}:, sha-256=:{b64('sha256')}:"},
        False,
        ["sha512", "sha256"],
    ),
    "Digest": ({"Digest": f"SHA-256={b64('sha256')},MD5={b64('md5')}"}, False, ["sha256", "md5"]),
    "Amazon's": ({"x-amz-checksum-sha256": b64("sha256")}, False, ["sha256"]),
    "Google's": ({"x-goog-hash": f"crc32c=AAAAAA==,md5={b64('md5')}"}, False, ["md5"]),
    "Content-MD5 of the whole": ({"Content-MD5": b64("md5")}, True, ["md5"]),
    "Content-MD5 of a part": ({"Content-MD5": b64("md5")}, False, []),
    "Content-Digest of the whole": ({"Content-Digest": f"sha-256=:{b64('sha256')}:"}, True, ["sha256"]),
    "Content-Digest of a part": ({"Content-Digest": f"sha-256=:{b64('sha256')}:"}, False, []),
    "the same twice": (
        {"Repr-Digest": f"sha-256=:{b64('sha256')}:", "x-amz-checksum-sha256": b64("sha256")},
        False,
        ["sha256"],
    ),
    "of wrong length": ({"Repr-Digest": "sha-256=:AAAA:"}, True, []),
    "no Base64": ({"Content-MD5": "not base64!", "x-amz-checksum-sha256": "*"}, True, []),
    "of several parts": ({"x-amz-checksum-sha256": b64("sha256") + "-3"}, True, []),
    "hexadecimal": ({"Content-MD5": hashlib.md5(CONTENT).hexdigest()}, True, []),
    "an ETag": ({"ETag": f'"{hashlib.md5(CONTENT).hexdigest()}"'}, True, []),
    "an unknown algorithm": ({"Repr-Digest": f"unixsum=:{b64('md5')}:"}, True, []),
}


@pytest.mark.parametrize(("headers", "whole", "algorithms"), HEADERS.values(), ids=HEADERS)
def test_a_promise_is_found_where_servers_put_it(headers: dict[str, str], whole: bool, algorithms: list[str]) -> None:
    assert digests_of(CIMultiDict(headers), whole=whole) == tuple(of(algorithm) for algorithm in algorithms)


def test_google_sends_its_header_twice() -> None:
    headers = CIMultiDict([("x-goog-hash", "crc32c=AAAAAA=="), ("x-goog-hash", f"md5={b64('md5')}")])

    assert digests_of(headers, whole=True) == (of("md5"),)


@given(
    st.dictionaries(
        st.sampled_from(
            ["repr-digest", "digest", "x-goog-hash", "content-md5", "content-digest", "x-amz-checksum-sha256"]
        ),
        st.text(max_size=60),
    )
)
def test_no_header_is_a_fault(headers: dict[str, str]) -> None:
    for digest in digests_of(headers, whole=True):
        assert len(digest.value) == hashlib.new(digest.algorithm).digest_size * 2


def test_a_file_is_held_against_every_promise(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(CONTENT)
    kept = tuple(of(algorithm) for algorithm in ("sha256", "sha512", "sha1", "md5"))

    assert mismatch(tmp_path / "clip", kept) is None
    assert mismatch(tmp_path / "clip", ()) is None
    broken = mismatch(tmp_path / "clip", (*kept, Digest("sha256", "00" * 32)))
    assert broken is not None
    assert "the server promised 0000000000000000…" in broken
