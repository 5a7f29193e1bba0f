"""``{field}`` in prompts and file names: a row's own fields by name, nothing else of str.format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from string import Formatter

__all__ = ["TemplateError", "fill", "output_name"]


class TemplateError(Exception):
    """The text can't be filled in; the message says why and what to do."""


def fill(text: str, fields: Mapping[str, str]) -> str:
    """``text`` with each ``{field}`` replaced; ``{{`` and ``}}`` stand for braces.

    Raises:
        TemplateError: a field that the row doesn't have, or a brace that stands alone.
    """
    if "{" not in text and "}" not in text:
        return text
    parts: list[str] = []
    try:
        for literal, name, spec, conversion in Formatter().parse(text):
            parts.append(literal)
            if name is None:
                continue
            if spec or conversion or name not in fields:
                shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                raise TemplateError(
                    f"{{{shown}}} is no field of this row (it has {', '.join(sorted(fields))}); "
                    "write {{ and }} for braces"
                )
            parts.append(fields[name])
    except ValueError as error:
        raise TemplateError(f"{error}: write {{{{ and }}}} for braces") from None
    return "".join(parts)


def output_name(template: str, fields: Mapping[str, str]) -> str:
    """The clip's path relative to OUT.

    Raises:
        TemplateError: it can't be filled in, or would leave OUT, hide, or not be an ``.mp4``.
    """
    name = fill(template, fields)
    path = PurePosixPath(name)
    if path.suffix != ".mp4":
        raise TemplateError(f"the file name {name!r} doesn't end in .mp4: set output.template so that it does")
    if path.is_absolute() or "\\" in name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise TemplateError(f"the file name {name!r} leaves OUT or has an empty part: choose other fields")
    if any(part.startswith(".") for part in path.parts[:-1]):
        raise TemplateError(f"the file name {name!r} has a hidden folder: choose other fields")
    if not name.isprintable() or any(len(part.encode()) > 240 for part in path.parts):
        raise TemplateError(f"the file name {name[:40]!r}… is too long or not printable: choose other fields")
    return name
