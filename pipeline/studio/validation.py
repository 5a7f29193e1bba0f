"""What a submit's body must look like, in the words of the provider's own validation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.models import Model
from pipeline.studio.answers import Refusal
from pipeline.studio.assets import AssetError, Inline, Link, parse_asset

__all__ = ["Submit", "read_submit"]


@dataclass(frozen=True, slots=True)
class Submit:
    """A valid body. ``options`` are the extra fields that the model takes; fields it doesn't know are left out."""

    model: Model
    image: Inline | Link
    audio: Inline | Link
    prompt: str
    options: Mapping[str, Any]


class _Issues:
    """Collects what is wrong with a body, so that one answer tells it all."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.found: list[str] = []

    def text(self, field: str, *, required: bool) -> str | None:
        """The field's text, None where it is missing or no text."""
        if field in self._body:
            value = self._body[field]
            if isinstance(value, str):
                return value
            self.found.append(f"{field}: Expected string, received {_kind(value)}")
        elif required:
            self.found.append(f"{field}: Expected string, received undefined")
        return None

    def choice(self, field: str, value: object, allowed: Iterable[object]) -> None:
        """Complain unless the value is one of those allowed."""
        allowed = tuple(allowed)
        # The type counts too: True == 1 in Python, not in JSON.
        if not any(value == one and type(value) is type(one) for one in allowed):
            names = " | ".join(_quoted(one) for one in allowed)
            self.found.append(f"{field}: Invalid enum value. Expected {names}, received {_quoted(value)}")

    def asset(self, field: str, max_bytes: int) -> Inline | Link | None:
        """The medium in a field."""
        text = self.text(field, required=True)
        if text is None:
            return None
        try:
            return parse_asset(text, max_bytes)
        except AssetError as error:
            self.found.append(f"{field}: {error}")
            return None


def read_submit(raw: bytes, models: Mapping[str, Model]) -> Submit:
    """Read and check a submit's body.

    Raises:
        Refusal: 400, with all that is wrong.
    """
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"Expected a JSON body, received something else: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, f"Expected object, received {_kind(body)}")
    issues = _Issues(body)
    name = issues.text("model", required=True)
    if name is not None:
        issues.choice("model", name, models)
    model = models.get(name or "")
    if model is None:
        for field in ("image_url", "audio_url"):
            issues.text(field, required=True)
        raise Refusal(400, "; ".join(issues.found))
    image = issues.asset("image_url", model.picture.max_bytes)
    audio = issues.asset("audio_url", model.voice.max_bytes)
    prompt = _prompt(issues, model)
    if model.providers and (provider := issues.text("provider", required=False)) is not None:
        issues.choice("provider", provider, model.providers)
    options = {field: body[field] for field in model.options if field in body}
    for field, value in options.items():
        issues.choice(field, value, model.options[field])
    if issues.found or image is None or audio is None:
        raise Refusal(400, "; ".join(issues.found))
    return Submit(model, image, audio, prompt, options)


def _prompt(issues: _Issues, model: Model) -> str:
    text = issues.text("prompt", required=False) or ""
    if not model.prompt_max_chars:
        return ""
    if len(text) > model.prompt_max_chars:
        issues.found.append(f"prompt: Expected at most {model.prompt_max_chars} character(s), received {len(text)}")
    return text


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _quoted(value: object) -> str:
    if isinstance(value, str):
        # Through JSON, so that control characters come out as escapes.
        return f"'{json.dumps(value[:60])[1:-1]}'"
    return json.dumps(value) if isinstance(value, (bool, int, float)) else _kind(value)
