"""The usage log, the balance and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .living import Client, Studio
from .media import data_uri


@pytest.fixture
def client_of_own(own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client]) -> Client:
    return client_of(own_studio())


def huge_picture(directory: Path) -> str:
    """A picture that the models' limits allow and the renderer does not."""
    path = directory / "huge.png"
    Image.new("L", (7000, 6000)).save(path)
    return data_uri(path)


async def test_the_log_has_what_ended_and_the_ledger_what_completed(
    client_of_own: Client, voice: Path, long_voice: Path, tmp_path: Path
) -> None:
    client = client_of_own
    done = await client.submit(voice, {"X-Client-Request-Id": "first"})
    await client.until(done, "completed")
    failed = await client.submit(voice, {"X-Client-Request-Id": "not valid!"}, image_url=huge_picture(tmp_path))
    error = (await client.until(failed, "error"))["error"]
    other = await client.submit(voice, {"X-Client-Request-Id": "third"}, model="klingai/avatar-pro")
    await client.until(other, "completed")
    running = await client.submit(long_voice)
    await client.until(running, "generating")

    assert error["name"] == "RenderError"
    assert "7000x6000" in error["message"]
    log = await client.get("/v2/logs", period="24h")
    assert log["pagination"] == {"limit": 20, "offset": 0, "total": 3, "has_more": False}
    rows = log["data"]
    assert [row["inference_id"] for row in rows] == [other, failed, done]  # newest first, and not the running one
    assert [row["status"] for row in rows] == ["succeeded", "failed", "succeeded"]
    assert [row["client_request_id"] for row in rows] == ["third", None, "first"]
    assert rows[1]["cost"] == {"usd": 0.0, "credits": 0}
    assert rows[2]["cost"]["usd"] == pytest.approx(rows[2]["cost"]["credits"] / 2_000_000, abs=1e-6)
    assert all(
        set(row) == {"created", "status", "model", "cost", "request_id", "inference_id", "client_request_id"}
        for row in rows
    )

    spent = sum(row["cost"]["credits"] for row in rows)
    assert (await client.get("/v2/billing")) == {
        "current_balance": pytest.approx(1000 - spent / 2_000_000, abs=1e-6),
        "currency": "USD",
    }
    ledger = (await client.get("/v2/billing/transactions"))["data"]
    assert [entry["reference_id"] for entry in ledger] == [other, done, None]
    assert [entry["type"] for entry in ledger] == ["charge", "charge", "top_up"]
    assert ledger[1]["amount"] == {"usd": -rows[2]["cost"]["usd"], "credits": -rows[2]["cost"]["credits"]}


async def test_the_log_and_the_ledger_are_paged_and_filtered(client_of_own: Client, voice: Path) -> None:
    client = client_of_own
    ids = [
        await client.submit(voice, model=f"klingai/avatar-{kind}")
        for kind in ("standard", "pro", "standard", "standard")
    ]
    for clip_id in ids:
        await client.until(clip_id, "completed")

    first = await client.get("/v2/logs", limit=3)
    second = await client.get("/v2/logs", limit=3, offset=3)
    assert [row["inference_id"] for page in (first, second) for row in page["data"]] == ids[::-1]
    assert (first["pagination"]["has_more"], second["pagination"]["has_more"]) == (True, False)
    assert first["pagination"]["total"] == second["pagination"]["total"] == 4
    assert (await client.get("/v2/logs", limit=1, offset=99))["data"] == []
    pro = await client.get("/v2/logs", model="klingai/avatar-pro")
    assert [row["inference_id"] for row in pro["data"]] == [ids[1]]
    assert (await client.get("/v2/logs", model="other"))["pagination"]["total"] == 0

    now = datetime.now(UTC)
    for start, end, count in ((-60, 60, 4), (-7200, -3600, 0), (60, 120, 0)):
        window = {
            "start": (now + timedelta(seconds=start)).isoformat(),
            "end": (now + timedelta(seconds=end)).isoformat(),
        }
        assert (await client.get("/v2/logs", **window))["pagination"]["total"] == count
    between = first["data"][1]["created"]
    since = await client.get("/v2/logs", start=between, end=(now + timedelta(hours=1)).isoformat())
    assert [row["inference_id"] for row in since["data"]] == ids[:1:-1]

    seen: list[Any] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = await client.get("/v2/billing/transactions", **query)
        seen += page["data"]
        if not page["pagination"]["has_more"]:
            break
        query["cursor"] = page["pagination"]["next_cursor"]
    assert page["pagination"]["next_cursor"] is None
    assert sorted(entry["reference_id"] or "" for entry in seen) == sorted(["", *ids])


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"offset": "-1"},
        {"period": "93d"},
        {"period": "24"},
        {"period": "0h"},
        {"period": "99999999999999d"},
        {"start": "yesterday"},
        {"start": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"},
        {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
    ],
)
async def test_a_bad_query_of_the_log_is_refused(client: Client, query: dict[str, str]) -> None:
    body = await client.get("/v2/logs", 400, **query)

    assert body["status"] == 400
    assert "Expected" in body["message"]


async def test_the_log_can_be_asked_200_times_a_minute(client_of_own: Client) -> None:
    for _ in range(200):
        await client_of_own.get("/v2/logs", period="7d")
    body = await client_of_own.get("/v2/logs", 429)

    assert body["statusCode"] == "429"
    await client_of_own.get("/v2/billing")


async def test_a_balance_that_is_set_runs_out(
    own_studio: Callable[..., Studio], client_of: Callable[[Studio], Client], voice: Path
) -> None:
    client = client_of(own_studio("--balance-usd", "0.25"))
    clip_id = await client.submit(voice)  # 0.15 USD

    async with client.post(voice) as response:  # what is under way counts too
        assert response.status == 403
    await client.until(clip_id, "completed")
    async with client.post(voice) as response:
        assert response.status == 403
        assert response.content_type == "application/problem+json"
    assert (await client.get("/v2/logs"))["pagination"]["total"] == 1
    assert not list((client.studio.directory / "media").iterdir())
