"""The wire: submit, retrieve, both error envelopes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from .living import Client, Studio
from .media import data_uri, make_voice, measure

PROBLEM_FIELDS = {"title", "status", "message", "instance", "requestId", "timestamp", "error"}
LEGACY_FIELDS = {"message", "path", "requestId", "statusCode", "timestamp"}


def urls_in(value: Any) -> list[str]:
    """All values under a key "url", at any depth."""
    if isinstance(value, dict):
        here = [value["url"]] if "url" in value else []
        return here + [url for nested in value.values() for url in urls_in(nested)]
    return [url for nested in value for url in urls_in(nested)] if isinstance(value, list) else []


async def test_a_clip_is_submitted_polled_and_downloaded(client: Client, voice: Path, tmp_path: Path) -> None:
    async with client.post(voice, {"X-Client-Request-Id": "job.1:row-7"}, model="klingai/avatar-pro") as response:
        submitted = await response.json()
    clip_id = submitted["id"]

    assert clip_id.endswith(":klingai/avatar-pro")
    assert response.headers["x-inference-id"] == clip_id
    assert response.headers["x-client-request-id"] == "job.1:row-7"
    assert response.headers["x-request-id"]
    cost = submitted["meta"]["usage"]["credits_used"]
    assert cost == pytest.approx(2.5 * 0.12075 * 2_000_000, rel=0.05)
    assert response.headers["x-aimlapi-credits-used"] == str(cost)
    assert float(response.headers["x-aimlapi-usd-spent"]) == pytest.approx(cost / 2_000_000, abs=1e-6)

    waiting = await client.retrieve(clip_id)
    assert waiting["status"] in {"queued", "generating"}
    assert waiting["video"] is waiting["error"] is waiting["meta"] is None

    completed = await client.until(clip_id, "completed")
    assert set(completed) == {"id", "status", "video", "error", "meta"}
    assert completed["id"] == clip_id
    assert completed["error"] is None
    assert completed["meta"] == {"usage": {"credits_used": cost}}
    assert urls_in(completed) == [completed["video"]["url"]]
    assert not completed["video"]["url"].startswith(client.studio.base_url)

    clip = measure(await client.clip(clip_id, tmp_path / "clip.mp4"))
    assert (clip.width, clip.height) == (1920, 1080)
    assert clip.fps == 48


async def test_an_id_is_taken_with_and_without_its_model(client: Client, voice: Path) -> None:
    clip_id = await client.submit(voice)

    assert (await client.retrieve(clip_id.partition(":")[0]))["id"] == clip_id
    await client.get("/v2/video/generations", 404, generation_id=clip_id.partition(":")[0] + ":veed/fabric-1.0")
    await client.until(clip_id, "completed")


async def test_the_same_submit_twice_makes_two_clips(client: Client, voice: Path) -> None:
    first, second = await client.submit(voice), await client.submit(voice)

    assert first != second
    for clip_id in (first, second):
        await client.until(clip_id, "completed")


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "naïve", "semi;colon"])
async def test_an_invalid_client_request_id_is_dropped_without_a_word(client: Client, sent: str) -> None:
    url = f"{client.studio.base_url}/v2/billing"
    async with client.session.get(url, headers={"X-Client-Request-Id": sent}) as response:
        assert response.status == 200
        assert "x-client-request-id" not in response.headers


# --- refused bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "model: Expected string, received null"),
        ({"model": 7}, "model: Expected string, received number"),
        ({"model": "klingai/avatar-max"}, "received 'klingai/avatar-max'"),
        ({"model": "a\x1b[31m\n"}, r"received 'a\u001b[31m\n'"),
        ({"image_url": ...}, "image_url: Expected string, received undefined"),
        ({"image_url": ["x"]}, "image_url: Expected string, received array"),
        ({"image_url": "file:///etc/passwd"}, "image_url: Invalid url"),
        ({"image_url": "ftp://localhost/a.png"}, "image_url: Invalid url"),
        ({"image_url": "http://"}, "image_url: Invalid url"),
        ({"image_url": "data:image/png;base64,%%%"}, "image_url: Expected Base64"),
        ({"image_url": "data:image/png;base64,"}, "image_url: Expected a file"),
        ({"image_url": "data:image/png,abc"}, "image_url: Expected a Base64 data URI"),
        ({"image_url": "data:image/png;base64,aGVsbG8gd29ybGQ="}, "image_url: isn't a picture"),
        ({"audio_url": {"url": "x"}}, "audio_url: Expected string, received object"),
        ({"audio_url": True}, "audio_url: Expected string, received boolean"),
        ({"audio_url": "data:audio/mpeg;base64,aGVsbG8gd29ybGQ="}, "audio_url: isn't a sound file"),
        ({"audio_url": "data:audio/mpeg;base64," + "A" * 8_000_000}, "audio_url: Expected at most 5000000 bytes"),
        ({"prompt": 5}, "prompt: Expected string, received number"),
        ({"prompt": "x" * 2501}, "prompt: Expected at most 2500 character(s), received 2501"),
        ({"provider": "acme"}, "provider: Invalid enum value. Expected 'kling' | 'klingai' | 'fal' | 'auto'"),
        (
            {"model": "veed/fabric-1.0", "resolution": "1080p"},
            "resolution: Invalid enum value. Expected '480p' | '720p'",
        ),
        ({"model": "veed/fabric-1.0", "resolution": 720}, "resolution: Invalid enum value"),
    ],
)
async def test_a_bad_field_is_refused_in_the_newer_envelope(
    client: Client, voice: Path, change: dict[str, Any], message: str
) -> None:
    fields = {"model": "klingai/avatar-pro", "image_url": data_uri(client.picture), "audio_url": data_uri(voice)}
    fields = {name: value for name, value in (fields | change).items() if value is not ...}
    sent = io.BytesIO(json.dumps(fields).encode())
    before = (await client.get("/v2/billing"))["current_balance"]
    async with client.session.post(f"{client.studio.base_url}/v2/video/generations", data=sent) as response:
        body = await response.json()

    assert response.status == 400
    assert response.content_type == "application/problem+json"
    assert set(body) == PROBLEM_FIELDS
    assert message in body["message"]
    assert body["error"]["message"] == body["message"]
    assert body["requestId"] == response.headers["x-request-id"]
    assert (await client.get("/v2/billing"))["current_balance"] == before


async def test_all_that_is_wrong_is_told_at_once(client: Client) -> None:
    async with client.post("nonsense", image_url=4, prompt=[]) as response:
        message = (await response.json())["message"]

    assert [part.partition(":")[0] for part in message.split("; ")] == ["image_url", "audio_url", "prompt"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'"text"',
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"model": "\\ud800"}',
        b"{}" + b" " * 9 + b"{}",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(client: Client, raw: bytes) -> None:
    async with client.session.post(f"{client.studio.base_url}/v2/video/generations", data=raw) as response:
        assert response.status == 400
        assert "Expected" in (await response.json())["message"]


async def test_media_outside_the_limits_of_the_model_are_refused(client: Client, voice: Path, tmp_path: Path) -> None:
    Image.new("RGB", (299, 400)).save(tmp_path / "small.png")
    Image.new("RGB", (1200, 400)).save(tmp_path / "wide.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "odd.gif")
    make_voice(tmp_path / "short.wav", 1.5)
    make_voice(tmp_path / "over.mp3", 31)

    for name, reason in (("small.png", "299x400"), ("wide.png", "1200x400"), ("odd.gif", "GIF")):
        async with client.post(voice, image_url=data_uri(tmp_path / name)) as response:
            assert response.status == 400
            assert reason in (await response.json())["message"]
    async with client.post(tmp_path / "short.wav") as response:
        assert response.status == 400
    async with client.post(tmp_path / "over.mp3", model="bytedance/omnihuman") as response:
        assert response.status == 400
    assert not list((client.studio.directory / "media").glob("*.picture"))


async def test_a_body_beyond_the_limit_is_refused_in_the_older_envelope(client: Client, voice: Path) -> None:
    async with client.post(voice, padding="x" * 25 * 1024 * 1024) as response:
        body = json.loads(await response.text())

    assert response.status == 413
    assert set(body) == LEGACY_FIELDS
    assert body["statusCode"] == "413"


async def test_the_largest_allowed_media_are_taken(client: Client, tmp_path: Path) -> None:
    picture = tmp_path / "large.png"
    Image.new("RGB", (400, 400), "teal").save(picture)
    picture.write_bytes(picture.read_bytes().ljust(10_000_000, b"\0"))
    voice = make_voice(tmp_path / "large.wav", 13, rate_hz=96_000, channels=2)
    assert 4_900_000 < voice.stat().st_size < 5_000_000

    await client.until(await client.submit(voice, image_url=data_uri(picture)), "completed")


async def test_what_is_not_there_is_answered_in_the_older_envelope(client: Client) -> None:
    for path, status in (
        ("/", 404),
        ("/v1/chat/completions", 404),
        ("/v2/video/generations?generation_id=5f0c7ab0-0000-4000-8000-000000000000", 404),
        ("/v2/video/generations?generation_id=../../secret", 404),
        ("/v2/video/generations?generation_id=%ff%00'--", 404),
    ):
        async with client.session.get(client.studio.base_url + path) as response:
            body = await response.json()
            assert (response.status, body["statusCode"]) == (status, str(status))
            assert set(body) == LEGACY_FIELDS
    async with client.session.delete(f"{client.studio.base_url}/v2/video/generations") as response:
        assert response.status == 405
        assert set(await response.json()) == LEGACY_FIELDS
    await client.get("/v2/video/generations", 400)


# --- keys --------------------------------------------------------------------------------------------------------


async def test_a_studio_with_a_key_takes_only_that_key(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client]
) -> None:
    client = client_of(own_studio("--key", "sesame"))
    url = f"{client.studio.base_url}/v2/billing"

    for value in (None, "", "Bearer", "Bearer wrong", "Bearer sesame2", "Basic sesame", "Bearer sésame"):
        headers = {} if value is None else {"Authorization": value}
        async with client.session.get(url, headers=headers) as response:
            assert response.status == 401
            assert response.content_type == "application/problem+json"
            assert set(await response.json()) == PROBLEM_FIELDS
    async with client.session.get(url, headers={"Authorization": "Bearer sesame"}) as response:
        assert response.status == 200


async def test_a_studio_without_a_key_takes_any(client: Client) -> None:
    async with client.session.get(
        f"{client.studio.base_url}/v2/billing", headers={"Authorization": "Bearer whatever"}
    ) as response:
        assert response.status == 200


# --- links -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def files(media: Path) -> Any:
    """A web server with the media, one that is missing, one that is endless, and a redirect to elsewhere."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(400):
            await response.write(bytes(64 * 1024))
        return response

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("file:///etc/passwd")

    app = web.Application()
    app.router.add_static("/media", media)
    app.router.add_get("/endless", endless)
    app.router.add_get("/elsewhere", elsewhere)
    async with TestServer(app) as server:
        yield server


async def test_linked_media_are_fetched(client: Client, files: TestServer, tmp_path: Path) -> None:
    picture, voice = str(files.make_url("/media/picture.jpeg")), str(files.make_url("/media/voice.mp3"))
    async with client.post(voice, image_url=picture) as response:
        submitted = await response.json()

    assert submitted["meta"] is None  # the price is not known before the voice is here
    clip = measure(await client.clip(submitted["id"], tmp_path / "clip.mp4"))
    assert clip.audio_s == pytest.approx(2.5, abs=0.06)
    assert (await client.retrieve(submitted["id"]))["meta"]["usage"]["credits_used"] > 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/media/none.mp3", "HTTP status 404"),
        ("/endless", "more than 5000000 bytes"),
        ("/elsewhere", "NonHttpUrl"),
        ("/media/picture.jpeg", "not a voice"),
    ],
)
async def test_a_link_that_gives_no_voice_ends_in_an_error_that_costs_nothing(
    client: Client, files: TestServer, path: str, reason: str
) -> None:
    before = (await client.get("/v2/billing"))["current_balance"]
    clip_id = await client.submit(str(files.make_url(path).with_query(signature="hidden")))

    failed = await client.until(clip_id, "error")
    assert failed["error"]["name"] == "AssetError"
    assert failed["error"]["message"].startswith("audio_url: ")
    assert reason in failed["error"]["message"]
    assert "hidden" not in failed["error"]["message"]
    assert failed["video"] is None
    assert (await client.get("/v2/billing"))["current_balance"] == before


# --- models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "size", "fps"),
    [
        ("klingai/avatar-standard", {}, (1280, 720), 24),
        ("veed/fabric-1.0", {"resolution": "480p"}, (480, 600), 25),
        ("bytedance/omnihuman/v1.5", {"prompt": "left aside"}, (720, 900), 25),
    ],
)
async def test_each_model_makes_its_own_frame(
    client: Client, voice: Path, tmp_path: Path, model: str, fields: dict[str, str], size: tuple[int, int], fps: int
) -> None:
    clip = measure(await client.clip(await client.submit(voice, model=model, **fields), tmp_path / "clip.mp4"))

    assert (clip.width, clip.height) == size
    assert clip.fps == fps
