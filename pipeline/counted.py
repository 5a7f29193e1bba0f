"""A number with its noun, as people write it. Pure."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str, verb: str = "") -> str:
    """``1 row``, ``2 rows``; with a verb in its plural, ``1 row is``, ``2 rows are``."""
    words = f"{number} {noun}" if number == 1 else f"{number} {noun}s"
    if not verb:
        return words
    return f"{words} {verb if number != 1 else {'are': 'is', 'have': 'has'}.get(verb, verb + 's')}"
