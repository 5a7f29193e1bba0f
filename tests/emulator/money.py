"""What the account was charged, and what the tests compare with: the ledger. All derived from the generations."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .catalogue import CREDITS_PER_USD, price
from .generation import Generation, inference_id
from .plan import Plan
from .world import World

PLENTY_USD = 1_000_000.0
STRAY_USD = 0.60375


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the provider's ledger of transactions."""

    at: float
    key: str
    usd: float
    credits: int
    reference_id: str
    model: str


def cost(plan: Plan, model: str, seconds: float, factor: float = 1.0) -> tuple[float, int]:
    """USD and credits of a clip."""
    billed = math.ceil(seconds) if plan.bill_rounding == "ceil" else seconds
    credits = round(billed * price(plan, model) * factor * CREDITS_PER_USD)
    return credits / CREDITS_PER_USD, credits


def charges(world: World, now: float) -> list[Charge]:
    """All charges that have landed, oldest first."""
    plan, landed = world.plan, []
    for one in world.generations:
        at = one.charged_at(plan.bill_lag_s)
        if at is not None and at <= now:
            landed += [
                Charge(at, f"{one.bare_id}-{copy}", one.final_usd, one.final_credits, _reference(plan, one), one.model)
                for copy in range(2 if one.number in plan.double_bill_nth else 1)
            ]
    start = world.generations[0].created if world.generations else now
    for index in range(plan.stray_charges):
        name = hashlib.sha256(f"{world.secret}:stray:{index}".encode()).hexdigest()
        bare = f"{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}"
        model = "klingai/avatar-pro"
        reference = bare if plan.inference_id_style == "bare" else f"{bare}:{model}"
        credits = round(STRAY_USD * CREDITS_PER_USD)
        landed.append(Charge(start, f"{bare}-0", STRAY_USD, credits, reference, model))
    return sorted(landed, key=lambda charge: (charge.at, charge.key))


def _reference(plan: Plan, generation: Generation) -> str:
    return inference_id(generation, plan.inference_id_style)


def balance(world: World, now: float) -> float:
    """What the account still has, by the charges that landed."""
    start = PLENTY_USD if world.plan.credits_usd is None else world.plan.credits_usd
    return round(start - sum(charge.usd for charge in charges(world, now)), 6)


def affords(world: World, usd: float, now: float) -> bool:
    """Whether a new clip is paid for, with what already renders counted as spent."""
    if world.plan.credits_usd is None:
        return True
    lost = sum(one.final_usd for one in world.generations if one.state(now) != "error")
    return lost + usd <= world.plan.credits_usd + 1e-9


def ledger(world: World, now: float) -> dict[str, Any]:
    """Every generation and the totals, as the tests read them."""
    landed = Counter(charge.key.rpartition("-")[0] for charge in charges(world, now))
    rows = []
    for one in world.generations:
        state = one.state(now)
        rows.append(
            {
                "number": one.number,
                "id": one.id,
                "client_request_id": one.client_request_id,
                "request_id": one.request_id,
                "created": one.created,
                "model": one.model,
                "seconds": one.seconds,
                "usd": one.usd,
                "credits": one.credits,
                "final_usd": one.final_usd,
                "state": state,
                "billed": one.charged_at(0) is not None and state == "completed",
                "charges": landed[one.bare_id],
                "prompt": one.prompt,
                "options": one.options,
                "image_url": one.image_url,
                "image_sha256": one.image_sha256,
                "audio_url": one.audio_url,
                "audio_sha256": one.audio_sha256,
                "key_sha256": one.key_sha256,
                "retrieves": one.retrieves,
                "downloads": one.downloads,
            }
        )
    by_client = Counter(one.client_request_id for one in world.generations if one.client_request_id)
    paid = [one for one, row in zip(world.generations, rows, strict=True) if row["billed"]]
    return {
        "generations": rows,
        "totals": {
            "generations": len(rows),
            "states": dict(Counter(row["state"] for row in rows)),
            "billed": len(paid),
            "usd_billed": round(sum(one.final_usd for one in paid), 6),
            "credits_billed": sum(one.final_credits for one in paid),
            "charges": sum(landed.values()),
            "balance_usd": balance(world, now),
            "repeated_client_ids": {name: count for name, count in by_client.items() if count > 1},
            "peak_rendering": world.peak_rendering,
            "refused": dict(world.refused),  # submits, by status
            "faults": [
                {"route": rule.route, "do": rule.action.do, "seen": tally.seen, "fired": tally.fired}
                for rule, tally in zip(world.plan.rules, world.tallies, strict=True)
            ],
        },
    }
