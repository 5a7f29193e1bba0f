"""Signed links to clips: who may download what, until when, how often."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlencode

from .generation import Generation
from .world import World


class Links:
    """Hands out links and checks them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._uses: Counter[str] = Counter()
        self._serial = itertools.count(time.time_ns())

    def make(self, cdn_url: str, generation: Generation) -> str:
        """A fresh link, different from every other."""
        ttl = self._world.plan.cdn.link_ttl_s
        expires = "never" if ttl is None else f"{time.time() + ttl:.3f}"
        nonce = f"{next(self._serial):x}"
        query = urlencode(
            {"expires": expires, "nonce": nonce, "signature": self._sign(generation.bare_id, expires, nonce)}
        )
        return f"{cdn_url}/clips/{generation.bare_id}.mp4?{query}"

    def check(self, bare_id: str, query: Mapping[str, str], *, use: bool) -> str | None:
        """Why a link is refused, or None. `use` counts it as used."""
        expires, nonce = query.get("expires", ""), query.get("nonce", "")
        signature = query.get("signature", "")
        if signature != self._sign(bare_id, expires, nonce):
            return "SignatureDoesNotMatch"
        if expires != "never" and time.time() > float(expires):
            return "Request has expired"
        limit = self._world.plan.cdn.link_uses
        if limit is not None and use:
            if self._uses[signature] >= limit:
                return "Request has expired"
            self._uses[signature] += 1
        return None

    def _sign(self, bare_id: str, expires: str, nonce: str) -> str:
        return hashlib.sha256(f"{self._world.secret}:{bare_id}:{expires}:{nonce}".encode()).hexdigest()[:40]
