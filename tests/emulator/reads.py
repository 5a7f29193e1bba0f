"""The GET routes of the API: retrieve, usage log, balance, transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from . import faults
from .answers import Refusal, Reply, iso, json_reply, old_style
from .generation import Generation, inference_id
from .links import Links
from .money import Charge, balance, charges
from .world import World

HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
WINDOW_S = 92 * 86400.0


def retrieve(world: World, links: Links, cdn_url: str, generation_id: str | None) -> tuple[Generation, Reply]:
    """GET /v2/video/generations?generation_id=ID."""
    if not generation_id:
        raise Refusal(400, "generation_id: Required. Expected string, received undefined", "problem")
    plan = world.plan
    generation = world.find(generation_id, any_form=plan.retrieve_accepts == "any")
    if generation is None or generation.number in plan.unknown:
        raise Refusal(404)
    generation.retrieves += 1
    world.touch(generation)
    now = time.time()
    state = generation.state(now)
    body: dict[str, Any] = {"id": generation.id, "status": state, "video": None, "error": None, "meta": None}
    if state == "error":
        body["error"] = {"name": "GenerationError", "message": generation.fail_message}
    elif state == "completed":
        generation.finished_retrieves += 1
        used = "tokens_used" if old_style(plan, generation.number) else "credits_used"
        body["meta"] = {"usage": {used: generation.final_credits}}
        if generation.finished_retrieves > plan.completed_without_video:
            hostile = faults.hostile_link(
                plan, generation.number, generation.finished_retrieves - plan.completed_without_video
            )
            body["video"] = {"url": hostile or links.make(cdn_url, generation)}
    else:
        share = generation.share_done(now)
        body["status"] = faults.status_word(plan, generation.number, generation.retrieves, share)
    return generation, json_reply(body)


def logs(world: World, query: Mapping[str, str]) -> Reply:
    """GET /v2/logs: newest first by creation, whatever came late in between."""
    now = time.time()
    start, end = _window(query, now)
    limit, offset = _whole(query, "limit", 100, 1, 100), _whole(query, "offset", 0, 0, 10**9)
    model, plan = query.get("model"), world.plan
    early, latest = plan.log_at == "submit", now - plan.log_lag_s
    forgets = bool(plan.log_forgets or plan.log_forgets_nth or plan.log_forgets_probability)
    seen = []
    for one in reversed(world.generations):
        # Written out, since a long job walks thousands of rows for every page.
        at = one.created if early else one.ready_at
        if at is None or at > latest or not start <= one.created <= end or (model and one.model != model):
            continue
        if not (forgets and faults.log_forgets(plan, one.number, one.client_request_id)):
            seen.append(one)
    page = seen[offset : offset + limit]
    return json_reply(
        {
            "data": [_log_row(world, one, now) for one in page],
            "pagination": {
                "limit": limit,
                "offset": offset,
                "total": len(seen),
                "has_more": offset + len(page) < len(seen),
            },
        }
    )


def _log_row(world: World, one: Generation, now: float) -> dict[str, Any]:
    failed = one.state(now) == "error"
    return {
        "created": iso(one.created),
        "status": "failed" if failed else "succeeded",
        "model": one.model,
        "cost": {"usd": 0 if failed else one.final_usd, "credits": 0 if failed else one.final_credits},
        "request_id": one.request_id,
        "inference_id": inference_id(one, world.plan.inference_id_style),
        "client_request_id": one.client_request_id,
    }


def _window(query: Mapping[str, str], now: float) -> tuple[float, float]:
    if "start" in query or "end" in query:
        start, end = _moment(query, "start", now - 86400.0), _moment(query, "end", now)
    else:
        match = re.fullmatch(r"(\d{1,5})([mhdw])", query.get("period", "24h"))
        if match is None:
            raise Refusal(400, f"period: Expected a period like 24h, received '{query['period']}'", "problem")
        start, end = now - float(match[1]) * HOURS[match[2]] * 3600, now
    if end < start or end - start > WINDOW_S + 1:
        raise Refusal(400, "start: Expected a window of at most 92 days, received another", "problem")
    return start, end


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refusal(400, f"{name}: Expected an ISO 8601 date, received '{text}'", "problem") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refusal(400, f"{name}: Expected a number from {low} to {high}, received '{text}'", "problem")
    return int(text)


def billing(world: World) -> Reply:
    """GET /v2/billing."""
    return json_reply({"current_balance": balance(world, time.time()), "currency": "USD"})


def transactions(world: World, query: Mapping[str, str]) -> Reply:
    """GET /v2/billing/transactions: newest first; the cursor is the last charge of the page before."""
    limit, cursor = _whole(query, "limit", 50, 1, 100), query.get("cursor")
    landed = charges(world, time.time())[::-1]
    begin = 0
    if cursor:
        keys = [charge.key for charge in landed]
        if cursor not in keys:
            raise Refusal(400, f"cursor: Expected a known cursor, received '{cursor}'", "problem")
        begin = keys.index(cursor) + 1
    page = landed[begin : begin + limit]
    more = begin + len(page) < len(landed)
    paging = {"next_cursor": page[-1].key if more else None, "has_more": more}
    data = [_transaction(charge) for charge in page]
    if world.plan.transactions_style == "flat":
        return json_reply({"data": data, **paging})
    return json_reply({"data": data, "pagination": {"limit": limit, **paging}})


def _transaction(charge: Charge) -> dict[str, Any]:
    return {
        "id": charge.key,
        "created": iso(charge.at),
        "type": "charge",
        "amount": -charge.usd,
        "currency": "USD",
        "cost": {"usd": charge.usd, "credits": charge.credits},
        "model": charge.model,
        "reference_id": charge.reference_id,
    }
