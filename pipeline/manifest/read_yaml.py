"""YAML manifests, read as a stream of parser events: a row at a time, lines known, nothing constructed from tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from pipeline.manifest.lines import Unreadable, lines_of
from pipeline.manifest.problems import Problems
from pipeline.manifest.raw import RawRow, is_field, meant_field, unknown_field

__all__ = ["read_yaml"]

MAX_DEPTH = 8
MAX_OPEN = 100
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class _Scalar:
    text: str
    plain: bool
    line: int

    @property
    def value(self) -> str | None:
        return None if self.plain and self.text in _NULLS else self.text


@dataclass(frozen=True, slots=True)
class _Mapping:
    items: list[tuple[_Scalar, _Node]]
    line: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: list[_Node]
    line: int


@dataclass(frozen=True, slots=True)
class _Broken:
    """A node that was passed over; its problem is noted already."""

    line: int


_Node = _Scalar | _Mapping | _Sequence | _Broken


class _Text:
    """The checked lines of a file as the stream that the YAML scanner reads."""

    def __init__(self, path: Path) -> None:
        self._lines = lines_of(path)
        self.broken: Unreadable | None = None

    def read(self, size: int = 4096) -> str:
        parts: list[str] = []
        try:
            while size > 0 and (line := next(self._lines, "")):
                parts.append(line)
                size -= len(line)
        except Unreadable as error:
            self.broken = error  # for the scanner the text ends here, so that the rows before it are told of
        return "".join(parts)


def read_yaml(path: Path, problems: Problems) -> Iterator[RawRow]:
    """The rows of a YAML manifest, streamed, with ``defaults`` under each.

    What is wrong with the file's form goes to ``problems``, with its line.
    """
    text = _Text(path)
    try:
        yield from _Reader(yaml.parse(text, Loader=_LOADER), problems, text).rows()
    except Unreadable as error:
        problems.add(str(error), line=error.line)
    except yaml.MarkedYAMLError as error:
        if text.broken is not None:
            return
        mark = error.problem_mark or error.context_mark
        problems.add(
            f"isn't valid YAML ({error.problem or error.context}): check indentation, quotes and colons",
            line=mark.line + 1 if mark else 0,
        )
    except yaml.YAMLError as error:
        problems.add(f"isn't valid YAML ({error}): check indentation, quotes and colons")
    finally:
        if text.broken is not None:
            problems.add(str(text.broken), line=text.broken.line)


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


class _Reader:
    def __init__(self, events: Iterator[Event], problems: Problems, text: _Text) -> None:
        self._events = events
        self._text = text
        self._problems = problems
        self._anchors: dict[str, _Scalar] = {}
        self._defaults: dict[str, Any] = {}
        self._told_of_defaults: frozenset[str] = frozenset()

    def rows(self) -> Iterator[RawRow]:
        start = self._first_node()
        if not isinstance(start, MappingStartEvent):
            line = _line(start) if start else 0
            if self._text.broken is None:
                self._problems.add("expected `version: 1` and a list under `rows:`", line=line)
            return
        seen: dict[str, int] = {}
        while not isinstance(event := next(self._events), CollectionEndEvent):
            key = self._node(event)
            name = key.text if isinstance(key, _Scalar) else "?"
            if name in seen:
                self._problems.add(f"{name}: stands twice (first on line {seen[name]}): keep one", line=key.line)
            seen[name] = key.line
            value = next(self._events)
            if name == "rows" and isinstance(value, SequenceStartEvent):
                self._has_tag(value)
                yield from self._rows_in_sequence()
            elif name == "rows":
                self._node(value)
                if self._text.broken is None:
                    self._problems.add("rows: expected a list, a row a dash", line=key.line)
            else:
                self._top_level(name, key.line, self._node(value), rows_seen="rows" in seen)
        for name, hint in (("version", "add `version: 1`"), ("rows", "add a list under `rows:`")):
            if name not in seen and self._text.broken is None:
                self._problems.add(f"{name}: is missing: {hint}", line=1)
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._problems.add("a second YAML document: put all rows under one `rows:`", line=_line(event))
                return

    def _first_node(self) -> Event | None:
        for event in self._events:
            if isinstance(event, NodeEvent):
                return event
            if isinstance(event, StreamEndEvent):
                break
        return None

    def _top_level(self, name: str, line: int, node: _Node, *, rows_seen: bool) -> None:
        if name == "version":
            if not (isinstance(node, _Scalar) and node.text == "1"):
                self._problems.add("version: this program reads version 1: write `version: 1`", line=line)
        elif name == "defaults":
            if rows_seen:
                self._problems.add("defaults: must stand before rows: move it up", line=line)
            elif isinstance(node, _Mapping):
                self._defaults, _, self._told_of_defaults = self._fields(node)
                if "id" in self._defaults:
                    self._problems.add("defaults: an id belongs to a row: move it there", line=line)
            elif not (isinstance(node, _Scalar) and node.value is None) and not isinstance(node, _Broken):
                self._problems.add("defaults: expected fields, such as `prompt: …`", line=line)
        else:
            self._problems.add(f"unknown key {name!r}: a manifest has version, defaults and rows", line=line)

    def _rows_in_sequence(self) -> Iterator[RawRow]:
        while not isinstance(event := next(self._events), CollectionEndEvent):
            before = self._problems.total
            node = self._node(event)
            if isinstance(node, _Mapping):
                fields, lines, told = self._fields(node)
                merged = {name: value for name, value in {**self._defaults, **fields}.items() if value is not None}
                yield RawRow(node.line, merged, lines, told | (self._told_of_defaults - fields.keys()))
            elif self._problems.total == before:
                self._problems.add("expected a row of fields, such as `- image: face.png`", line=node.line)

    def _fields(self, mapping: _Mapping) -> tuple[dict[str, Any], dict[str, int], frozenset[str]]:
        """Values, lines, and the names of fields with a problem that is told here."""
        fields: dict[str, Any] = {}
        lines: dict[str, int] = {}
        told: set[str] = set()
        for key, node in mapping.items:
            name = key.text
            before = self._problems.total
            if not is_field(name):
                self._problems.add(unknown_field(name), line=key.line)
                name = meant_field(name)
            elif name == "options":
                fields[name] = self._plain_value(node)
                if not isinstance(node, _Mapping) and fields[name] is not None:
                    self._problems.add("options: expected fields, such as `resolution: 720p`", line=key.line)
                    fields[name] = None
            elif isinstance(node, _Scalar):
                fields[name] = node.value
            elif not isinstance(node, _Broken):
                self._problems.add(f"{name}: expected text, got a list or a mapping: quote it", line=key.line)
            if self._problems.total > before or isinstance(node, _Broken):
                told.add(name)
            else:
                lines[name] = node.line
        return fields, lines, frozenset(told - {"", *lines})

    def _plain_value(self, node: _Node) -> Any:
        if isinstance(node, _Mapping):
            return {key.text: self._plain_value(item) for key, item in node.items}
        if isinstance(node, _Sequence):
            return [self._plain_value(item) for item in node.items]
        if isinstance(node, _Broken) or not node.plain:
            return getattr(node, "text", None)
        try:
            value = yaml.safe_load(node.text)
        except (yaml.YAMLError, ValueError):
            return node.text
        # Dates and the like have no JSON form: they stay the text that they are.
        return value if isinstance(value, str | int | float | bool | None) else node.text

    def _has_tag(self, event: ScalarEvent | CollectionStartEvent) -> bool:
        if event.tag is None:
            return False
        self._problems.add(f"YAML tag {event.tag!r}: tags are not read, remove it", line=_line(event))
        return True

    def _node(self, event: Event, depth: int = 0) -> _Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            if event.anchor in self._anchors:
                return self._anchors[event.anchor]
            self._problems.add(f"alias *{event.anchor}: only text may be repeated so; use defaults:", line=line)
            return _Broken(line)
        if isinstance(event, ScalarEvent):
            scalar = _Scalar(event.value, event.implicit[0], line)
            if event.anchor:
                self._anchors[event.anchor] = scalar
            return _Broken(line) if self._has_tag(event) else scalar
        if not isinstance(event, CollectionStartEvent):  # pragma: no cover - the parser gives nothing else
            raise TypeError(event)
        if depth >= MAX_DEPTH:
            self._skip_collection(line)
            self._problems.add(
                "nested too deeply: a field is text, and options are fields and lists of text", line=line
            )
            return _Broken(line)
        tagged = self._has_tag(event)
        node = self._mapping(line, depth) if isinstance(event, MappingStartEvent) else self._sequence(line, depth)
        return _Broken(line) if tagged else node

    def _mapping(self, line: int, depth: int) -> _Mapping:
        items: list[tuple[_Scalar, _Node]] = []
        seen: dict[str, int] = {}
        while not isinstance(event := next(self._events), CollectionEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, _Scalar):
                if not isinstance(key, _Broken):
                    self._problems.add("a field's name must be text: write `name: value`", line=key.line)
            elif key.text in seen:
                self._problems.add(
                    f"{key.text}: stands twice (first on line {seen[key.text]}): keep one", line=key.line
                )
            else:
                seen[key.text] = key.line
                items.append((key, value))
        return _Mapping(items, line)

    def _sequence(self, line: int, depth: int) -> _Sequence:
        items: list[_Node] = []
        while not isinstance(event := next(self._events), CollectionEndEvent):
            items.append(self._node(event, depth + 1))
        return _Sequence(items, line)

    def _skip_collection(self, line: int) -> None:
        open_collections = 1
        while open_collections:
            if open_collections > MAX_OPEN:
                # The parser takes quadratic time in the depth, so it is not asked to find the end of this.
                raise Unreadable(line, "nested too deeply: this is hardly a manifest")
            event = next(self._events)
            open_collections += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
