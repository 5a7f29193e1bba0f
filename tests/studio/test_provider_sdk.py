"""The provider's own Python SDK gets a clip from the studio, as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aimlapi import AIMLAPI, AsyncAIMLAPI  # type: ignore[import-untyped]

from .living import Studio
from .media import data_uri, measure


def test_the_provider_sdk_gets_a_clip(shared_studio: Studio, picture: Path, voice: Path, tmp_path: Path) -> None:
    statuses = []
    with AIMLAPI(base_url=f"{shared_studio.base_url}/v1", api_key="any") as sdk:
        clip = sdk.videos.generate_with_polling(
            model="klingai/avatar-pro",
            prompt="a calm speaker",
            extra_body={"image_url": data_uri(picture), "audio_url": data_uri(voice)},
            poll_interval=0.05,
            return_bytes=True,
            status_callback=lambda payload: statuses.append(payload["status"]),
        )

    (tmp_path / "clip.mp4").write_bytes(clip)
    measured = measure(tmp_path / "clip.mp4")
    assert (measured.width, measured.height) == (1920, 1080)
    assert measured.fps == 48
    assert statuses[0] == "queued"
    assert statuses[-1] == "completed"


def test_the_provider_async_sdk_gets_its_payload(shared_studio: Studio, picture: Path, voice: Path) -> None:
    async def generate() -> object:
        async with AsyncAIMLAPI(base_url=f"{shared_studio.base_url}/v1", api_key="any") as sdk:
            return await sdk.videos.generate_with_polling(
                model="klingai/avatar-standard",
                prompt="",
                extra_body={"image_url": data_uri(picture), "audio_url": data_uri(voice)},
                poll_interval=0.05,
            )

    payload = asyncio.run(generate())
    assert isinstance(payload, dict)
    assert payload["status"] == "completed"
    assert payload["video"]["url"].startswith("http://127.0.0.1:")
