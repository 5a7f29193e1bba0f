"""What the prompt's words do to the performance: never more than a little, and nothing that it doesn't know."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["GROUPS", "Manner", "manner_of"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How the lines are performed; each value multiplies or, for ``smile`` and ``brow``, is added.

    Attributes:
        motion: the head's moves.
        opening: how far the mouth opens.
        blinks: how often the eyes close.
        smile: -1 to 1, drawn to the lips' spread.
        brow: 0 to 1, how far the brows are up at rest.
    """

    motion: float = 1.0
    opening: float = 1.0
    blinks: float = 1.0
    smile: float = 0.0
    brow: float = 0.0

    def joined(self, other: Manner) -> Manner:
        """Both manners at once, within what still looks like the same face."""
        return Manner(
            min(max(self.motion * other.motion, 0.15), 1.5),
            min(max(self.opening * other.opening, 0.8), 1.15),
            min(max(self.blinks * other.blinks, 0.75), 1.3),
            min(max(self.smile + other.smile, -0.3), 0.35),
            min(max(self.brow + other.brow, 0.0), 0.5),
        )


GROUPS: dict[Manner, frozenset[str]] = {
    Manner(motion=0.65, opening=0.95, blinks=0.9): frozenset(
        {
            "calm",
            "calmly",
            "composed",
            "gentle",
            "gently",
            "quiet",
            "quietly",
            "relaxed",
            "serene",
            "slow",
            "slowly",
            "soft",
            "softly",
        }
    ),
    Manner(motion=1.3, opening=1.08, blinks=1.1, brow=0.1): frozenset(
        {
            "animated",
            "dynamic",
            "eager",
            "energetic",
            "energetically",
            "enthusiastic",
            "excited",
            "lively",
            "passionate",
        }
    ),
    Manner(motion=1.1, opening=1.04, smile=0.25, brow=0.12): frozenset(
        {
            "cheerful",
            "friendly",
            "happy",
            "happily",
            "joyful",
            "laugh",
            "laughing",
            "laughs",
            "smile",
            "smiles",
            "smiling",
            "warm",
            "warmly",
        }
    ),
    Manner(motion=0.8, smile=-0.15): frozenset(
        {"formal", "grave", "sad", "sadly", "serious", "seriously", "solemn", "stern"}
    ),
    Manner(motion=0.2, blinks=0.9): frozenset({"motionless", "static", "still", "steady", "unmoving"}),
    Manner(brow=0.3): frozenset({"amazed", "astonished", "curious", "questioning", "surprised"}),
}
"""What each word does. A group counts once, however many of its words a prompt has."""

_NEGATIONS = frozenset({"no", "not", "never", "without", "don't", "isn't", "hardly"})
_NEGATION_REACH = 2


def manner_of(prompt: str) -> Manner:
    """The manner that a prompt asks for; a word is passed over if one of the two before it negates it."""
    words = re.findall(r"[a-z']+", prompt.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    wanted = {
        word for n, word in enumerate(words) if not _NEGATIONS.intersection(words[max(0, n - _NEGATION_REACH) : n])
    }
    manner = Manner()
    for change, group in GROUPS.items():
        if wanted & group:
            manner = manner.joined(change)
    return manner
