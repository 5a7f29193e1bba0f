"""A row as it stands in the file, before anything is believed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FIELDS", "RawRow", "is_field", "meant_field", "unknown_field"]

FIELDS = ("id", "image", "audio", "prompt", "model", "provider", "options")


@dataclass(frozen=True, slots=True)
class RawRow:
    """Fields by name with the line each stands on. Values are text, or what YAML made of ``options``.

    A value of None was given as empty on purpose and hides a default. What is wrong with the fields of ``told`` was told
    where the file's form was read: that they are missing now is no mistake more.
    """

    line: int
    fields: Mapping[str, Any]
    lines: Mapping[str, int]
    told: frozenset[str] = frozenset()

    def line_of(self, field: str) -> int:
        """The line of a field; the row's own where the field comes from the defaults."""
        return self.lines.get(field, self.line)


def is_field(name: str) -> bool:
    """Whether a row may have a field of this name."""
    return name in FIELDS or (name.startswith("meta_") and name[5:].replace("_", "a").isalnum())


def meant_field(name: str) -> str:
    """The field that a name which is none was probably meant for; empty if there is no telling."""
    plain = re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
    return plain if is_field(plain) else next(iter(difflib.get_close_matches(plain, FIELDS, n=1)), "")


def unknown_field(name: str) -> str:
    """What to tell about a name that is no field."""
    meant = meant_field(name)
    hint = f"did you mean {meant}?" if meant else f"fields are {', '.join(FIELDS)} and any meta_*"
    return f"unknown field {name!r}: {hint}"
