"""What all tests share: how hypothesis looks for examples, and a repair of aioresponses."""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest.mock import Mock

import aiohttp
import aioresponses.core
import pytest
from hypothesis import HealthCheck, settings

# Tests know nothing of what other runs have learned, and leave nothing for those to come.
os.environ["AVATAR_BATCH_CACHE_DIR"] = ""

# Whoever starts the tests in the background of a script has them ignore Ctrl-C, and with them all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The gate must say the same twice, so examples come from no clock and no database; `--hypothesis-seed` explores more.
settings.register_profile(
    "quick", deadline=None, max_examples=50, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
settings.load_profile("quick")


class _AnswerOfAioresponses(aiohttp.ClientResponse):
    """aiohttp 3.14 wants a ``stream_writer`` for a response, which aioresponses 0.7.9 doesn't know of."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **({"stream_writer": Mock(output_size=0)} | options))


@pytest.fixture(autouse=True, scope="session")
def _aioresponses_speaks_todays_aiohttp() -> None:
    aioresponses.core.ClientResponse = _AnswerOfAioresponses  # type: ignore[attr-defined]
