"""Words of a config, an environment variable or ``--set`` as values. Pure.

YAML 1.1 reads ``010`` as eight and ``1:30`` as ninety, which nobody means in a setting. So a plain word stays the
text it is until the kind of its setting is known, and numbers are read as people write them.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

__all__ = ["Plain", "StandsTwice", "is_null", "read_mapping", "value_of"]

_NULLS = frozenset({"", "~", "null"})
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_ODD_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


class Plain(str):
    """A word without quotes: a number, a truth or null, if it looks like one and its setting is no text."""

    __slots__ = ()


class StandsTwice(yaml.MarkedYAMLError):
    """A mapping has a key twice: which of them is meant can't be known."""


def is_null(word: Any) -> bool:
    """Whether nothing stands there, or the word for it without quotes."""
    return word is None or (isinstance(word, Plain) and word.lower() in _NULLS)


def value_of(word: Any) -> Any:
    """What a plain word means, also inside lists and mappings; what is no plain word stays as it is."""
    if isinstance(word, dict):
        return {str(key): value_of(value) for key, value in word.items()}
    if isinstance(word, list):
        return [value_of(value) for value in word]
    if not isinstance(word, Plain):
        return word
    if is_null(word):
        return None
    if word.lower() in _TRUTHS:
        return _TRUTHS[word.lower()]
    try:
        if _INT.fullmatch(word):
            return int(word)
        if _FLOAT.fullmatch(word) or word.lower() in _ODD_FLOATS:
            return float(_ODD_FLOATS.get(word.lower(), word))
    except ValueError:  # thousands of digits
        pass
    return str(word)


class _Loader(yaml.SafeLoader):
    """Safe YAML whose plain words are ``Plain``, and whose mappings have each key once."""

    yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile("<<"))]}  # noqa: RUF012 - PyYAML's own attribute


def _word(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    return Plain(text) if node.style is None else text


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise StandsTwice(
                problem=f"{key.value}: stands twice (first on line {lines[key.value]}): keep one",
                problem_mark=key.start_mark,
            )
        lines[key.value] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:str", _word)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_mapping(text: str) -> Any:
    """A YAML document, plain words as ``Plain``.

    Raises:
        StandsTwice: a mapping has a key twice.
        yaml.YAMLError, RecursionError, ValueError: it isn't YAML that is read here.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
