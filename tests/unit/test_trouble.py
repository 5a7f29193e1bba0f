"""What is told of an API that does not answer, or answers too much: soon, once, and until it is over."""

from __future__ import annotations

import pytest

from pipeline.events import Event
from pipeline.trouble import OUTAGE_AGAIN_S, THROTTLED_AGAIN_S, Trouble

T = 1_800_000_000.0


def event(action: str, at: float = 0.0, **details: object) -> Event:
    return Event(T + at, action, details={"message": "refused"} | details)


@pytest.mark.parametrize("action", ["unreachable", "server_trouble", "poll_trouble", "log_trouble"])
def test_an_outage_is_told_at_its_second_failure_and_once(action: str) -> None:
    trouble = Trouble(1440)
    assert trouble.take(event(action)) == ""
    assert "(refused): trying again for up to 24 min, nothing is lost" in trouble.take(event(action, 1))
    assert [trouble.take(event(action, at)) for at in range(2, 900)] == [""] * 898
    assert trouble.words(T + 40) == "API down for 40 s"


def test_an_api_that_can_not_be_asked_for_the_balance_is_told_at_once() -> None:
    assert "can't be reached (refused)" in Trouble().take(event("no_quote"))


def test_one_lost_poll_among_thousands_is_nothing_to_tell() -> None:
    trouble = Trouble(1440)
    for at in range(0, 1000, 10):
        assert trouble.take(event("poll_trouble", at)) == ""
        assert trouble.words(T + at) == ""
        assert trouble.answered(T + at + 1) == ""


@pytest.mark.parametrize("answer", ["accepted", "completed", "adopted", "throttled"])
def test_its_end_is_told(answer: str) -> None:
    trouble = Trouble(1440)
    for at in range(3):
        trouble.take(event("unreachable", at))
    assert trouble.take(event(answer, 130)) == "the API answers again, after 2 min"
    assert not trouble.is_outage
    assert trouble.take(event("accepted", 140)) == ""


def test_a_network_that_comes_and_goes_is_not_told_each_time() -> None:
    trouble = Trouble(1440)
    told = 0
    for at in range(0, 3600, 12):
        told += sum(bool(trouble.take(event("unreachable", at + n))) for n in range(4))
        trouble.answered(T + at + 6)
    assert 2 <= told <= 3600 / OUTAGE_AGAIN_S


def test_throttling_is_told_at_once_with_how_long_to_wait_and_then_seldom() -> None:
    trouble = Trouble(1440)
    said = trouble.take(event("throttled", retry_after_s=90.0))
    assert said.startswith("the API takes no more for now (refused, it asks to wait 2 min): going on more slowly")
    assert trouble.words(T + 30) == "throttled for 30 s"
    later = [trouble.take(event("throttled", at)) for at in range(1, int(2 * THROTTLED_AGAIN_S))]
    assert sum(map(bool, later)) == 1
    trouble.take(event("accepted", 5000))
    assert trouble.words(T + 5001) == ""
