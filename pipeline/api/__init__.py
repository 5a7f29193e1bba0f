"""The wire: requests out, answers deciphered by pure functions; no policy."""

from pipeline.api.books import LogEntry, LogPage
from pipeline.api.client import ApiClient
from pipeline.api.wire import Accepted, Generation

__all__ = ["Accepted", "ApiClient", "Generation", "LogEntry", "LogPage"]
