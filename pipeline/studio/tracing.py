"""What all API answers have in common: ids in the headers, the key check, errors in the provider's envelopes."""

from __future__ import annotations

import hmac
import logging
import re
import sqlite3
import time
import uuid
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from pipeline.studio.answers import Refusal, Trace, refusal_answer

__all__ = ["CLIENT_REQUEST_ID", "TRACE", "client_request_id", "tracing"]

log = logging.getLogger(__name__)

TRACE = web.RequestKey("trace", Trace)
CLIENT_REQUEST_ID = "x-client-request-id"

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def client_request_id(headers: Mapping[str, str]) -> str | None:
    """The client's own id of a request; one that isn't valid is dropped without a word, as the provider does."""
    value = headers.get(CLIENT_REQUEST_ID, "")
    return value if _CLIENT_REQUEST_ID.fullmatch(value) else None


def tracing(key: str | None) -> Middleware:
    """The middleware around all handlers. ``key`` is the bearer key to ask for, None for any."""

    @web.middleware
    async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
        trace = Trace(request.path, str(uuid.uuid4()), time.time())
        request[TRACE] = trace
        response: web.StreamResponse
        try:
            _check_key(request, key)
            response = await handler(request)
        except Refusal as refusal:
            response = _refuse(refusal, trace)
        except web.HTTPRequestEntityTooLarge:
            response = _refuse(Refusal(413, "request entity too large", "legacy"), trace)
        except web.HTTPException as error:
            response = _refuse(Refusal(error.status, f"Cannot {request.method} {request.path}", "legacy"), trace)
            if hdrs.ALLOW in error.headers:
                response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        except ConnectionError:
            raise  # the client is gone: there is nobody to answer
        except (OSError, sqlite3.Error) as error:
            log.warning("%s %s failed: %s", request.method, request.path, error)
            response = _refuse(Refusal(500, "Internal server error"), trace)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = _refuse(Refusal(500, "Internal server error"), trace)
        response.headers["x-request-id"] = trace.request_id
        if sent := client_request_id(request.headers):
            response.headers[CLIENT_REQUEST_ID] = sent
        return response

    return traced


def _refuse(refusal: Refusal, trace: Trace) -> web.Response:
    content_type, body = refusal_answer(refusal, trace)
    return web.json_response(body, status=refusal.status, content_type=content_type)


def _check_key(request: web.Request, key: str | None) -> None:
    if key is None:
        return
    scheme, _, sent = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    # Compared in constant time, so that a key can't be guessed letter by letter.
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode("utf-8", "replace"), key.encode()):
        raise Refusal(401, "Invalid API key: missing, wrong or expired")
