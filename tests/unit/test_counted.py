"""Numbers with their nouns."""

from __future__ import annotations

from pipeline.counted import counted


def test_one_is_not_many() -> None:
    assert [counted(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(number, "clip", "have") for number in (1, 2)] == ["1 clip has", "2 clips have"]
    assert [counted(number, "clip", "look") for number in (1, 2)] == ["1 clip looks", "2 clips look"]
    assert counted(1, "thing", "are") == "1 thing is"
