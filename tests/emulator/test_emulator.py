"""The emulator itself: it speaks the wire and keeps its books."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import av
import pytest

from . import Emulator
from .asking import Account, ask, data_uri, png, wav


def test_a_clip_is_made_found_logged_and_charged(emu: Emulator, account: Account) -> None:
    before = account.get("/v2/billing").json()["current_balance"]
    answer = account.submit("row-1:abc", audio_url=data_uri("audio/wav", wav(2.5)))
    made = answer.json()
    credits = round(2.5 * 0.12075 * 2_000_000)
    assert made["status"] == "queued"
    assert made["meta"]["usage"]["credits_used"] == credits
    assert answer.headers["x-inference-id"] == made["id"]
    assert made["id"].endswith(":klingai/avatar-pro")
    assert answer.headers["x-client-request-id"] == "row-1:abc"
    assert answer.headers["x-aimlapi-credits-used"] == str(credits)
    assert float(answer.headers["x-aimlapi-usd-spent"]) == pytest.approx(credits / 2_000_000)

    state = account.retrieve(made["id"]).json()
    assert (state["status"], state["error"]) == ("completed", None)
    clip = ask(state["video"]["url"])
    assert clip.status == 200
    assert clip.body == emu.expected_clip(made["id"])

    row = account.get("/v2/logs?period=24h&limit=1&model=klingai/avatar-pro").json()
    assert row["data"][0]["client_request_id"] == "row-1:abc"
    assert row["data"][0]["inference_id"] == made["id"]
    assert row["data"][0]["request_id"] == answer.headers["x-request-id"]
    charge = account.get("/v2/billing/transactions?limit=1").json()["data"][0]
    assert charge["reference_id"] == made["id"]
    after = account.get("/v2/billing").json()["current_balance"]
    assert before - after == pytest.approx(credits / 2_000_000)

    truth = emu.generations()[-1]
    assert truth["image_sha256"] == hashlib.sha256(png()).hexdigest()
    assert truth["audio_sha256"] == hashlib.sha256(wav(2.5)).hexdigest()
    assert (truth["state"], truth["billed"], truth["charges"], truth["seconds"]) == ("completed", True, 1, 2.5)
    assert (truth["retrieves"], truth["downloads"], truth["prompt"]) == (1, 1, "speaks calmly")


@pytest.mark.parametrize(
    ("model", "size", "fps"), [("klingai/avatar-pro", (1920, 1080), 48), ("klingai/avatar-standard", (1280, 720), 24)]
)
def test_the_clip_is_the_video_that_the_model_promises(
    account: Account, model: str, size: tuple[int, int], fps: int
) -> None:
    clip = ask(account.link(account.make(model=model, audio_url=data_uri("audio/wav", wav(2.3))))).body
    with av.open(io.BytesIO(clip), "r") as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == size
        assert video.average_rate == fps
        frames = sum(1 for _ in file.decode(video=0))
        assert file.duration is not None
        assert file.duration / 1e6 == pytest.approx(2.3, abs=0.05)
        assert frames == round(2.3 * fps)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "Expected string, received undefined"),
        ({"model": "klingai/avatar-max"}, "received 'klingai/avatar-max'"),
        ({"image_url": 7}, "Expected string, received number"),
        ({"image_url": "file:///etc/passwd"}, "Expected a URL"),
        ({"image_url": data_uri("audio/wav", wav())}, "image/*"),
        ({"image_url": data_uri("image/png", b"no picture")}, "Expected a JPEG, PNG or WEBP"),
        ({"image_url": data_uri("image/png", png(200))}, "at least 300 px"),
        ({"audio_url": data_uri("audio/mpeg", png())}, "audio"),
        ({"audio_url": data_uri("audio/wav", wav(1.0))}, "2 to 300 seconds"),
        ({"audio_url": "data:audio/wav;base64,%%%"}, "Base64"),
        ({"prompt": "x" * 2501}, "at most 2500"),
        ({"provider": "acme"}, "received 'acme'"),
        ({"model": "veed/fabric-1.0", "prompt": None, "resolution": "4k"}, "received '4k'"),
    ],
)
def test_a_bad_submit_is_refused(emu: Emulator, account: Account, changes: dict[str, Any], words: str) -> None:
    count = len(emu.generations())
    answer = account.submit(**changes)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "Expected" in answer.json()["message"]
    assert words in answer.json()["message"]
    assert len(emu.generations()) == count


def test_both_envelopes_and_html(emu: Emulator, account: Account) -> None:
    first, second = (account.retrieve("nobody").json() for _ in range(2))
    problem, legacy = (first, second) if "title" in first else (second, first)
    assert problem["status"] == 404
    assert legacy["statusCode"] == "404"
    emu.set_plan(envelope="html")
    assert account.retrieve("nobody").body.startswith(b"<html>")


def test_a_bad_client_id_is_dropped_without_a_word(emu: Emulator, account: Account) -> None:
    answer = account.submit("has spaces")
    assert "x-client-request-id" not in answer.headers
    assert emu.generations()[-1]["client_request_id"] is None


def test_old_answers_and_bare_ids(emu: Emulator, account: Account) -> None:
    emu.set_plan(answer_style="old", inference_id_style="bare")
    made = account.submit("old-1").json()
    assert "id" not in made
    assert "tokens_used" in made["meta"]["usage"]
    bare = made["generation_id"].partition(":")[0]
    assert account.get("/v2/logs?limit=1").json()["data"][0]["inference_id"] == bare
    assert account.retrieve(bare).status == 404
    emu.set_plan(retrieve_accepts="any")
    assert account.retrieve(bare).status == 200


def test_keys_credits_and_limits(emu: Emulator, account: Account) -> None:
    emu.set_plan(keys=["sk-right"])
    assert account.submit().status == 401
    assert ask(f"{emu.base_url}/v2/billing").status == 401
    made = len(emu.generations()) + 1
    emu.set_plan(keys=[], refuse_key_after_n=made)
    kept = account.make()
    assert account.submit().status == 401
    assert account.retrieve(kept).status == 200
    spent = sum(row["final_usd"] for row in emu.generations() if row["state"] != "error")
    emu.set_plan(refuse_key_after_n=None, credits_usd=spent + 0.3)
    assert account.submit().status in (200, 201)
    assert account.submit().status == 403
    emu.set_plan(credits_usd=None, requests_per_minute=120, rate_window_s=1.0, rate_routes=["retrieve"])
    statuses = [account.retrieve(kept).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert "retry-after" not in account.retrieve(kept).headers


def test_the_concurrency_limit_is_hidden_and_kept(emu: Emulator, account: Account) -> None:
    emu.set_plan(instant=False, render_s=60, max_concurrent=2)
    assert [account.submit().status in (200, 201) for _ in range(3)] == [True, True, False]
    assert account.submit().status == 429
    assert emu.finish() == 2
    assert account.submit().status in (200, 201)
    emu.finish()


def test_rendering_ends_in_every_way(emu: Emulator, account: Account) -> None:
    n = len(emu.generations()) + 1
    emu.set_plan(stuck=[n], fails=[n + 1], completed_without_video=1, unknown=[n + 3], statuses=["warming"])
    stuck, failing, late, unknown = (account.make() for _ in range(4))
    words = {account.retrieve(stuck).json()["status"] for _ in range(20)}
    assert "warming" in words
    assert words <= {"queued", "generating", "warming"}
    failed = account.retrieve(failing).json()
    assert (failed["status"], failed["error"]["message"]) == ("error", emu.plan.fail_message)
    assert [account.retrieve(late).json()["video"] is None for _ in range(2)] == [True, False]
    assert account.retrieve(unknown).status == 404
    rows = emu.generations()[n - 1 :]
    assert [row["billed"] for row in rows] == [False, False, True, True]
    assert account.get("/v2/logs?limit=4").json()["data"][2]["status"] == "failed"
    assert emu.finish(n) == 1
    account.retrieve(stuck)
    assert account.link(stuck)


def test_the_log_lags_forgets_and_pages(emu: Emulator, account: Account) -> None:
    emu.set_plan(log_lag_s=0.3, log_forgets=["forgotten"])
    account.submit("forgotten")
    account.submit("late")
    assert account.get("/v2/logs?limit=1").json()["data"][0]["client_request_id"] != "late"

    def shown(_: Emulator) -> bool:
        return bool(account.get("/v2/logs?limit=1").json()["data"][0]["client_request_id"] == "late")

    emu.wait_until(shown, 5)
    page = account.get("/v2/logs?limit=2&offset=0").json()
    assert "forgotten" not in {row["client_request_id"] for row in page["data"]}
    assert page["pagination"]["has_more"]
    walked, offset = [], 0
    while True:
        page = account.get(f"/v2/logs?limit=7&offset={offset}").json()
        walked += page["data"]
        offset += 7
        if not page["pagination"]["has_more"]:
            break
    assert len(walked) == page["pagination"]["total"]
    tomorrow = quote((datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert account.get(f"/v2/logs?start={tomorrow}&end={tomorrow}").json()["data"] == []
    assert account.get("/v2/logs?period=93d").status == 400
    assert account.get("/v2/logs?limit=101").status == 400
    emu.set_plan(logs_per_minute=1)
    assert [account.get("/v2/logs").status for _ in range(2)] == [200, 429]


def test_transactions_page_by_cursor_and_can_be_wrong(emu: Emulator, account: Account) -> None:
    emu.set_plan(double_bill_nth=[len(emu.generations()) + 1], stray_charges=1)
    twice = account.make()
    walked: list[str] = []
    cursor = ""
    while True:
        page = account.get(f"/v2/billing/transactions?limit=5{cursor}").json()
        walked += [row["reference_id"] for row in page["data"]]
        if not page["pagination"]["has_more"]:
            break
        cursor = f"&cursor={page['pagination']['next_cursor']}"
    assert walked.count(twice) == 2
    known = {row["id"] for row in emu.generations()}
    assert sum(reference not in known for reference in walked) == 1
    assert len(walked) == emu.ledger()["totals"]["charges"]
