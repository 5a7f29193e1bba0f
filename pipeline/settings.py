"""Typed settings, and the places they come from.

Each later source overrides the earlier: built-in defaults (those of ``configs/local.yaml``), the file of
``--config``, the environment (``AVATAR_BATCH__SECTION__KEY``), ``--set`` and the command's own options.
msgspec converts and checks them: half a megabyte where pydantic-settings needs eight, with messages that name the key.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from pipeline.errors import ConfigError, one_line
from pipeline.models import Catalogue, extended_catalogue

__all__ = [
    "ApiSettings",
    "AssetSettings",
    "BudgetSettings",
    "DownloadSettings",
    "InspectSettings",
    "NotifySettings",
    "OutputSettings",
    "PollSettings",
    "ReconcileSettings",
    "ReportSettings",
    "RetrySettings",
    "Settings",
    "StudioSettings",
    "SubmitSettings",
    "api_key_from",
    "load_settings",
]

PAID_API_URL = "https://api.aimlapi.com"
ENV_PREFIX = "AVATAR_BATCH__"
KEY_VARIABLES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")

PositiveFloat = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
FloatFromZero = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
IntFromZero = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the API is. ``timeout_s`` is the longest that one request may take in all."""

    provider: Literal["local", "aimlapi"] = "local"
    base_url: str = ""
    timeout_s: PositiveFloat = 120.0

    @property
    def url(self) -> str:
        """Where an ``aimlapi`` run sends its requests, without ``/v2``."""
        return self.base_url or PAID_API_URL


class SubmitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast rows go out: clips rendering at once, submits a minute (0: no limit)."""

    max_in_flight: PositiveInt | Literal["auto"] = "auto"
    requests_per_minute: FloatFromZero = 0.0


class PollSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When an outstanding clip is asked for."""

    strategy: Literal["adaptive", "fixed"] = "adaptive"
    interval_s: PositiveFloat = 1.0
    expected_s: FloatFromZero = 0.0
    give_up_after_s: PositiveFloat = 7200.0
    not_found_s: FloatFromZero = 60.0
    """How long a 404 on a known generation id is taken for a hiccup."""


class RetrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request: tries, first and longest backoff in seconds (exponential, full jitter)."""

    attempts: PositiveInt = 12
    base_s: PositiveFloat = 1.0
    max_s: PositiveFloat = 120.0


class ReconcileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long and how often the usage log is asked about a submit of unknown fate."""

    wait_s: FloatFromZero = 1800.0
    interval_s: PositiveFloat = 10.0


class DownloadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Downloads at once; seconds without a byte after which one is tried again; the largest clip that is taken."""

    concurrency: PositiveInt = 8
    stall_timeout_s: PositiveFloat = 30.0
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 4 * 1024**3


class AssetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How local pictures and voices reach the API."""

    delivery: Literal["inline"] = "inline"


class StudioSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The embedded studio: render processes (0: one a core), quality, and whether a missing face is an error."""

    workers: IntFromZero = 0
    quality: Literal["preview", "draft"] = "preview"
    strict: bool = False


class BudgetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most that the job may spend in USD; None: no limit."""

    max_usd: FloatFromZero | None = None


class OutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clip's file name under OUT, with fields of the row in braces."""

    template: str = "{id}.mp4"


Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class InspectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How finished clips are looked at, and what marks one; a mark changes nothing but what people see.

    ``seconds`` of picture are looked at, in three stretches of a longer clip; ``wait_s`` is how long the end of a run
    waits for clips that have not been looked at yet; None: a quarter of the run's time, at most 60 s.
    """

    enabled: bool = True
    seconds: PositiveFloat = 12.0
    wait_s: FloatFromZero | None = None
    silence_db: Annotated[float, msgspec.Meta(ge=-120, le=0)] = -50.0
    min_similarity: Share = 0.6
    max_offset_ms: FloatFromZero = 200.0
    max_missing_s: FloatFromZero = 0.3
    max_black_share: Share = 0.5
    max_still_share: Share = 0.8
    min_mouth: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.12


class ReportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``report.html``: whether each run's end writes it, and how many clips it shows (those that need people first)."""

    after_run: bool = True
    max_clips: PositiveInt = 5000


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is told when a run ends: a command (the summary on its standard input), a URL (the summary as a POST).

    ``secret`` signs the POST; it is best given as ``AVATAR_BATCH__NOTIFY__SECRET``.
    """

    command: str = ""
    url: str = ""
    secret: str = ""
    timeout_s: PositiveFloat = 30.0
    attempts: PositiveInt = 4


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of a job. ``models`` extends the catalogue of models."""

    api: ApiSettings = ApiSettings()
    submit: SubmitSettings = SubmitSettings()
    poll: PollSettings = PollSettings()
    retry: RetrySettings = RetrySettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    download: DownloadSettings = DownloadSettings()
    assets: AssetSettings = AssetSettings()
    studio: StudioSettings = StudioSettings()
    budget: BudgetSettings = BudgetSettings()
    output: OutputSettings = OutputSettings()
    inspect: InspectSettings = InspectSettings()
    report: ReportSettings = ReportSettings()
    notify: NotifySettings = NotifySettings()
    models: dict[str, dict[str, Any]] = {}

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of models with this config's changes."""
        return extended_catalogue(self.models)


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
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}): check --config") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: isn't UTF-8 text: save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{path}{line}: isn't valid YAML ({one_line(str(getattr(error, 'problem', None) or error), 200)})"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected sections (api:, submit:, …), got {type(values).__name__}")
    return values


def _flat(values: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for section, content in values.items():
        if isinstance(content, Mapping) and section != "models":
            pairs += [(f"{section}.{key}", value) for key, value in content.items()]
        elif content is not None:
            pairs.append((str(section), content))
    return pairs


def _from_environ(environ: Mapping[str, str]) -> list[tuple[str, Any]]:
    return [
        (name.removeprefix(ENV_PREFIX).lower().replace("__", "."), _scalar(text))
        for name, text in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and text
    ]


def _from_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text}: expected KEY=VALUE, such as --set submit.max_in_flight=8")
    return key.strip(), _scalar(value.strip())


def _scalar(text: str) -> Any:
    """Numbers, booleans and null as YAML reads them; everything else stays the text it is ({id}.mp4, say)."""
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # no stub for it
    kinds = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")}
    if tag not in kinds:
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _put(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    parts = key.split(".")
    if parts[0] == "models":
        # A model's name holds dots and slashes of its own, so only a whole mapping can be given.
        if key != "models":
            raise ConfigError(f"{source}: {key}: models are described in a config file, under its key models")
        values["models"] = value
        return
    if parts[0] not in _KEYS:
        raise ConfigError(f"{source}: {key}: no such setting{_hint(parts[0], _KEYS)}")
    if len(parts) != 2:
        raise ConfigError(f"{source}: {key}: expected section.key, such as {parts[0]}.{_KEYS[parts[0]][0]}")
    if parts[1] not in _KEYS[parts[0]]:
        raise ConfigError(f"{source}: {key}: no such setting{_hint(parts[1], _KEYS[parts[0]], parts[0] + '.')}")
    values.setdefault(parts[0], {})[parts[1]] = value


def _hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {prefix}{near[0]}?" if near else f" (known: {', '.join(prefix + k for k in known)})"


_KEYS: dict[str, tuple[str, ...]] = {
    field.name: getattr(type(field.default), "__struct_fields__", ())
    for field in msgspec.structs.fields(Settings)
    if field.name != "models"
}


def _convert(values: Mapping[str, Any], source: str) -> Settings:
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.")
        raise ConfigError(f"{source}: {key or 'config'}: {message[:1].lower()}{message[1:].replace('`', '')}") from None


def _check(settings: Settings) -> None:
    api = settings.api
    if api.provider == "local" and api.base_url:
        raise ConfigError(
            "api.base_url is set, but api.provider is local (the studio starts inside the run): add --set api.provider=aimlapi"
        )
    if api.base_url:
        try:
            parts = urlsplit(api.base_url)
            sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ConfigError(f"api.base_url: {api.base_url!r} isn't an http(s) URL, such as https://api.aimlapi.com")
        if parts.username or parts.password:
            raise ConfigError("api.base_url must not hold a password: the key comes from AIMLAPI_API_KEY")
        if parts.query or parts.fragment:
            raise ConfigError("api.base_url must not hold a query or a fragment")
    if settings.retry.max_s < settings.retry.base_s:
        raise ConfigError("retry.max_s is smaller than retry.base_s: make it at least as large")
