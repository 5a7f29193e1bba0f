"""The download host: links, ranges, checksums, cuts, and files that are not what they should be."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import time
from typing import Any

import av
import pytest

from . import Action, BadClip, Cdn, Emulator, Rule
from .asking import GONE, Account, ask
from .clips import zeroed


def test_links_expire_by_time_and_by_use(emu: Emulator, account: Account) -> None:
    emu.set_plan(cdn=Cdn(link_ttl_s=0.05))
    made = account.make()
    link = account.link(made)
    deadline = time.monotonic() + 5
    while ask(link).status != 403:
        assert time.monotonic() < deadline
    emu.set_plan(cdn=Cdn(link_uses=1, expired_body="html"))
    link = account.link(made)
    assert [ask(link).status for _ in range(2)] == [200, 403]
    assert ask(account.link(made)).status == 200
    assert ask(link.replace("nonce=", "nonce=0")).status == 403
    assert not any(line["authorization"] for line in emu.journal("download"))


def test_ranges_and_their_conditions(emu: Emulator, account: Account) -> None:
    made = account.make()
    whole = emu.expected_clip(made)
    link = account.link(made)
    first = ask(link, "HEAD")
    assert (first.headers["content-length"], first.body) == (str(len(whole)), b"")
    tag, date = first.headers["etag"], first.headers["last-modified"]
    part = ask(link, Range="bytes=1000-", If_Range=tag)
    assert (part.status, part.body) == (206, whole[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    assert ask(link, Range="bytes=10-19", If_Range=date).body == whole[10:20]
    assert ask(link, Range="bytes=-5").body == whole[-5:]
    assert ask(link, Range="bytes=10-", If_Range='"other"').body == whole
    assert ask(link, Range=f"bytes={len(whole)}-").status == 416
    emu.set_plan(cdn=Cdn(ranges=False, etag="none", last_modified=False, chunked=True))
    plain = ask(account.link(made), Range="bytes=10-")
    assert (plain.status, plain.body) == (200, whole)
    assert not {"etag", "last-modified", "content-length"} & set(plain.headers)
    emu.set_plan(cdn=Cdn(etag="weak"))
    weak = ask(account.link(made)).headers["etag"]
    assert weak.startswith("W/")
    assert ask(account.link(made), Range="bytes=10-", If_Range=weak).status == 200


def test_digests_right_and_wrong(emu: Emulator, account: Account) -> None:
    kinds = ["content-md5", "digest", "repr-digest", "x-amz-checksum-sha256"]
    emu.set_plan(cdn=Cdn(digests=kinds, wrong_digest_first=1))  # type: ignore[arg-type]
    made = account.make()
    sha = base64.b64encode(hashlib.sha256(emu.expected_clip(made)).digest()).decode()
    wrong, right = (ask(account.link(made)).headers for _ in range(2))
    assert right["repr-digest"] == f"sha-256=:{sha}:" != wrong["repr-digest"]
    assert right["x-amz-checksum-sha256"] == sha
    assert right["digest"] == f"sha-256={sha}"
    assert "content-md5" in right


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_cut_download_can_be_resumed(emu: Emulator, account: Account, how: Any) -> None:
    emu.set_plan(pad_bytes=3_000_000, cdn=Cdn(cut_after_bytes=1_500_000, cut_how=how))
    made = account.make()
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        ask(account.link(made))
    line = emu.journal("download")[-1]
    assert (line["bytes_sent"], line["fate"]) == (1_500_000, "cut" if how == "reset" else "closed")
    whole = emu.expected_clip(made)
    assert ask(account.link(made), Range="bytes=1500000-").body == whole[1_500_000:]
    assert len(whole) > 3_000_000


def test_trouble_before_the_file(emu: Emulator, account: Account) -> None:
    emu.set_plan(cdn=Cdn(fail_first=1, redirect_first=2, hostile_links=["file:///etc/passwd"], hostile_first=1))
    made = account.make()
    assert account.link(made) == "file:///etc/passwd"
    link = account.link(made)
    assert ask(link).status == 503
    moved = ask(link)
    assert moved.status == 302
    assert moved.headers["location"].startswith(emu.elsewhere_url)
    assert ask(moved.headers["location"]).body == emu.expected_clip(made)
    assert ask(link).body == emu.expected_clip(made)
    emu.set_plan(rules=[Rule("download", Action("drop_before"), nth=[1])])
    with pytest.raises(GONE):
        ask(account.link(made))


def test_stalls_throttles_and_endless_bodies(emu: Emulator, account: Account) -> None:
    emu.set_plan(cdn=Cdn(stall_after_bytes=100, stall_s=0.1, bytes_per_s=2_000_000))
    made = account.make()
    assert ask(account.link(made)).body == emu.expected_clip(made)
    emu.wait_until(lambda one: one.journal("download")[-1]["took_s"] > 0.1, 5)
    emu.set_plan(cdn=Cdn(endless_first=9, endless_bytes=2_000_000))
    assert len(ask(account.link(made)).body) >= 2_000_000


@pytest.mark.parametrize(
    "kind", ["truncated", "no_audio", "wrong_resolution", "wrong_fps", "wrong_duration", "html", "empty", "zeroed"]
)
def test_a_bad_clip_is_bad_and_then_good(emu: Emulator, account: Account, kind: Any) -> None:
    emu.set_plan(bad_clips=[BadClip(kind, nth=[len(emu.generations()) + 1], first=1)])
    made = account.make()
    bad, good = (ask(account.link(made)) for _ in range(2))
    whole = emu.expected_clip(made)
    assert good.body == whole
    assert (bad.status, bad.headers["content-length"]) == (200, str(len(bad.body)))
    if kind == "html":
        assert bad.headers["content-type"] == "text/html"
    elif kind in ("empty", "truncated"):
        assert whole.startswith(bad.body)
        assert len(bad.body) < len(whole)
    elif kind == "zeroed":
        assert bad.body == zeroed(whole)
        assert len(bad.body) == len(whole)
    else:
        with av.open(io.BytesIO(bad.body), "r") as file:
            video = file.streams.video[0]
            assert file.duration is not None
            seen = (len(file.streams.audio), video.width, int(video.average_rate or 0), round(file.duration / 1e6))
        expected = {
            "no_audio": (0, 1920, 48, 2),
            "wrong_resolution": (1, 960, 48, 2),
            "wrong_fps": (1, 1920, 30, 2),
            "wrong_duration": (1, 1920, 48, 5),
        }
        assert seen == expected[kind]
