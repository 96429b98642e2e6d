"""Kafka Connect's REST API over a worker, with Connect's status codes and bodies.

Composed by ``sync.connect.service``. Handlers run in a thread pool, for the worker blocks on Kafka and on checks of
live systems. An error is ``{"error_code": int, "message": str}`` with the same HTTP status. What differs from Kafka
Connect and why is in ``docs/connect-rest.md``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sync.connect import request as read
from sync.connect.offsets import Offsets
from sync.connect.openapi import document, page
from sync.connect.plugin import installed_version
from sync.connect.problem import BadRequest, NotFound, Problem
from sync.connect.registrations import PAUSED, STARTED, STOPPED
from sync.connect.validation import describe, examine, require_type, validation_body
from sync.connect.worker import Worker
from sync.errors import Decision, SyncError, decide
from sync.transform import predicates, transforms

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

# What RFC 3986 allows in a segment of a path as it is.
_SEGMENT = "!$&'()*+,;=:@~"


def application(worker: Worker, cluster: Callable[[], str]) -> ASGIApp:
    """The ASGI application; ``cluster`` tells the Kafka cluster's id (may block, may raise Unavailable)."""
    api = Api(worker, cluster)
    by_path: dict[str, dict[str, Handler]] = {}
    for method, path, handler in api.routes():
        by_path.setdefault(path, {})[method] = handler
    routes = [Route(path, _endpoint(handlers), methods=_methods(handlers)) for path, handlers in by_path.items()]
    return RawPath(Starlette(routes=routes, exception_handlers={HTTPException: _http_error}))


CONTRACT = "4.1.1"
"""The version of Kafka Connect whose contract this is: clients (kcctl) choose by it what they ask for."""


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
        self._loggers = worker.loggers
        self._offsets = Offsets(worker.settings.bootstrap, worker.settings.offsets_topic)

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
            ("PATCH", f"{one}/offsets", self.alter_offsets),
            ("DELETE", f"{one}/offsets", self.reset_offsets),
            ("GET", "/connector-plugins", self.plugins),
            ("GET", "/connector-plugins/{plugin}/config", self.plugin_config),
            ("PUT", "/connector-plugins/{plugin}/config/validate", self.validate),
            ("GET", "/admin/loggers", self.loggers),
            ("GET", "/admin/loggers/{logger}", self.logger),
            ("PUT", "/admin/loggers/{logger}", self.set_logger),
            ("GET", "/openapi.json", self.openapi),
            ("GET", "/docs", self.docs),
        ]

    async def root(self, _: Request) -> Response:
        """GET /"""
        if not self._cluster_id:
            self._cluster_id = await run_in_threadpool(self._cluster)
        commit = f"dongbo-{installed_version()}"
        return JSONResponse({"version": CONTRACT, "commit": commit, "kafka_cluster_id": self._cluster_id})

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
        asked = await read.creation(request)
        info = await run_in_threadpool(self._create, asked)
        return JSONResponse(info, 201, headers=_location(request, asked.name))

    def _create(self, asked: read.Creation) -> dict[str, Any]:
        """Register; with offsets first as STOPPED, so that no task starts before they are there."""
        if asked.offsets is None:
            return self._worker.create(asked.name, asked.config, asked.target)
        info = self._worker.create(asked.name, asked.config, STOPPED)
        try:
            if asked.offsets:
                self._offsets.alter(asked.name, *self._worker.stopped(asked.name), asked.offsets)
        except SyncError:
            self._worker.delete(asked.name)
            raise
        if asked.target != STOPPED:
            self._worker.steer(asked.name, asked.target)
            info = self._worker.info(asked.name)
        return info

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
        name, config = _name(request), await read.connector_config(request)
        info, created = await run_in_threadpool(self._worker.put_config, name, config)
        headers = _location(request, name) if created else {}
        return JSONResponse(info, 201 if created else 200, headers=headers)

    async def patch_config(self, request: Request) -> Response:
        """PATCH /connectors/{name}/config"""
        patch = await read.connector_config(request)
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
        name = _name(request)
        include, only = read.flag(request, "includeTasks"), read.flag(request, "onlyFailed")
        before = self._worker.status(name) if name in self._worker.names() else {}
        await run_in_threadpool(self._worker.restart, name, include_tasks=include, only_failed=only)
        if not include and not only:
            return Response(status_code=204)
        return JSONResponse(restart_plan(before, include_tasks=include, only_failed=only), 202)

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
        # Of a connector that is unknown too, as in Connect.
        name = _name(request)
        return JSONResponse({name: {"topics": self._worker.topics.used(name)}})

    async def reset_topics(self, request: Request) -> Response:
        """PUT /connectors/{name}/topics/reset"""
        self._worker.topics.reset(_name(request))
        return Response(status_code=202)

    async def offsets(self, request: Request) -> Response:
        """GET /connectors/{name}/offsets"""
        name = _name(request)
        return JSONResponse(await run_in_threadpool(self._offsets.read, name, self._worker.kind(name)))

    async def alter_offsets(self, request: Request) -> Response:
        """PATCH /connectors/{name}/offsets"""
        name, pairs = _name(request), await read.offsets(request)
        plugin, values = await run_in_threadpool(self._worker.stopped, name)
        return JSONResponse(await run_in_threadpool(self._offsets.alter, name, plugin, values, pairs))

    async def reset_offsets(self, request: Request) -> Response:
        """DELETE /connectors/{name}/offsets"""
        name = _name(request)
        plugin, values = await run_in_threadpool(self._worker.stopped, name)
        return JSONResponse(await run_in_threadpool(self._offsets.reset, name, plugin, values))

    async def plugins(self, request: Request) -> Response:
        """GET /connector-plugins"""
        found = [(name, str(plugin.kind)) for name, plugin in self._worker.plugins.names()]
        if not read.flag(request, "connectorsOnly", default=True):
            found += [(name, "transformation") for name in sorted(transforms())]
            found += [(name, "predicate") for name in sorted(predicates())]
        version = installed_version()
        return JSONResponse([{"class": name, "type": kind, "version": version} for name, kind in found])

    async def plugin_config(self, request: Request) -> Response:
        """GET /connector-plugins/{plugin}/config: the plugin's own keys"""
        name = _plugin(request)
        plugin = self._worker.plugins.find(name) or transforms().get(name) or predicates().get(name)
        if plugin is None:
            raise NotFound(f"Unknown plugin {name}.")
        there, wanted = installed_version(), request.query_params.get("version", installed_version())
        if wanted != there:
            raise BadRequest(
                f"Plugin {name} not found that matches the version range [{wanted},{wanted}], "
                f"available versions: [{there}]"
            )
        return JSONResponse([describe(key, order) for order, key in enumerate(plugin.config.keys, start=1)])

    async def validate(self, request: Request) -> Response:
        """PUT /connector-plugins/{plugin}/config/validate"""
        name, config = _plugin(request), await read.connector_config(request)
        plugin = require_type(self._worker.plugins, name, config)
        finding = await run_in_threadpool(examine, plugin, config)
        return JSONResponse(validation_body(finding, show_passwords=self._worker.settings.show_passwords))

    async def loggers(self, _: Request) -> Response:
        """GET /admin/loggers"""
        return JSONResponse(self._loggers.all())

    async def logger(self, request: Request) -> Response:
        """GET /admin/loggers/{logger}"""
        return JSONResponse(self._loggers.one(unquote(request.path_params["logger"])))

    async def set_logger(self, request: Request) -> Response:
        """PUT /admin/loggers/{logger}"""
        level = (await read.connector_config(request)).get("level")
        if level is None:
            raise BadRequest("Desired 'level' parameter was not specified in request.")
        name = unquote(request.path_params["logger"])
        if request.query_params.get("scope", "").lower() == "cluster":
            await run_in_threadpool(self._worker.set_level, name, level)
            return Response(status_code=204)
        return JSONResponse(self._loggers.set(name, level))

    async def openapi(self, _: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(document())

    async def docs(self, _: Request) -> Response:
        """GET /docs"""
        return HTMLResponse(page())


def restart_plan(before: Mapping[str, Any], *, include_tasks: bool, only_failed: bool) -> dict[str, Any]:
    """The status before a restart, what is restarted in state RESTARTING (``runtime.RestartPlan``)."""

    def planned(part: Mapping[str, Any], chosen: bool) -> dict[str, Any]:
        restarts = chosen and (not only_failed or part["state"] == "FAILED")
        kept = {key: value for key, value in part.items() if key != "trace" or not restarts}
        return {**kept, "state": "RESTARTING"} if restarts else kept

    return {
        **before,
        "connector": planned(before["connector"], True),
        "tasks": [planned(task, include_tasks) for task in before["tasks"]],
    }


def _endpoint(handlers: Mapping[str, Handler]) -> Handler:
    """One path's handlers by method; HEAD is GET's, OPTIONS names the methods, as Jersey does both."""

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            allowed = ", ".join(_methods(handlers))
            return PlainTextResponse(allowed, headers={"Allow": allowed})
        return await _guarded(handlers["GET" if request.method == "HEAD" else request.method], request)

    return endpoint


def _methods(handlers: Mapping[str, Handler]) -> list[str]:
    return sorted({*handlers, "OPTIONS", *(["HEAD"] if "GET" in handlers else [])})


async def _guarded(handler: Handler, request: Request) -> Response:
    """Turn every error into Connect's body here: Starlette would log an unexpected one with its text."""
    try:
        return await handler(request)
    except (HTTPException, ClientDisconnect):
        raise
    except Problem as problem:
        return _error(problem.status, str(problem), problem.headers)
    except SyncError as error:
        return _error(503 if decide(error) is Decision.RETRY else 500, str(error))
    except Exception as error:  # noqa: BLE001 - the last stop before the client
        return _unexpected(request, error)


def _name(request: Request) -> str:
    return unquote(request.path_params["name"])


def _plugin(request: Request) -> str:
    return unquote(request.path_params["plugin"])


def _task(request: Request) -> int:
    given = request.path_params["task"]
    if not re.fullmatch("[+-]?[0-9]{1,9}", given):
        raise HTTPException(404)
    return int(given)


def _location(request: Request, name: str) -> dict[str, str]:
    return {"Location": f"{request.base_url}connectors/{quote(name, safe=_SEGMENT)}"}


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
