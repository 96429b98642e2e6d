"""A small client of the REST API, for the command line and the demo; works with Kafka Connect as well."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from sync.connect.problem import BadRequest, Conflict, NotFound, NotReady
from sync.errors import Refused, SyncError, Unavailable

_ERRORS: dict[int, type[SyncError]] = {400: BadRequest, 404: NotFound, 409: Conflict, 503: NotReady}


class Client:
    """Calls one worker. Every method raises Unavailable if nobody answers, and the refusal's class otherwise.

    A request that met a change of the group's leader is sent again for ``patience`` seconds.
    """

    def __init__(self, url: str, *, timeout: float = 60.0, patience: float = 15.0) -> None:
        self._patience = patience
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=timeout, trust_env=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> dict[str, Any]:
        """``{"status": …, "message": …}``; NotReady while the worker starts."""
        return dict(self._call("GET", "/health"))

    def names(self) -> list[str]:
        """The registered connectors."""
        return [str(name) for name in self._call("GET", "/connectors")]

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Every connector's info and status, by name."""
        return dict(self._call("GET", "/connectors?expand=info&expand=status"))

    def info(self, name: str) -> dict[str, Any]:
        """Name, configuration, tasks and type."""
        return dict(self._call("GET", _path(name)))

    def status(self, name: str) -> dict[str, Any]:
        """The states of the connector and its tasks."""
        return dict(self._call("GET", _path(name) + "/status"))

    def apply(self, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change; the same configuration again changes nothing."""
        return dict(self._call("PUT", _path(name) + "/config", dict(config)))

    def create(self, name: str, config: Mapping[str, Any], creation: Mapping[str, Any]) -> dict[str, Any]:
        """Create one that is not there, as ``creation`` says (``initial_state``, ``initial_offsets``)."""
        return dict(self._call("POST", "/connectors", {"name": name, "config": dict(config), **creation}))

    def validate(self, plugin: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Connect's validation body."""
        return dict(self._call("PUT", f"/connector-plugins/{quote(plugin, safe='')}/config/validate", dict(config)))

    def delete(self, name: str) -> None:
        """Unregister."""
        self._call("DELETE", _path(name))

    def pause(self, name: str) -> None:
        """Pause."""
        self._call("PUT", _path(name) + "/pause")

    def resume(self, name: str) -> None:
        """Resume."""
        self._call("PUT", _path(name) + "/resume")

    def stop(self, name: str) -> None:
        """Stop: like pause, and the tasks are released."""
        self._call("PUT", _path(name) + "/stop")

    def restart(self, name: str, *, only_failed: bool = False) -> None:
        """Restart the connector and its tasks."""
        self._call("POST", f"{_path(name)}/restart?includeTasks=true&onlyFailed={str(only_failed).lower()}")

    def restart_task(self, name: str, task: int) -> None:
        """Restart one task."""
        self._call("POST", f"{_path(name)}/tasks/{task}/restart")

    def offsets(self, name: str) -> dict[str, Any]:
        """``{"offsets": [{"partition": …, "offset": …}]}``."""
        return dict(self._call("GET", _path(name) + "/offsets"))

    def alter_offsets(self, name: str, offsets: Any) -> dict[str, Any]:
        """Set offsets of a stopped connector, in the shape of ``offsets``; ``{"message": …}``."""
        return dict(self._call("PATCH", _path(name) + "/offsets", offsets))

    def reset_offsets(self, name: str) -> dict[str, Any]:
        """Forget a stopped connector's offsets; ``{"message": …}``."""
        return dict(self._call("DELETE", _path(name) + "/offsets"))

    def plugins(self) -> list[dict[str, Any]]:
        """Class, type and version of each kind of connector."""
        return list(self._call("GET", "/connector-plugins"))

    def plugin_config(self, plugin: str) -> list[dict[str, Any]]:
        """The keys of a kind of connector."""
        return list(self._call("GET", f"/connector-plugins/{quote(plugin, safe='')}/config"))

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        answer, deadline = self._ask(method, path, content), time.monotonic() + self._patience
        while answer.status_code == 409 and "Retry-After" in answer.headers and time.monotonic() < deadline:
            time.sleep(min(1.0, float(answer.headers["Retry-After"])) / 2)
            answer = self._ask(method, path, content)
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            message = str(answer.json()["message"])
        except (ValueError, KeyError, TypeError):
            message = f"HTTP {answer.status_code} for {method} {path}"
        raise _ERRORS.get(answer.status_code, Refused)(message)

    def _ask(self, method: str, path: str, content: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, json=content)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"No worker answers at {self.url} ({type(error).__name__}).",
                hint="start one with `dongbo worker`, or give the right address by --url",
            ) from error


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"
