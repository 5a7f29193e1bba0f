"""A plain client for tests of the emulator: one blocking request a call, nothing followed, nothing retried."""

from __future__ import annotations

import base64
import http.client
import io
import json
import math
import struct
import wave
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from PIL import Image

TIMEOUT_S = 20.0
# What a connection that ends too early raises.
GONE = (ConnectionError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request on its own connection; underscores in header names become dashes."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def png(side: int = 320) -> bytes:
    """A picture."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 120, 80)).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 2.0) -> bytes:
    """A voice of sorts."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        samples = (round(9000 * math.sin(n / 7)) for n in range(round(8000 * seconds)))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


def data_uri(kind: str, data: bytes) -> str:
    """A data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def submit_body(**changes: Any) -> bytes:
    """A submit that is in order; a change to None leaves the field out."""
    fields = {
        "model": "klingai/avatar-pro",
        "image_url": data_uri("image/png", png()),
        "audio_url": data_uri("audio/wav", wav()),
        "prompt": "speaks calmly",
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


class Account:
    """One key at one API."""

    def __init__(self, base_url: str, key: str = "sk-test") -> None:
        self._base_url = base_url
        self._bearer = f"Bearer {key}"

    def submit(self, client_id: str = "", body: bytes | None = None, **changes: Any) -> Answer:
        """POST a generation."""
        named = {"X_Client_Request_Id": client_id} if client_id else {}
        return ask(
            f"{self._base_url}/v2/video/generations",
            "POST",
            submit_body(**changes) if body is None else body,
            Authorization=self._bearer,
            Content_Type="application/json",
            **named,
        )

    def get(self, path: str) -> Answer:
        """GET a path of the API."""
        return ask(f"{self._base_url}{path}", Authorization=self._bearer)

    def retrieve(self, generation_id: str) -> Answer:
        """Poll a generation."""
        return self.get(f"/v2/video/generations?generation_id={quote(generation_id, safe='')}")

    def make(self, **changes: Any) -> str:
        """Submit, and the id of what was made."""
        answer = self.submit(**changes)
        assert answer.status in (200, 201), answer.body
        return str(answer.json()["id"])

    def link(self, generation_id: str) -> str:
        """The link to a finished clip."""
        return str(self.retrieve(generation_id).json()["video"]["url"])
