"""What kind of value each setting takes, and how that is said to people."""

from __future__ import annotations

import msgspec.inspect as kinds
import msgspec.structs

from pipeline.settings.sections import Settings

__all__ = ["KEYS", "is_text", "said_kind"]

_TYPES: dict[str, dict[str, kinds.Type]] = {
    field.name: {one.name: one.type for one in section.fields}
    for field in msgspec.structs.fields(Settings)
    if isinstance(section := kinds.type_info(field.type), kinds.StructType)
}

KEYS: dict[str, tuple[str, ...]] = {section: tuple(types) for section, types in _TYPES.items()}
"""The sections, and the names in each."""


def is_text(section: str, name: str) -> bool:
    """Whether the setting is any text, also one that looks like a number."""
    return isinstance(_TYPES[section][name], kinds.StrType)


def said_kind(section: str, name: str) -> str:
    """What may stand there, such as ``auto or a whole number from 1 to 1,000,000``."""
    return _said(_TYPES[section][name])


def _said(kind: kinds.Type) -> str:
    if isinstance(kind, kinds.UnionType):
        return " or ".join(sorted(map(_said, kind.types), key=len))
    if isinstance(kind, kinds.LiteralType):
        return " or ".join(map(str, kind.values))
    if isinstance(kind, kinds.IntType):
        return f"a whole number{_bounds(kind)}"
    if isinstance(kind, kinds.FloatType):
        return f"a number{_bounds(kind)}"
    if isinstance(kind, kinds.BoolType):
        return "true or false"
    if isinstance(kind, kinds.NoneType):
        return "null"
    return "text, in quotes"


def _bounds(kind: kinds.IntType | kinds.FloatType) -> str:
    parts = []
    if kind.gt is not None:
        parts.append(f"above {kind.gt:,g}" if kind.gt else "above 0")
    if kind.ge is not None:
        parts.append(f"from {kind.ge:,.10g}")
    if kind.le is not None:
        parts.append(f"up to {kind.le:,.10g}")
    return " " + " ".join(parts) if parts else ""
