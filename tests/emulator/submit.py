"""POST /v2/video/generations: validated like the provider's page, then made."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from typing import Any

from .answers import Refusal, Reply, json_reply, old_style
from .catalogue import MODELS, PROVIDERS, output
from .faults import render_seconds
from .generation import Generation
from .media import URL_SECONDS, Media
from .money import affords, cost
from .world import World

CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
PROMPT_LIMIT = 2500
KNOWN = {"model", "image_url", "audio_url", "prompt"}


def usable_client_id(value: str | None) -> str | None:
    """The client's request id, or None: any other form is dropped without a word."""
    return value if value is not None and CLIENT_ID.match(value) else None


async def submit(
    world: World, media: Media, body: bytes, key: str, client_id: str | None, request_id: str
) -> tuple[Generation, Reply]:
    """Make a generation, or raise a Refusal."""
    fields = _fields(body)
    image, audio = media.parse("image_url", fields["image_url"]), media.parse("audio_url", fields["audio_url"])
    picture, voice = await media.look("image_url", image), await media.look("audio_url", audio)
    plan, model = world.plan, fields["model"]
    if plan.check_media:
        for name, look in (("image_url", picture), ("audio_url", voice)):
            if look.problem:
                raise Refusal(400, f"{name}: {look.problem}", "problem")
        if voice.seconds > MODELS[model].longest_s:
            limit = MODELS[model].longest_s
            raise Refusal(400, f"audio_url: Expected at most {limit:g} s, received {voice.seconds:.2f}", "problem")
    seconds = voice.seconds or URL_SECONDS
    usd, credits = cost(plan, model, seconds)
    now = time.time()
    # From here to the end nothing waits, so two submits cannot both take the last credits or the last slot.
    if not affords(world, usd, now):
        raise Refusal(403)
    if plan.max_concurrent is not None and world.rendering(now) >= plan.max_concurrent:
        raise Refusal(429, f"You have reached the limit of concurrent generations: {plan.max_concurrent}.")
    number = len(world.generations) + 1
    render_s = render_seconds(plan, number)
    final_usd, final_credits = cost(plan, model, seconds, plan.final_cost_factor)
    generation = Generation(
        number=number,
        id=f"{uuid.uuid4()}:{model}" if plan.id_suffix else str(uuid.uuid4()),
        client_request_id=client_id,
        request_id=request_id,
        created=now,
        ready_at=None if render_s is None else now + render_s,
        fails=number in plan.fails,
        fail_message=plan.fail_message,
        model=model,
        seconds=round(seconds, 6),
        output=output(plan, model, fields.get("resolution")),
        pad_bytes=plan.pad_bytes,
        usd=usd,
        credits=credits,
        final_usd=final_usd,
        final_credits=final_credits,
        prompt=fields.get("prompt"),
        image_url=image.url,
        image_sha256=image.sha256,
        audio_url=audio.url,
        audio_sha256=audio.sha256,
        options={name: value for name, value in fields.items() if name not in KNOWN},
        key_sha256=hashlib.sha256(key.encode()).hexdigest(),
    )
    world.make(generation)
    return generation, _accepted(world, generation, client_id)


def _accepted(world: World, generation: Generation, client_id: str | None) -> Reply:
    old = old_style(world.plan, generation.number)
    usage = {"tokens_used" if old else "credits_used": generation.credits}
    body = {
        "generation_id" if old else "id": generation.id,
        "status": "queued",
        "meta": {"usage": usage},
    }
    headers = {
        "x-inference-id": generation.id,
        "x-aimlapi-credits-used": str(generation.credits),
        "x-aimlapi-usd-spent": f"{generation.usd:.6f}",
    }
    if client_id is not None:
        headers["x-client-request-id"] = client_id
    # Both codes are in use.
    return json_reply(body, 201 if generation.number % 2 else 200, headers)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"Expected valid JSON, received {error}", "problem") from error
    if not isinstance(fields, dict):
        raise Refusal(400, f"Expected object, received {_kind(fields)}", "problem")
    for name in ("model", "image_url", "audio_url"):
        _string(fields, name, required=True)
    for name in ("prompt", "provider", "resolution"):
        _string(fields, name, required=False)
    if fields["model"] not in MODELS:
        known = " | ".join(f"'{name}'" for name in MODELS)
        raise Refusal(400, f"model: Invalid enum value. Expected {known}, received '{fields['model']}'", "problem")
    model = MODELS[fields["model"]]
    prompt, provider, resolution = fields.get("prompt"), fields.get("provider"), fields.get("resolution")
    if prompt is not None and model.takes_prompt and len(prompt) > PROMPT_LIMIT:
        raise Refusal(400, f"prompt: Expected at most {PROMPT_LIMIT} characters, received {len(prompt)}", "problem")
    if provider is not None and provider not in PROVIDERS:
        raise Refusal(400, f"provider: Expected one of {', '.join(PROVIDERS)}, received '{provider}'", "problem")
    if resolution is not None and model.resolutions and resolution not in model.resolutions:
        wanted = ", ".join(model.resolutions)
        raise Refusal(400, f"resolution: Expected one of {wanted}, received '{resolution}'", "problem")
    return fields


def _string(fields: dict[str, Any], name: str, *, required: bool) -> None:
    if name not in fields:
        if required:
            raise Refusal(400, f"{name}: Required. Expected string, received undefined", "problem")
    elif not isinstance(fields[name], str):
        raise Refusal(400, f"{name}: Expected string, received {_kind(fields[name])}", "problem")


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
