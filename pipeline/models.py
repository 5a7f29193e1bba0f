"""The catalogue of models: what each takes, what it makes, what a second of it costs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
import yaml

from pipeline.errors import ConfigError

__all__ = [
    "Catalogue",
    "Model",
    "PictureLimits",
    "VoiceLimits",
    "builtin_catalogue",
    "extended_catalogue",
    "model_named",
]

Positive = Annotated[float, msgspec.Meta(gt=0)]
PositiveInt = Annotated[int, msgspec.Meta(gt=0)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class PictureLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes as a picture: format names in lower case, bytes, pixels, the longer side over the shorter."""

    formats: tuple[str, ...]
    max_bytes: PositiveInt
    min_side_px: PositiveInt
    max_aspect: Positive


class VoiceLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes as a voice: format names in lower case, bytes, seconds."""

    formats: tuple[str, ...]
    max_bytes: PositiveInt
    min_s: Positive
    max_s: Positive


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model.

    ``width``, ``height`` and ``fps`` are of the clips it makes (None: not promised, so not checked);
    ``prompt_max_chars`` 0 means that it takes no prompt; ``options`` are the extra body fields it takes, each with
    its allowed values; ``expected_s`` is a typical render time in seconds.
    """

    name: str
    price_usd_per_s: Positive
    expected_s: Positive
    width: PositiveInt | None
    height: PositiveInt | None
    fps: PositiveInt | None
    prompt_max_chars: NotNegative
    providers: tuple[str, ...]
    options: dict[str, tuple[str | int | float | bool, ...]]
    picture: PictureLimits
    voice: VoiceLimits

    def price_usd(self, voice_s: float) -> float:
        """What a clip of ``voice_s`` seconds is expected to cost, in USD."""
        return round(voice_s * self.price_usd_per_s, 6)


Catalogue = Mapping[str, Model]

_LIKE = "klingai/avatar-pro"
"""What a model starts from that is not shipped."""


@cache
def _builtin_values() -> dict[str, dict[str, Any]]:
    text = files("pipeline").joinpath("models.yaml").read_text(encoding="utf-8")
    values: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return values


def _convert(values: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    models = {}
    for name, value in values.items():
        try:
            models[name] = msgspec.convert({"name": name, **value}, Model)
        except msgspec.ValidationError as error:
            raise ConfigError(f"models.{name}: {error} (see Models in docs/configuration.md)") from None
    return MappingProxyType(models)


@cache
def builtin_catalogue() -> Catalogue:
    """The models that are shipped, by name."""
    return _convert(_builtin_values())


def model_named(catalogue: Catalogue, name: str) -> Model:
    """A model; for one that has left the catalogue since its clip was ordered, one of which little is promised."""
    known = catalogue.get(name)
    if known is not None:
        return known
    return msgspec.structs.replace(builtin_catalogue()[_LIKE], name=name, width=None, height=None, fps=None)


def extended_catalogue(changes: Mapping[str, Any]) -> Catalogue:
    """The shipped models with a config's ``models`` laid over them.

    A known model takes single new values; an unknown name is a new model and starts from avatar-pro's values.

    Raises:
        ConfigError: a value is not of its kind.
    """
    if not changes:
        return builtin_catalogue()
    merged: dict[str, Mapping[str, Any]] = dict(_builtin_values())
    for name, change in changes.items():
        if not isinstance(change, Mapping):
            raise ConfigError(f"models.{name}: expected values such as price_usd_per_s, got {change!r}")
        base: Mapping[str, Any] = merged.get(name, merged[_LIKE])
        nested = {
            key: {**base[key], **change[key]} if isinstance(change.get(key), Mapping) else change.get(key, base[key])
            for key in ("picture", "voice")
        }
        merged[name] = {**base, **change, **nested}
    return _convert(merged)
