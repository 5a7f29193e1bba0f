"""The settings, typed. The defaults are those of ``configs/local.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

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
]

PAID_API_URL = "https://api.aimlapi.com"

PositiveFloat = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
FloatFromZero = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
IntFromZero = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the API is. ``timeout_s`` is the longest that one request may take in all."""

    provider: Literal["local", "aimlapi"] = "local"
    base_url: str = ""
    timeout_s: PositiveFloat = 120.0
    requests_per_minute: FloatFromZero = 0.0
    """Submits and polls together; 0: no limit but those that the API shows."""

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
    notice_s: FloatFromZero = 0.0
    """Mean seconds wanted from a clip's being ready until that is noticed; 0: a hundredth of the typical render time."""
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
