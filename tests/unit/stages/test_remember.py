"""Kept now and then, and at the end whatever ends the run."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.media import ClipFacts, check_clip
from pipeline.models import builtin_catalogue, model_named
from pipeline.pacing import AdaptivePlan, AdaptiveWindow, Backoff, SubmitPace
from pipeline.settings import Settings
from pipeline.settings.sections import ApiSettings, PollSettings
from pipeline.stages.remember import KEEP_EVERY_S, RememberStage, learning_of
from tests.unit.making import AVATAR_PRO


def pace() -> SubmitPace:
    return SubmitPace(AdaptiveWindow(), 0.0, Backoff(1.0, 60.0, random.Random(1)))


async def test_it_is_kept_now_and_then_and_at_the_end() -> None:
    kept: list[float] = []
    slept = [0.0]
    context: Any = SimpleNamespace(learning=SimpleNamespace(keep=lambda: kept.append(slept[0])))

    async def sleep(seconds: float) -> None:
        if slept[0] >= 2 * KEEP_EVERY_S:
            raise asyncio.CancelledError
        slept[0] += seconds

    with pytest.raises(asyncio.CancelledError):
        await RememberStage(context, sleep=sleep).run()

    assert kept == [KEEP_EVERY_S, 2 * KEEP_EVERY_S, 2 * KEEP_EVERY_S]


@pytest.mark.parametrize(("provider", "files"), [("local", 0), ("aimlapi", 1)])
def test_only_what_was_learned_of_the_paid_api_is_kept(tmp_path: Path, provider: Any, files: int) -> None:
    settings = Settings(api=ApiSettings(provider=provider))
    learning = learning_of(settings, "https://api.example", pace(), {"AVATAR_BATCH_CACHE_DIR": str(tmp_path)})
    learning.plan(AVATAR_PRO)

    learning.keep()

    assert len(list(tmp_path.iterdir())) == files


def test_plans_are_what_the_settings_ask_for() -> None:
    settings = Settings(poll=PollSettings(interval_s=2.0, notice_s=7.0, expected_s=100.0))
    plan = learning_of(settings, "https://api.example", pace(), {}).plan(AVATAR_PRO)

    assert isinstance(plan, AdaptivePlan)
    assert (plan.interval_s, plan.notice_s, plan.times.expected_s) == (2.0, 7.0, 100.0)
    plan = learning_of(Settings(), "https://api.example", pace(), {}).plan(AVATAR_PRO)
    assert isinstance(plan, AdaptivePlan)
    assert plan.times.expected_s == Settings().catalogue[AVATAR_PRO].expected_s


def test_a_clip_goes_on_whose_model_has_left_the_config() -> None:
    learning = learning_of(Settings(), "http://127.0.0.1:9", pace(), {})

    assert learning.plan("mine/gone").gap_s(0.0, 5.0) > 0
    gone = model_named(builtin_catalogue(), "mine/gone")
    assert check_clip(ClipFacts(640, 360, 25.0, 5.0, 5.0, 1000), gone, 5.0) is None
    assert check_clip(ClipFacts(640, 360, 25.0, 3.0, 3.0, 1000), gone, 5.0) is not None
