"""The API listener: who may ask, how often, what is answered, and which fault comes between."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from aiohttp import web

from . import reads
from .answers import Refusal, Reply, error_reply, json_reply, new_request_id
from .faults import Asked
from .generation import Generation
from .links import Links
from .media import Media
from .plan import Action, Envelope, Route
from .submit import submit, usable_client_id
from .wire import TooLargeError, read_body, read_half, reset, send, send_cut, send_huge
from .world import Entry, World

ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v2/video/generations"): "submit",
    ("GET", "/v2/video/generations"): "retrieve",
    ("GET", "/v2/logs"): "logs",
    ("GET", "/v2/billing"): "billing",
    ("GET", "/v2/billing/transactions"): "transactions",
}
GARBAGE = b'{"id": "2baf5bc0-", "status": "que'


class Window:
    """A limit over a sliding window of time; refused requests do not count."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def admits(self, limit: float, length_s: float) -> bool:
        """Whether one more is within the limit; if so it is counted."""
        now = time.monotonic()
        while self._times and self._times[0] <= now - length_s:
            self._times.popleft()
        if len(self._times) >= max(1.0, limit):
            return False
        self._times.append(now)
        return True


class Api:
    """Answers the routes of the provider."""

    def __init__(self, world: World, links: Links) -> None:
        self._world = world
        self._links = links
        self._media = Media()
        self._errors = 0
        self._requests, self._log_requests = Window(), Window()
        self.cdn_url = ""
        self.elsewhere_url = ""

    def plan_changed(self) -> None:
        """Start counting requests anew."""
        self._requests, self._log_requests = Window(), Window()

    async def serve(self, request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
        """One request, with the fault that the plan has for it."""
        route = ROUTES.get((request.method, request.path))
        request_id = new_request_id()
        if route is None:
            await read_body(request)
            return send(self._error(request, Refusal(404, "Not Found"), request_id), entry)
        entry.route = route
        action = self._fault(request, route, entry)
        if action is not None:
            if action.do in ("slow", "hang_before"):
                await asyncio.sleep(action.seconds)
            if action.do == "drop_mid_body":
                await read_half(request)
            if action.do in ("drop_before", "drop_mid_body", "hang_before"):
                return await reset(request, entry)
        try:
            body = await read_body(request)
            instead = self._instead(request, action, request_id)
            if instead is not None:
                return send(instead, entry)
            reply = await self._do(request, route, body, entry, request_id)
        except TooLargeError:
            return send(self._error(request, Refusal(413), request_id), entry)
        except Refusal as refusal:
            # What was refused was not done, so a fault that comes after the deed has no place.
            if action is not None and action.do != "slow":
                entry.fault = None
            return send(self._error(request, refusal, request_id), entry)
        finally:
            if route == "submit" and entry.generation_id is None and entry.status is not None:
                self._world.refused[str(entry.status)] += 1
        reply.headers["x-request-id"] = request_id
        return await self._afterwards(request, reply, action, entry, request_id)

    def _fault(self, request: web.BaseRequest, route: Route, entry: Entry) -> Action | None:
        if not self._world.plan.rules:
            return None
        named = request.query.get("generation_id")
        generation = self._world.find(named, any_form=True) if named else None
        asked = Asked(
            route,
            entry.client_request_id or "",
            generation.number if generation else 0,
            generation.retrieves if generation else 0,
        )
        action = self._world.decide(asked)
        entry.fault = action.do if action else None
        if action is not None and action.do == "late_404" and generation is not None:
            # Counted here, since this retrieve goes no further.
            generation.retrieves += 1
            self._world.touch(generation)
        return action

    def _instead(self, request: web.BaseRequest, action: Action | None, request_id: str) -> Reply | None:
        if action is None:
            return None
        if action.do == "status":
            refusal = Refusal(action.status or 503, action.message, action.envelope)
            reply = self._error(request, refusal, request_id)
            reply.headers.update(action.headers)
            return reply
        if action.do == "late_404":
            return self._error(request, Refusal(404, "", action.envelope), request_id)
        if action.do == "redirect":
            target = action.location or f"{self.elsewhere_url}{request.path_qs}"
            return Reply(action.status or 302, b"", "text/plain", {"Location": target})
        return None

    async def _do(self, request: web.BaseRequest, route: Route, body: bytes, entry: Entry, request_id: str) -> Reply:
        key = self._admit(request, route)
        if route == "submit":
            generation, reply = await submit(
                self._world, self._media, body, key, usable_client_id(entry.client_request_id), request_id
            )
            entry.generation_id = generation.id
            return reply
        if route == "retrieve":
            named = request.query.get("generation_id")
            entry.generation_id = named
            found: Generation
            found, reply = reads.retrieve(self._world, self._links, self.cdn_url, named)
            entry.generation_id = found.id
            return reply
        if route == "logs":
            return reads.logs(self._world, request.query)
        if route == "billing":
            return reads.billing(self._world)
        return reads.transactions(self._world, request.query)

    def _admit(self, request: web.BaseRequest, route: Route) -> str:
        plan = self._world.plan
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or (plan.keys and key not in plan.keys):
            raise Refusal(401)
        last = plan.refuse_key_after_n
        if last is not None and route in plan.refuse_key_routes and len(self._world.generations) >= last:
            raise Refusal(401)
        if plan.requests_per_minute is not None and route in plan.rate_routes:
            limit = plan.requests_per_minute * plan.rate_window_s / 60
            if not self._requests.admits(limit, plan.rate_window_s):
                raise Refusal(429)
        if route == "logs" and not self._log_requests.admits(plan.logs_per_minute, 60.0):
            raise Refusal(429)
        return key

    async def _afterwards(
        self, request: web.BaseRequest, reply: Reply, action: Action | None, entry: Entry, request_id: str
    ) -> web.StreamResponse:
        if action is None or action.do == "slow":
            return send(reply, entry)
        if action.do == "do_then_hang":
            await asyncio.sleep(action.seconds)
        if action.do in ("do_then_drop", "do_then_hang"):
            return await reset(request, entry)
        if action.do == "do_then_status":
            refusal = Refusal(action.status or 502, action.message, action.envelope or "html")
            instead = self._error(request, refusal, request_id)
            instead.headers.update(action.headers)
            return send(instead, entry)
        if not action.inference_id:
            reply.headers.pop("x-inference-id", None)
        if action.do == "cut_body":
            return await send_cut(request, reply, entry)
        if action.do == "huge_body":
            return await send_huge(request, reply, entry, action.bytes)
        return send(Reply(200, GARBAGE, "application/json", reply.headers), entry)

    def _error(self, request: web.BaseRequest, refusal: Refusal, request_id: str) -> Reply:
        envelope: Envelope = refusal.envelope or self._world.plan.envelope
        if envelope == "alternate":
            self._errors += 1
            envelope = "problem" if self._errors % 2 else "legacy"
        reply = error_reply(refusal.status, refusal.message, envelope, request.path, request_id, time.time())
        reply.headers["x-request-id"] = request_id
        return reply


async def lie(request: web.BaseRequest, entry: Entry) -> web.StreamResponse:
    """What the elsewhere listener says to API requests that were redirected there: plausible, and a lie."""
    await read_body(request)
    host = request.headers.get("Host", "")
    answer = {"id": "elsewhere", "status": "completed", "video": {"url": f"http://{host}/lie.mp4"}}
    return send(json_reply(answer), entry)
