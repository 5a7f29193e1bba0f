"""The places that settings come from, laid over each other.

Each later source overrides the earlier: built-in defaults (those of ``configs/local.yaml``), the file of
``--config``, the environment (``AVATAR_BATCH__SECTION__KEY``), ``--set`` and the command's own options.
msgspec converts and checks them: half a megabyte where pydantic-settings needs eight.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
import yaml

from pipeline.errors import ConfigError, one_line
from pipeline.settings.kinds import KEYS, is_text, said_kind
from pipeline.settings.sections import Settings
from pipeline.settings.words import Plain, StandsTwice, is_null, read_mapping, value_of

__all__ = ["api_key_from", "load_settings"]

ENV_PREFIX = "AVATAR_BATCH__"
KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    assignments: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Lay the sources of settings over each other.

    Args:
        config: a YAML file, sections as mappings.
        environ: the environment to read ``AVATAR_BATCH__SECTION__KEY`` from (default: the process's own).
        assignments: ``section.key=value`` words of ``--set``.
        overrides: dotted keys with typed values, the command's own options; None values are left out.

    Raises:
        ConfigError: an unknown key, or a value that can't be; the text names the source and the key.
    """
    values: dict[str, Any] = {}
    settings = Settings()
    environ = os.environ if environ is None else environ
    sources: list[tuple[str, list[tuple[str, Any]]]] = [
        (str(config), _flat(_read_config(config)) if config else []),
        ("environment", _from_environ(environ)),
        ("--set", [_from_assignment(text) for text in assignments]),
        ("option", [(key, value) for key, value in (overrides or {}).items() if value is not None]),
    ]
    for source, pairs in sources:
        for key, value in pairs:
            _put(values, key, value, source)
        if pairs:
            settings = _convert(values, source)
            try:
                _ = settings.catalogue
            except ConfigError as error:
                raise ConfigError(f"{source}: {error}") from None
    _check(settings)
    return settings


def api_key_from(environ: Mapping[str, str]) -> str:
    """The API key from the variables that users of this API already set, in their order; empty if none is set.

    Raises:
        ConfigError: it holds characters that no key has (a line break pasted in, say).
    """
    for name in KEY_VARIABLES:
        key = environ.get(name, "").strip()
        if key:
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigError(f"{name} holds white space or characters that no key has: copy the key again")
            return key
    return ""


def _read_config(path: Path) -> dict[str, Any]:
    try:
        values = read_mapping(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}): check --config") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: isn't UTF-8 text: save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        if isinstance(error, StandsTwice):
            raise ConfigError(f"{path}{line}: {one_line(str(error.problem), 200)}") from None
        raise ConfigError(
            f"{path}{line}: isn't valid YAML ({one_line(str(getattr(error, 'problem', None) or error), 200)}): check "
            "indentation, quotes and colons"
        ) from None
    if is_null(values):
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected sections (api:, submit:, …): see configs/local.yaml for all of them")
    return values


def _flat(values: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for section, content in values.items():
        if isinstance(content, Mapping) and section != "models":
            pairs += [(f"{section}.{key}", None if is_null(value) else value) for key, value in content.items()]
        elif not is_null(content):
            pairs.append((str(section), content))
    return pairs


def _from_environ(environ: Mapping[str, str]) -> list[tuple[str, Any]]:
    return [
        (name.removeprefix(ENV_PREFIX).lower().replace("__", "."), Plain(text))
        for name, text in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and text
    ]


def _from_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text}: expected KEY=VALUE, such as --set submit.max_in_flight=8")
    return key.strip(), Plain(value.strip())


def _put(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    parts = key.split(".")
    if parts[0] == "models":
        # A model's name holds dots and slashes of its own, so only a whole mapping can be given.
        if key != "models":
            raise ConfigError(f"{source}: {key}: models are described in a config file, under its key models")
        values["models"] = value_of(value)
        return
    if parts[0] not in KEYS:
        raise ConfigError(f"{source}: {key}: no such setting{_hint(parts[0], KEYS)}")
    if len(parts) != 2:
        raise ConfigError(f"{source}: {key}: expected section.key, such as {parts[0]}.{KEYS[parts[0]][0]}")
    if parts[1] not in KEYS[parts[0]]:
        raise ConfigError(f"{source}: {key}: no such setting{_hint(parts[1], KEYS[parts[0]], parts[0] + '.')}")
    if not is_text(*parts):
        value = value_of(value)
    elif value is None:
        return  # nothing at all: the default holds
    elif isinstance(value, Plain):
        value = str(value)  # text as it stands, also when it looks like a number
    values.setdefault(parts[0], {})[parts[1]] = value


def _hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else f" (known: {', '.join(prefix + k for k in known)})"


def _convert(values: Mapping[str, Any], source: str) -> Settings:
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.")
        section, _, name = key.partition(".")
        if name not in KEYS.get(section, ()):
            text = f"{message[:1].lower()}{message[1:].replace('`', '')}"
            raise ConfigError(f"{source}: {key or 'config'}: {text}") from None
        raise ConfigError(
            f"{source}: {key}: expected {said_kind(section, name)}{_got(values, section, name)}"
        ) from None


def _got(values: Mapping[str, Any], section: str, name: str) -> str:
    value = values[section][name]
    if name == "secret":
        return ""
    return f", got {'null' if value is None else one_line(str(value), 60)}"


def _check(settings: Settings) -> None:
    api = settings.api
    if api.provider == "local" and api.base_url:
        raise ConfigError(
            "api.base_url is set, but api.provider is local (the studio starts inside the run): add --set api.provider=aimlapi"
        )
    if api.base_url:
        parts = _web_address(api.base_url)
        if parts is None:
            raise ConfigError(f"api.base_url: {api.base_url!r} isn't an http(s) URL, such as https://api.aimlapi.com")
        if parts.username or parts.password:
            raise ConfigError("api.base_url must not hold a password: the key comes from AIMLAPI_API_KEY")
        if parts.query or parts.fragment:
            raise ConfigError("api.base_url must not hold a query or a fragment: leave out what follows ? or #")
    if settings.notify.url and _web_address(settings.notify.url) is None:
        raise ConfigError("notify.url isn't an http(s) URL: give one such as https://example.com/hook")
    if settings.retry.max_s < settings.retry.base_s:
        raise ConfigError("retry.max_s is smaller than retry.base_s: make it at least as large")


def _web_address(text: str) -> SplitResult | None:
    """The parts of an http(s) URL; None if it is none."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None
