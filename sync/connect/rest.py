"""Kafka Connect's REST API over a worker, with Connect's status codes and bodies.

Composed by ``sync.connect.service``. Handlers run in a thread pool, for the worker blocks on Kafka and on checks of
live systems. An error is ``{"error_code": int, "message": str}`` with the same HTTP status.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sync.connect.definition import declaration
from sync.connect.offsets import offsets
from sync.connect.plugin import installed_version
from sync.connect.problem import BadRequest, NotFound, Problem
from sync.connect.registrations import PAUSED, STARTED, STOPPED
from sync.connect.topics import Topics
from sync.connect.validation import describe, examine, validation_body
from sync.connect.worker import Worker
from sync.errors import Decision, SyncError, decide

log = logging.getLogger(__name__)

_TARGETS = {"RUNNING": STARTED, "PAUSED": PAUSED, "STOPPED": STOPPED}
_MAX_BODY = 4 * 1024 * 1024

Handler = Callable[[Request], Awaitable[Response]]


def application(worker: Worker, cluster: Callable[[], str]) -> ASGIApp:
    """The ASGI application; ``cluster`` tells the Kafka cluster's id (may block, may raise Unavailable)."""
    api = Api(worker, cluster)
    routes = [Route(path, _guarded(handler), methods=[method]) for method, path, handler in api.routes()]
    return RawPath(Starlette(routes=routes, exception_handlers={HTTPException: _http_error}))


class RawPath:
    """Routes by the path as sent, so that a connector's name may hold an encoded slash; ``_name`` decodes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its undecoded path, without a trailing slash (Jersey accepts one)."""
        if scope["type"] == "http" and scope.get("raw_path"):
            path = scope["raw_path"].decode("latin-1").partition("?")[0]
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)


class Api:
    """The handlers, one an endpoint."""

    def __init__(self, worker: Worker, cluster: Callable[[], str]) -> None:
        self._worker = worker
        self._cluster = cluster
        self._cluster_id = ""
        self._topics = Topics()

    def routes(self) -> list[tuple[str, str, Handler]]:
        """(method, path, handler) of every endpoint."""
        one, task = "/connectors/{name}", "/connectors/{name}/tasks/{task}"
        return [
            ("GET", "/", self.root),
            ("GET", "/health", self.health),
            ("GET", "/metrics", self.metrics),
            ("GET", "/connectors", self.list),
            ("POST", "/connectors", self.create),
            ("GET", one, self.info),
            ("DELETE", one, self.delete),
            ("GET", f"{one}/config", self.config),
            ("PUT", f"{one}/config", self.put_config),
            ("PATCH", f"{one}/config", self.patch_config),
            ("GET", f"{one}/status", self.status),
            ("PUT", f"{one}/pause", self.pause),
            ("PUT", f"{one}/resume", self.resume),
            ("PUT", f"{one}/stop", self.stop),
            ("POST", f"{one}/restart", self.restart),
            ("GET", f"{one}/tasks", self.tasks),
            ("GET", f"{task}/status", self.task_status),
            ("POST", f"{task}/restart", self.restart_task),
            ("GET", f"{one}/topics", self.topics),
            ("PUT", f"{one}/topics/reset", self.reset_topics),
            ("GET", f"{one}/offsets", self.offsets),
            ("GET", "/connector-plugins", self.plugins),
            ("GET", "/connector-plugins/{plugin}/config", self.plugin_config),
            ("PUT", "/connector-plugins/{plugin}/config/validate", self.validate),
        ]

    async def root(self, _: Request) -> Response:
        """GET /"""
        if not self._cluster_id:
            self._cluster_id = await run_in_threadpool(self._cluster)
        version = installed_version()
        return JSONResponse({"version": version, "commit": version, "kafka_cluster_id": self._cluster_id})

    async def health(self, _: Request) -> Response:
        """GET /health"""
        status, told = self._worker.health()
        return JSONResponse(told, status)

    async def metrics(self, _: Request) -> Response:
        """GET /metrics, for Prometheus"""
        return Response(await run_in_threadpool(generate_latest), media_type=CONTENT_TYPE_LATEST)

    async def list(self, request: Request) -> Response:
        """GET /connectors"""
        names = self._worker.names()
        expand = [e for e in request.query_params.getlist("expand") if e in ("info", "status")]
        if not request.query_params.getlist("expand"):
            return JSONResponse(names)
        read = {"info": self._worker.info, "status": self._worker.status}
        told: dict[str, dict[str, Any]] = {}
        for name in names:
            # A connector deleted while the list is made is left out, as in Connect.
            try:
                told[name] = {what: read[what](name) for what in expand}
            except NotFound:
                continue
        return JSONResponse(told)

    async def create(self, request: Request) -> Response:
        """POST /connectors"""
        sent = await _json_object(request)
        unknown = sent.keys() - {"name", "config", "initial_state"}
        if unknown:
            raise BadRequest(f"Unrecognized field in the request: {', '.join(sorted(unknown))}")
        config = _config(sent.get("config"))
        name = str(sent.get("name") or config.get("name") or "").strip()
        if not name:
            raise BadRequest("The request names no connector: give it a field name.")
        state = str(sent.get("initial_state") or "RUNNING").upper()
        if state not in _TARGETS:
            raise BadRequest(f"Invalid initial_state {state}: must be one of {', '.join(_TARGETS)}")
        info = await run_in_threadpool(self._worker.create, name, config, _TARGETS[state])
        return JSONResponse(info, 201, headers={"Location": f"/connectors/{quote(name, safe='')}"})

    async def info(self, request: Request) -> Response:
        """GET /connectors/{name}"""
        return JSONResponse(self._worker.info(_name(request)))

    async def delete(self, request: Request) -> Response:
        """DELETE /connectors/{name}"""
        await run_in_threadpool(self._worker.delete, _name(request))
        return Response(status_code=204)

    async def config(self, request: Request) -> Response:
        """GET /connectors/{name}/config"""
        return JSONResponse(self._worker.config(_name(request)))

    async def put_config(self, request: Request) -> Response:
        """PUT /connectors/{name}/config"""
        name, config = _name(request), _config(await _json_object(request))
        info, created = await run_in_threadpool(self._worker.put_config, name, config)
        headers = {"Location": f"/connectors/{quote(name, safe='')}"} if created else {}
        return JSONResponse(info, 201 if created else 200, headers=headers)

    async def patch_config(self, request: Request) -> Response:
        """PATCH /connectors/{name}/config"""
        patch = _config(await _json_object(request))
        return JSONResponse(await run_in_threadpool(self._worker.patch_config, _name(request), patch))

    async def status(self, request: Request) -> Response:
        """GET /connectors/{name}/status"""
        return JSONResponse(self._worker.status(_name(request)))

    async def pause(self, request: Request) -> Response:
        """PUT /connectors/{name}/pause"""
        await run_in_threadpool(self._worker.steer, _name(request), PAUSED)
        return Response(status_code=202)

    async def resume(self, request: Request) -> Response:
        """PUT /connectors/{name}/resume"""
        await run_in_threadpool(self._worker.steer, _name(request), STARTED)
        return Response(status_code=202)

    async def stop(self, request: Request) -> Response:
        """PUT /connectors/{name}/stop"""
        await run_in_threadpool(self._worker.steer, _name(request), STOPPED)
        return Response(status_code=204)

    async def restart(self, request: Request) -> Response:
        """POST /connectors/{name}/restart"""
        include, only = _flag(request, "includeTasks"), _flag(request, "onlyFailed")
        told = await run_in_threadpool(self._worker.restart, _name(request), include_tasks=include, only_failed=only)
        return JSONResponse(told, 202) if include or only else Response(status_code=204)

    async def tasks(self, request: Request) -> Response:
        """GET /connectors/{name}/tasks"""
        return JSONResponse(self._worker.tasks(_name(request)))

    async def task_status(self, request: Request) -> Response:
        """GET /connectors/{name}/tasks/{task}/status"""
        return JSONResponse(self._worker.task_status(_name(request), _task(request)))

    async def restart_task(self, request: Request) -> Response:
        """POST /connectors/{name}/tasks/{task}/restart"""
        await run_in_threadpool(self._worker.restart_task, _name(request), _task(request))
        return Response(status_code=204)

    async def topics(self, request: Request) -> Response:
        """GET /connectors/{name}/topics"""
        name = _name(request)
        self._worker.kind(name)
        return JSONResponse({name: {"topics": self._topics.used(name)}})

    async def reset_topics(self, request: Request) -> Response:
        """PUT /connectors/{name}/topics/reset"""
        name = _name(request)
        self._worker.kind(name)
        self._topics.reset(name)
        return Response(status_code=202)

    async def offsets(self, request: Request) -> Response:
        """GET /connectors/{name}/offsets"""
        name = _name(request)
        kind, settings = self._worker.kind(name), self._worker.settings
        return JSONResponse(await run_in_threadpool(offsets, settings.bootstrap, settings.offsets_topic, name, kind))

    async def plugins(self, _: Request) -> Response:
        """GET /connector-plugins"""
        version = installed_version()
        named = self._worker.plugins.names()
        return JSONResponse([{"class": name, "type": plugin.kind, "version": version} for name, plugin in named])

    async def plugin_config(self, request: Request) -> Response:
        """GET /connector-plugins/{plugin}/config"""
        name = unquote(request.path_params["plugin"])
        plugin = self._worker.plugins.find(name)
        if plugin is None:
            raise NotFound(f"Unknown plugin {name}.")
        return JSONResponse([describe(key, order) for order, key in enumerate(declaration(plugin).keys, start=1)])

    async def validate(self, request: Request) -> Response:
        """PUT /connector-plugins/{plugin}/config/validate"""
        name = unquote(request.path_params["plugin"])
        config = _config(await _json_object(request))
        plugin = self._worker.plugins.get(name)
        included = config.get("connector.class")
        if included is not None and self._worker.plugins.find(included) is not plugin:
            raise BadRequest(f"Included connector type {included} does not match request type {name}")
        finding = await run_in_threadpool(examine, plugin, {"connector.class": name, **config})
        return JSONResponse(validation_body(finding))


def _guarded(handler: Handler) -> Handler:
    """Turn every error into Connect's body here: Starlette would log an unexpected one with its text."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except (HTTPException, ClientDisconnect):
            raise
        except Problem as problem:
            return _error(problem.status, str(problem))
        except SyncError as error:
            return _error(503 if decide(error) is Decision.RETRY else 500, str(error))
        except Exception as error:  # noqa: BLE001 - the last stop before the client
            return _unexpected(request, error)

    return endpoint


def _name(request: Request) -> str:
    return unquote(request.path_params["name"])


def _task(request: Request) -> int:
    given = request.path_params["task"]
    if not given.isdecimal():
        raise HTTPException(404)
    return int(given)


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "false").lower() == "true"


async def _json_object(request: Request) -> dict[str, Any]:
    sent = b""
    async for chunk in request.stream():
        sent += chunk
        if len(sent) > _MAX_BODY:
            raise HTTPException(413)
    # The parser's own message would quote the request, which may hold a password.
    try:
        value = json.loads(sent)
    except ValueError as error:
        raise BadRequest("The request's body is not JSON.") from error
    if not isinstance(value, dict):
        raise BadRequest("The request's body is not a JSON object.")
    return value


def _config(value: Any) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadRequest("The connector's configuration is not a JSON object.")
    config: dict[str, str | None] = {}
    for key, given in value.items():
        if isinstance(given, (Mapping, list)):
            raise BadRequest(f"The value of configuration {key} is not a string, a number or a boolean.")
        if given is None:
            config[key] = None
        else:
            config[key] = str(given).lower() if isinstance(given, bool) else str(given)
    return config


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error_code": status, "message": message}, status, headers=dict(headers or {}))


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    return _error(status, f"HTTP {status} {detail}".strip(), getattr(error, "headers", None))


def _unexpected(request: Request, error: Exception) -> Response:
    """Only the kind and the place: an unexpected error's text may quote a value."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__')}:{place.tb_lineno}" if place else "unknown"
    log.error("%s in a request (%s) at %s", type(error).__qualname__, request.method, where)
    return _error(500, f"Unexpected {type(error).__qualname__} at {where}; the worker's log has the same line.")
