"""Raw rows into validated ones: ids, models, prompts, media, file names."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

from pipeline.clip import Row
from pipeline.errors import UsageError
from pipeline.manifest.lines import Unreadable, lines_of
from pipeline.manifest.looks import Looks
from pipeline.manifest.problems import Problems
from pipeline.manifest.raw import RawRow
from pipeline.manifest.read_csv import read_csv
from pipeline.manifest.read_yaml import read_yaml
from pipeline.manifest.template import TemplateError, fill, output_name
from pipeline.media import check_picture, check_voice
from pipeline.models import Catalogue, Model

__all__ = ["RowReader"]

DEFAULT_MODEL = "klingai/avatar-pro"
MAX_URL_CHARS = 8000
RESERVED_BODY_FIELDS = frozenset({"model", "image_url", "audio_url", "prompt", "provider"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


class RowReader:
    """Reads a manifest's rows, one at a time; every problem goes to ``problems``, a row with one is not yielded.

    Args:
        path: the manifest, ``.yaml``, ``.yml`` or ``.csv``.
        catalogue: the models that a row may name.
        template: ``output.template``.
        looks: what pictures and voices are.
        problems: where problems are collected.
    """

    def __init__(self, path: Path, *, catalogue: Catalogue, template: str, looks: Looks, problems: Problems) -> None:
        self._path = path
        self._folder = os.path.abspath(path.parent)
        self._catalogue = catalogue
        self._template = template
        self._looks = looks
        self._problems = problems
        self._taken = _Taken()

    def rows(self) -> Generator[Row, None, None]:
        """The validated rows in file order. Whether all is well stands in ``problems`` only at the end.

        Raises:
            UsageError: the file's name tells no format, or its folder's name can't be kept.
        """
        read = self._format()
        count = 0
        with closing(self._taken):
            for raw in read(self._path, self._problems):
                count += 1
                row = self._row(raw)
                if row is not None:
                    yield row
        if not count and not self._problems.total:
            self._problems.add("has no rows: add one under `rows:`, or a line under the header")

    def refuse_no_file(self) -> None:
        """Raise UsageError if the first line can't be read: a wrong path is told before anything is made for it."""
        self._format()
        try:
            next(lines_of(self._path), "")
        except Unreadable as error:
            self._problems.add(str(error), line=error.line)
        self._problems.raise_if_any()

    def _format(self) -> Callable[[Path, Problems], Iterator[RawRow]]:
        readers = {".yaml": read_yaml, ".yml": read_yaml, ".csv": read_csv}
        read = readers.get(self._path.suffix.lower())
        if read is None:
            raise UsageError(f"{self._path}: a manifest is a .yaml, .yml or .csv file: check the path")
        if self._folder.encode(errors="ignore").decode() != self._folder:
            raise UsageError(f"{self._path}: a folder above it has a name that isn't UTF-8: rename that folder")
        return read

    def _row(self, raw: RawRow) -> Row | None:
        before = self._problems.total
        row_id = self._id(raw)
        model = self._model(raw, row_id)
        image, image_stamp, image_digest = self._picture(raw, row_id, model)
        audio, audio_stamp, audio_digest, voice_s = self._voice(raw, row_id, model)
        texts = {name: str(value) for name, value in raw.fields.items() if name != "options"}
        texts = (
            dict.fromkeys(raw.told, "") | texts | {"id": row_id, "model": str(raw.fields.get("model", DEFAULT_MODEL))}
        )
        prompt = self._prompt(raw, row_id, model, texts)
        provider = self._provider(raw, row_id, model)
        options = self._options(raw, row_id, model)
        output = self._output(raw, row_id, texts) if row_id and not raw.told else ""
        if self._problems.total != before or raw.told or model is None:
            return None
        meta = {name: text for name, text in texts.items() if name.startswith("meta_")}
        usd = None if voice_s is None else model.price_usd(voice_s)
        return Row(
            row_id, image, audio, prompt, model.name, provider, options, meta, output, voice_s, usd,
            image_stamp, audio_stamp, image_digest or image, audio_digest or audio,
        )  # fmt: skip

    def _bad(self, raw: RawRow, field: str, row_id: str, text: str) -> None:
        if field not in raw.told:
            self._problems.add(f"{field}: {text}", line=raw.line_of(field), row=row_id)

    # --- fields ----------------------------------------------------------------------------------------------

    def _id(self, raw: RawRow) -> str:
        given = raw.fields.get("id")
        if given is None:
            row_id, hint = _stem(str(raw.fields.get("audio", ""))), " (from the audio file's name): give the row an id"
            if not row_id and not raw.told & {"id", "audio"}:
                self._bad(raw, "id", "", "is missing, and there is no audio file to name it after: give the row an id")
            if not row_id or "id" in raw.told:
                return ""
        else:
            row_id, hint = str(given), ""
        if not _ID.fullmatch(row_id) or not row_id.strip("."):
            self._bad(raw, "id", row_id, f"{row_id!r}{hint}; an id has 1 to 100 letters, digits and . _ -")
            return ""
        if first := self._taken.by("id", row_id, raw.line):
            self._bad(raw, "id", row_id, f"{row_id!r}{hint}; line {first} has it already: ids are unique")
            return ""
        return row_id

    def _model(self, raw: RawRow, row_id: str) -> Model | None:
        name = str(raw.fields.get("model", DEFAULT_MODEL))
        model = self._catalogue.get(name)
        if model is None:
            known = ", ".join(sorted(self._catalogue))
            self._bad(raw, "model", row_id, f"unknown model {name!r}: known are {known}; a config's `models` adds more")
        return model

    def _picture(self, raw: RawRow, row_id: str, model: Model | None) -> tuple[str, str, str]:
        place = self._place(raw, "image", row_id)
        if not place or _is_url(place):
            return place, "", ""
        look = self._looks.picture(place)
        if isinstance(look, str):
            self._bad(raw, "image", row_id, f"{raw.fields['image']}: {look}")
            return "", "", ""
        picture, stamp = look
        if model and (wrong := check_picture(picture, model.picture)):
            self._bad(raw, "image", row_id, f"{raw.fields['image']}: {wrong}")
        return place, stamp, picture.digest

    def _voice(self, raw: RawRow, row_id: str, model: Model | None) -> tuple[str, str, str, float | None]:
        place = self._place(raw, "audio", row_id)
        if not place or _is_url(place):
            return place, "", "", None
        look = self._looks.voice(place)
        if isinstance(look, str):
            self._bad(raw, "audio", row_id, f"{raw.fields['audio']}: {look}")
            return "", "", "", None
        voice, stamp = look
        if model and (wrong := check_voice(voice, model.voice)):
            self._bad(raw, "audio", row_id, f"{raw.fields['audio']}: {wrong}")
        return place, stamp, voice.digest, voice.duration_s

    def _place(self, raw: RawRow, field: str, row_id: str) -> str:
        """An absolute path or an http(s) URL; empty after a problem."""
        text = str(raw.fields.get(field, ""))
        wrong = _wrong_with_place(text)
        if wrong:
            self._bad(raw, field, row_id, wrong)
            return ""
        return text if _is_url(text) else os.path.abspath(os.path.join(self._folder, text))

    def _prompt(self, raw: RawRow, row_id: str, model: Model | None, texts: Mapping[str, str]) -> str:
        text = str(raw.fields.get("prompt", ""))
        if not text:
            return ""
        try:
            prompt = fill(text, {name: value for name, value in texts.items() if name != "prompt"})
        except TemplateError as error:
            self._bad(raw, "prompt", row_id, str(error))
            return ""
        if model and not model.prompt_max_chars:
            words = f"{model.name} takes none: leave it out (in YAML an empty `prompt:` hides a default)"
            self._bad(raw, "prompt", row_id, words)
        elif model and len(prompt) > model.prompt_max_chars:
            words = f"has {len(prompt):,} characters; {model.name} takes {model.prompt_max_chars:,}: shorten it"
            self._bad(raw, "prompt", row_id, words)
        return prompt

    def _provider(self, raw: RawRow, row_id: str, model: Model | None) -> str:
        name = str(raw.fields.get("provider", ""))
        if name and model and name not in model.providers:
            choice = f"one of {', '.join(model.providers)}" if model.providers else "none: leave it out"
            self._bad(raw, "provider", row_id, f"{name!r}: {model.name} takes {choice}")
        return name

    def _options(self, raw: RawRow, row_id: str, model: Model | None) -> dict[str, Any]:
        options: dict[str, Any] = dict(raw.fields.get("options") or {})
        try:
            json.dumps(options, allow_nan=False)
        except ValueError:
            self._bad(
                raw,
                "options",
                row_id,
                "holds a number without a JSON form (.inf, .nan, thousands of digits): change it",
            )
            return {}
        for name, value in options.items():
            if name in RESERVED_BODY_FIELDS:
                self._bad(raw, "options", row_id, f"{name}: is set by the row itself: remove it here")
            elif model and name in model.options and value not in model.options[name]:
                allowed = ", ".join(map(str, model.options[name]))
                self._bad(raw, "options", row_id, f"{name}: {value!r}: {model.name} takes {allowed}")
        return options

    def _output(self, raw: RawRow, row_id: str, texts: Mapping[str, str]) -> str:
        fields = {
            name: text.replace("/", "_") for name, text in texts.items() if name not in {"prompt", "image", "audio"}
        }
        try:
            output = output_name(self._template, fields)
        except TemplateError as error:
            self._problems.add(f"output.template: {error}", line=raw.line, row=row_id)
            return ""
        # Some disks don't tell Clip.mp4 from clip.mp4, nor one way to write é from the other.
        if first := self._taken.by("output", normalize("NFC", output).casefold(), raw.line):
            words = f"the row of line {first} writes {output!r} too, or the same but for upper and lower case"
            add = "" if "{id}" in self._template else ", or add {id} to the template"
            words = f"output.template: {words}: give it another id{add}"
            self._problems.add(words, line=raw.line, row=row_id)
        return output


class _Taken:
    """Names that are taken, and the line that took each: on disk in a temporary SQLite file, not in memory."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE taken(kind TEXT, name TEXT, line INT, PRIMARY KEY(kind, name)) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def by(self, kind: str, name: str, line: int) -> int:
        """The line that has the name already, or 0: then it is taken by ``line`` now."""
        if self._db.execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (kind, name, line)).rowcount:
            return 0
        (first,) = self._db.execute("SELECT line FROM taken WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return int(first)

    def close(self) -> None:
        """Drop them all."""
        self._db.close()


def _stem(audio: str) -> str:
    try:
        path = unquote(urlsplit(audio).path) if _is_url(audio) else audio
    except ValueError:
        return ""  # the link itself is told as a problem
    return PurePosixPath(path).stem


def _is_url(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def _wrong_with_place(text: str) -> str:
    if not text:
        return "is missing: give a path relative to the manifest, or an http(s) URL"
    if _is_url(text):
        try:
            parts = urlsplit(text)
            sound = bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or any(character.isspace() for character in text) or len(text) > MAX_URL_CHARS:
            return f"{text[:80]!r} isn't a URL that can be fetched: check the link"
        if parts.username or parts.password:
            return "a URL with a password in it: give a link that works without"
        return ""
    scheme = _SCHEME.match(text)
    if scheme and len(scheme.group(1)) > 1:
        return f"{scheme.group(1)}: links are not taken: give a path relative to the manifest, or an http(s) URL"
    if "\0" in text:
        return "holds a NUL character: remove it"
    return ""
