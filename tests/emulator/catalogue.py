"""The models as the provider's pages describe them. Frame sizes and prices that no page states are this emulator's."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Plan

CREDITS_PER_USD = 2_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what it makes, what it takes, what it costs."""

    width: int
    height: int
    fps: int
    usd_per_s: float
    takes_prompt: bool = True
    longest_s: float = 300.0
    resolutions: tuple[str, ...] = ()


MODELS = {
    # 1,207,500 credits for a 5 s clip.
    "klingai/avatar-pro": Model(1920, 1080, 48, 0.12075),
    "klingai/avatar-standard": Model(1280, 720, 24, 0.060375),
    "bytedance/omnihuman": Model(1280, 720, 25, 0.147, takes_prompt=False, longest_s=30.0),
    "bytedance/omnihuman/v1.5": Model(1920, 1080, 25, 0.168, takes_prompt=False, longest_s=30.0),
    "veed/fabric-1.0": Model(1280, 720, 25, 0.1575, takes_prompt=False, longest_s=30.0, resolutions=("480p", "720p")),
    "veed/fabric-1.0-fast": Model(
        1280, 720, 25, 0.105, takes_prompt=False, longest_s=30.0, resolutions=("480p", "720p")
    ),
}
PROVIDERS = ("kling", "klingai", "fal", "auto")


def output(plan: Plan, model: str, resolution: str | None) -> tuple[int, int, int]:
    """Width, height and frames a second of what a model makes."""
    if model in plan.outputs:
        width, height, fps = plan.outputs[model]
        return width, height, fps
    known = MODELS[model]
    if resolution == "480p":
        return 854, 480, known.fps
    return known.width, known.height, known.fps


def price(plan: Plan, model: str) -> float:
    """USD a second."""
    return plan.usd_per_s.get(model, MODELS[model].usd_per_s)
