"""The wire: requests out, answers deciphered by pure functions; no policy."""

from pipeline.api.client import ApiClient
from pipeline.api.wire import Accepted, Generation, LogEntry, LogPage

__all__ = ["Accepted", "ApiClient", "Generation", "LogEntry", "LogPage"]
