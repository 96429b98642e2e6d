"""Passes requests that write on to the worker that leads the group, as Kafka Connect's workers do.

An ASGI application around the REST API's, composed by ``sync.connect.service``. What only reads, every worker answers
itself. A request is passed on twice at most (the parameter ``forward`` counts, as in Connect), so that no loop can
come about while workers disagree about who leads.
"""

from __future__ import annotations

import logging
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

_MAX_BODY = 4 * 1024 * 1024
_TIMEOUT = httpx.Timeout(90.0, connect=5.0)
"""Connect's for a request, so that a slow validation at the leader is waited for."""

_NO_LEADER = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
_TOO_MANY_HOPS = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
_PASSED_ON = ("accept", "authorization", "content-type")
_PASSED_BACK = ("content-type", "location", "retry-after")


class Leading(Protocol):
    """What must be known of the worker."""

    @property
    def leading(self) -> bool:
        """Whether it leads."""

    @property
    def leader_url(self) -> str:
        """Where another worker leads; empty if that isn't known."""

    @property
    def ready(self) -> bool:
        """Whether it is in its group."""


class Forwarding:
    """The application of one worker: requests that the leader must answer go there."""

    def __init__(self, app: ASGIApp, worker: Leading) -> None:
        self._app = app
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here or pass on."""
        if scope["type"] != "http" or not for_leader(scope) or self._worker.leading or not self._worker.ready:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._forward(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _forward(self, request: Request) -> Response:
        hops = request.query_params.get("forward")
        if hops is not None and hops.lower() != "true":
            return _conflict(_TOO_MANY_HOPS)
        leader = self._worker.leader_url
        if not leader:
            return _conflict(_NO_LEADER)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return _error(413, "HTTP 413 Request Entity Too Large")
        return await self._ask(request, leader, body, "true" if hops is None else "false")

    async def _ask(self, request: Request, leader: str, body: bytes, forward: str) -> Response:
        path = request.scope.get("raw_path", request.scope["path"].encode()).decode("latin-1").partition("?")[0]
        given = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k != "forward"]
        url = f"{leader}{path}?{urlencode([*given, ('forward', forward)])}"
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        try:
            # A connection each: writes are rare, and none is left open when the worker ends.
            async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
                answer = await client.request(request.method, url, content=body, headers=headers)
        except httpx.ConnectError:
            # The leader has just gone; nothing has been done.
            return _conflict(_NO_LEADER)
        except httpx.HTTPError as error:
            log.warning("The leader at %s did not answer a request (%s).", leader, type(error).__name__)
            return _error(500, f"IO Error trying to forward REST request: {type(error).__name__}")
        kept = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, kept)


def for_leader(scope: Scope) -> bool:
    """Whether a request changes what is registered, or something on every worker."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    first = str(scope["path"]).lstrip("/").partition("/")[0]
    query = dict(parse_qsl(bytes(scope.get("query_string", b"")).decode("latin-1")))
    return first == "connectors" or (first == "admin" and query.get("scope", "").lower() == "cluster")


def _conflict(message: str) -> Response:
    return _error(409, message, {"Retry-After": "1"})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error_code": status, "message": message}, status, headers)
