"""Dataclasses to plain JSON values and back, strictly: a typo in a test's plan must fail, not be ignored."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin


def dump(value: Any) -> Any:
    """The JSON form of a dataclass."""
    return dataclasses.asdict(value)


def shallow(value: Any) -> dict[str, Any]:
    """The fields of a flat dataclass: `dataclasses.asdict` copies deeply, which is most of the cost of a request."""
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}


def load(kind: Any, value: Any, where: str = "plan") -> Any:
    """Build a `kind` from its JSON form; ValueError names the place that does not fit."""
    origin = get_origin(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    if origin in (Union, types.UnionType):
        return _either(kind, value, where)
    if origin is Literal:
        return _expect(value in get_args(kind), value, f"one of {', '.join(map(repr, get_args(kind)))}", where)
    if origin is list:
        _expect(isinstance(value, (list, tuple)), value, "a list", where)
        return [load(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        _expect(isinstance(value, dict), value, "an object", where)
        return {str(k): load(get_args(kind)[1], item, f"{where}.{k}") for k, item in value.items()}
    if kind is float:
        # bool is an int to Python, but `true` seconds is surely a mistake.
        return float(_expect(isinstance(value, (int, float)) and not isinstance(value, bool), value, "a number", where))
    if kind is int:
        return _expect(isinstance(value, int) and not isinstance(value, bool), value, "a whole number", where)
    if kind is type(None):
        return _expect(value is None, value, "null", where)
    return _expect(isinstance(value, kind), value, kind.__name__, where)


def _record(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, kind):
        return value
    _expect(isinstance(value, dict), value, "an object", where)
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(hints))}")
    try:
        return kind(**{name: load(hints[name], item, f"{where}.{name}") for name, item in value.items()})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _either(kind: Any, value: Any, where: str) -> Any:
    problems = []
    for option in get_args(kind):
        try:
            return load(option, value, where)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError("; or ".join(problems))


def _expect(good: object, value: Any, wanted: str, where: str) -> Any:
    if not good:
        raise ValueError(f"{where}: expected {wanted}, received {value!r}")
    return value
