"""Typed settings, and the places they come from."""

from pipeline.settings.sections import (
    ApiSettings,
    AssetSettings,
    BudgetSettings,
    DownloadSettings,
    InspectSettings,
    NotifySettings,
    OutputSettings,
    PollSettings,
    ReconcileSettings,
    ReportSettings,
    RetrySettings,
    Settings,
    StudioSettings,
    SubmitSettings,
)
from pipeline.settings.sources import api_key_from, load_settings

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
