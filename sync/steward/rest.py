"""The data stewards' REST API: cases, decisions, explanations. A process of its own (``dongbo review serve``).

Not a part of the worker's API: that is Kafka Connect's, for those who run connectors; this one shows personal data, to
other people. It knows no users: a proxy in front does, and names them in a header, which every decision needs. Errors
are ``{"error_code", "message"}`` with the same HTTP status; they and the log hold no record's value.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sync.connect.problem import BadRequest, NotFound, Problem
from sync.errors import ConfigError, Decision, SyncError, decide
from sync.steward.explain import explained
from sync.steward.openapi import document
from sync.steward.review import Review, Verdict

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
Explain = Callable[[str, str], dict[str, Any]]
"""Dataset and key → explanation."""

_MOST = 1000


class Api:
    """The handlers, one an endpoint; they run in threads, for the service waits for Kafka."""

    def __init__(self, service: Review, explain: Explain, user_header: str) -> None:
        self._service = service
        self._explain = explain
        self._user_header = user_header

    def routes(self) -> list[tuple[str, str, Handler]]:
        """(method, path, handler) of every endpoint."""
        dataset = "/datasets/{dataset}"
        return [
            ("GET", f"{dataset}/cases", self.cases),
            ("GET", f"{dataset}/cases/{{case}}", self.case),
            ("POST", f"{dataset}/cases/{{case}}/decisions", self.resolve),
            ("PUT", f"{dataset}/cases/{{case}}/assignee", self.assign),
            ("GET", f"{dataset}/decisions", self.decisions),
            ("POST", f"{dataset}/decisions/{{decision}}/undo", self.undo),
            ("GET", f"{dataset}/entities/{{key}}", self.entity),
            ("GET", "/openapi.json", self.openapi),
        ]

    async def cases(self, request: Request) -> Response:
        """GET /datasets/{dataset}/cases"""
        query = request.query_params
        filters = {name: query.get(name) for name in ("code", "source", "locality", "assignee")}
        found = await run_in_threadpool(self._service.cases, request.path_params["dataset"], **filters)
        start, limit = _number(query.get("offset"), 0), _number(query.get("limit"), 100)
        return JSONResponse({"total": len(found), "cases": found[start : start + min(limit, _MOST)]})

    async def case(self, request: Request) -> Response:
        """GET /datasets/{dataset}/cases/{case}"""
        at = request.path_params
        return JSONResponse(await run_in_threadpool(self._service.case, at["dataset"], at["case"]))

    async def resolve(self, request: Request) -> Response:
        """POST /datasets/{dataset}/cases/{case}/decisions"""
        at, body = request.path_params, await _body(request, "action", "why", "changes", "facts", "candidate")
        changes = body.get("changes") or {}
        if not isinstance(changes, dict) or not all(isinstance(value, str) for value in changes.values()):
            raise BadRequest("changes is no object of texts.")
        action, why, candidate = _text(body, "action"), _text(body, "why"), _text(body, "candidate", required=False)
        verdict = Verdict(action, self._user(request), why, changes, body.get("facts"), candidate or None)
        made = await run_in_threadpool(self._service.resolve, at["dataset"], at["case"], verdict)
        return JSONResponse(made, 201)

    async def assign(self, request: Request) -> Response:
        """PUT /datasets/{dataset}/cases/{case}/assignee"""
        at, body = request.path_params, await _body(request, "assignee", "why")
        who, why = _text(body, "assignee"), _text(body, "why", required=False)
        made = await run_in_threadpool(self._service.assign, at["dataset"], at["case"], who, self._user(request), why)
        return JSONResponse(made)

    async def decisions(self, request: Request) -> Response:
        """GET /datasets/{dataset}/decisions"""
        case = request.query_params.get("case")
        return JSONResponse(await run_in_threadpool(self._service.decisions, request.path_params["dataset"], case))

    async def undo(self, request: Request) -> Response:
        """POST /datasets/{dataset}/decisions/{decision}/undo"""
        at, body = request.path_params, await _body(request, "why")
        user, why = self._user(request), _text(body, "why")
        made = await run_in_threadpool(self._service.undo, at["dataset"], at["decision"], user, why)
        return JSONResponse(made, 201)

    async def entity(self, request: Request) -> Response:
        """GET /datasets/{dataset}/entities/{key}"""
        at = request.path_params
        try:
            return JSONResponse(await run_in_threadpool(self._explain, at["dataset"], at["key"]))
        except ConfigError as error:
            raise NotFound(str(error)) from error

    async def openapi(self, _: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(document())

    def _user(self, request: Request) -> str:
        user = request.headers.get(self._user_header, "").strip()
        if not user:
            raise HTTPException(401, f"The request names no user in {self._user_header}.")
        return user


def application(service: Review, explain: Explain, user_header: str) -> Starlette:
    """The ASGI application."""
    api = Api(service, explain, user_header)
    routes = [Route(path, _guarded(handler), methods=[method]) for method, path, handler in api.routes()]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


def serve(service: Review, bootstrap: str, registry_url: str, *, host: str, port: int, user_header: str) -> None:
    """Serve until SIGTERM or SIGINT."""

    def explain(dataset: str, key: str) -> dict[str, Any]:
        return explained(bootstrap, registry_url, dataset, key)

    # The access log would hold keys of people.
    uvicorn.run(application(service, explain, user_header), host=host, port=port, log_config=None, access_log=False)


async def _body(request: Request, *names: str) -> dict[str, Any]:
    """The body as a JSON object with no other members than ``names``; no message quotes it."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise BadRequest("The body is no JSON.") from error
    if not isinstance(body, dict) or set(body) - set(names):
        raise BadRequest(f"The body is no JSON object of {', '.join(names)}.")
    return body


def _text(body: dict[str, Any], name: str, *, required: bool = True) -> str:
    value = body.get(name, None if required else "")
    if not isinstance(value, str):
        raise BadRequest(f"The body's {name} is no text.", hint=f"give {name}")
    return value


def _number(given: str | None, default: int) -> int:
    if given is None:
        return default
    if not given.isascii() or not given.isdigit():
        raise BadRequest("limit and offset are numbers from 0.")
    return int(given)


def _guarded(handler: Handler) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except HTTPException:
            raise
        except Problem as problem:
            return _error(problem.status, str(problem))
        except SyncError as error:
            return _error(503 if decide(error) is Decision.RETRY else 500, str(error))
        except Exception as error:  # noqa: BLE001 - the last stop before the client: its text may quote a value
            log.error("%s in a request (%s)", type(error).__qualname__, request.method)
            return _error(500, f"Unexpected {type(error).__qualname__}.")

    return endpoint


async def _http_error(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _error(error.status_code, error.detail)
    return _error(500, "")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error_code": status, "message": message}, status)
