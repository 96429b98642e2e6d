"""The worker: what Kafka Connect calls a herder. Registers connectors, runs their tasks, tells their states.

Called by the REST API (``sync.connect.rest``) from any thread and composed by ``sync.connect.service``. One worker
owns a group at a time; a second one with the same group takes over, and the first stops its tasks and ends
(``lost`` tells). Configurations are kept as submitted; secrets are resolved when a task starts and masked in every
answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sync.connect.definition import declaration, secret_keys
from sync.connect.plugin import Plugins, installed_version
from sync.connect.problem import BadRequest, Conflict, NotFound, NotReady
from sync.connect.registrations import (
    PAUSED,
    STARTED,
    STOPPED,
    TARGET_STATE,
    Registration,
    Registry,
    removal,
    target_record,
)
from sync.connect.status import STATUS_TOPIC, State, Status, StatusLog, body, trace
from sync.connect.supervision import Factory, Healing, Supervisor
from sync.connect.validation import Finding, examine, typed
from sync.errors import ConfigError, Fenced, SyncError
from sync.kafka.registrations import CONFIGS_TOPIC, source_declaration
from sync.ports import Plugin, TaskContext
from sync.secret import is_secret, mask, resolve, unmask

log = logging.getLogger(__name__)

Body = dict[str, Any]
OFFSETS_TOPIC = "dongbo.connect.offsets"
_REFRESH_SECONDS = 3600.0
_ENDING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a worker's servers are and what it is called. ``rest_port`` 0 takes a free one.

    ``show_passwords`` answers with clear passwords as they were submitted, as Kafka Connect does.
    """

    bootstrap: str
    registry_url: str
    rest_host: str = "127.0.0.1"
    rest_port: int = 8083
    worker_id: str = ""
    group: str = "dongbo"
    configs_topic: str = CONFIGS_TOPIC
    status_topic: str = STATUS_TOPIC
    offsets_topic: str = OFFSETS_TOPIC
    show_passwords: bool = False


class Worker:
    """One worker process's connectors. All methods may be called from any thread; writes are serialised."""

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins,
        registry: Registry,
        statuses: StatusLog,
        *,
        healing: Healing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        self.lost: str | None = None
        self._registry = registry
        self._statuses = statuses
        self._clock = clock
        self._refreshed = clock()
        self._known: dict[str, Registration] = {}
        self._broken: dict[str, str] = {}
        self._writing = threading.RLock()
        self._started = False
        self._on_lost: Callable[[], None] = lambda: None
        self._supervisor = Supervisor(statuses, healing or Healing(), clock=clock, tick=self._tick)

    def start(self, on_lost: Callable[[], None] = lambda: None) -> None:
        """Take the group over and restore every connector; ``on_lost`` is called once if another worker takes it.

        Raises Unavailable or Refused when Kafka does not answer; then it may be called again.
        """
        with self._writing:
            self._known = self._registry.open(self.settings.worker_id)
            self._refreshed = self._clock()
            self._on_lost = on_lost
            for name in self._known:
                self._deploy(name)
            # First the thread: a started worker without one is unhealthy.
            self._supervisor.start()
            self._started = True
        log.info("Worker %s restored %d connectors.", self.settings.worker_id, len(self._known))

    def stop(self, timeout: float = 4.0) -> bool:
        """Stop all tasks within ``timeout`` seconds; False if one did not end. Registrations stay."""
        # Without the lock: a write that waits for a dead broker must not hold the end up.
        self._started = False
        ended = self._supervisor.close(timeout, publish=not self.lost)
        if not self.lost:
            for name in self._known:
                self._statuses.publish(Status(name, None, State.UNASSIGNED))
        self._statuses.close()
        self._registry.close()
        return ended

    def health(self) -> tuple[int, Body]:
        """HTTP status and body of ``GET /health`` (KIP-1017)."""
        if self.lost is not None:
            return 500, {"status": "unhealthy", "message": f"Worker {self.lost} has taken over this group."}
        if not self._started:
            return 503, {"status": "starting", "message": "Worker is still starting up."}
        if not self._supervisor.alive:
            return 500, {"status": "unhealthy", "message": "The task supervisor has ended; restart the worker."}
        message = "Worker has completed startup and is ready to handle requests."
        return 200, {"status": "healthy", "message": message}

    def names(self) -> list[str]:
        """The registered connectors."""
        self._require_started()
        return sorted(self._known)

    def info(self, name: str) -> Body:
        """``GET /connectors/{name}``; NotFound."""
        registration = self._registered(name)
        plugin = self._plugin_of(registration)
        tasks = [{"connector": name, "task": status.task} for status in self._supervisor.status(name)]
        return {"name": name, "config": self.config(name), "tasks": tasks, "type": plugin.kind if plugin else "unknown"}

    def config(self, name: str) -> dict[str, str]:
        """The configuration as submitted, clear secrets masked (unless ``show_passwords``); NotFound."""
        registration = self._registered(name)
        if self.settings.show_passwords:
            return dict(registration.config)
        return mask(registration.config, self._secrets_of(registration))

    def create(self, name: str, config: Mapping[str, str | None], target: str = STARTED) -> Body:
        """Register a connector; Conflict if the name is taken, BadRequest if the configuration is invalid."""
        self._require_started()
        if name in self._known:
            raise Conflict(f"Connector {name} already exists")
        complete = _named(name, config)
        finding = self._examined(name, complete)
        with self._writing:
            if name in self._known:
                raise Conflict(f"Connector {name} already exists")
            self._store(Registration(name, dict(finding.config), target), finding.plugin)
        return self.info(name)

    def put_config(self, name: str, config: Mapping[str, str | None]) -> tuple[Body, bool]:
        """Create or replace; (info, whether it was created). A masked value means: as it was. BadRequest."""
        self._require_started()
        former = self._known.get(name)
        complete = _named(name, config)
        if former is not None:
            complete |= unmask(_present(complete), former.config, self._secrets_of(former))
        finding = self._examined(name, complete)
        with self._writing:
            former = self._known.get(name)
            target = former.target if former else STARTED
            unchanged = former is not None and former.config == finding.config and name not in self._broken
            if not unchanged:
                self._store(Registration(name, dict(finding.config), target), finding.plugin)
        return self.info(name), former is None

    def patch_config(self, name: str, patch: Mapping[str, str | None]) -> Body:
        """Change some keys; None deletes one. NotFound, BadRequest."""
        merged: dict[str, str | None] = dict(self._registered(name).config)
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        return self.put_config(name, merged)[0]

    def delete(self, name: str) -> None:
        """Unregister and stop; its offsets stay, as in Connect. NotFound."""
        with self._writing:
            self._registered(name, f"Connector {name} not found")
            self._write(removal(name))
            del self._known[name]
            self._broken.pop(name, None)
            self._supervisor.withdraw(name)
            self._statuses.forget(Status(name, None, State.STOPPED))

    def steer(self, name: str, target: str) -> None:
        """Set the target state: STARTED, PAUSED or STOPPED. NotFound."""
        with self._writing:
            former = self._registered(name, f"Unknown connector {name}")
            if former.target == target:
                return
            self._write({TARGET_STATE + name: target_record(target)})
            self._known[name] = replace(former, target=target)
            if STOPPED in (former.target, target) or name in self._broken:
                self._deploy(name)
            else:
                self._supervisor.steer(name, running=target == STARTED)
                self._publish(name)

    def restart(self, name: str, *, include_tasks: bool = False, only_failed: bool = False) -> Body:
        """Restart the connector, with ``include_tasks`` its tasks (``only_failed``: those); its status. NotFound."""
        with self._writing:
            registration = self._registered(name, f"Unknown connector: {name}")
            if name in self._broken:
                self._deploy(name)
            elif include_tasks and registration.target == STARTED:
                chosen = [s for s in self._supervisor.status(name) if not only_failed or s.state is State.FAILED]
                self._supervisor.restart(name, [s.task for s in chosen if s.task is not None])
        return self.status(name)

    def restart_task(self, name: str, task: int) -> None:
        """Restart one task. NotFound."""
        self._registered(name, f"Unknown connector: {name}")
        if not any(status.task == task for status in self._supervisor.status(name)):
            raise NotFound(f"Unknown task: {name}-{task}")
        self._supervisor.restart(name, [task])

    def status(self, name: str) -> Body:
        """``GET /connectors/{name}/status``; NotFound."""
        registration = self._registered(name, f"No status found for connector {name}")
        plugin = self._plugin_of(registration)
        worker_id = self.settings.worker_id
        return {
            "name": name,
            "connector": body(self._connector_status(name), worker_id, version=installed_version()),
            "tasks": [body(status, worker_id, version=installed_version()) for status in self._supervisor.status(name)],
            "type": plugin.kind if plugin else "unknown",
        }

    def task_status(self, name: str, task: int) -> Body:
        """``GET /connectors/{name}/tasks/{task}/status``; NotFound."""
        for status in self._supervisor.status(name):
            if status.task == task:
                return body(status, self.settings.worker_id, version=installed_version())
        raise NotFound(f"No status found for task {name}-{task}")

    def tasks(self, name: str) -> list[Body]:
        """``GET /connectors/{name}/tasks``: identity and configuration, secrets masked; NotFound."""
        config = self.config(name)
        statuses = self._supervisor.status(name)
        return [{"id": {"connector": name, "task": status.task}, "config": config} for status in statuses]

    def kind(self, name: str) -> str:
        """``source``, ``sink`` or ``unknown``; NotFound."""
        plugin = self._plugin_of(self._registered(name))
        return plugin.kind if plugin else "unknown"

    def stopped(self, name: str) -> tuple[Plugin, dict[str, Any]]:
        """The kind and typed values of a connector that is STOPPED, its tasks ended.

        Waits for tasks that are still ending. NotFound; BadRequest in Connect's words where it isn't stopped.
        """
        registration = self._registered(name)
        if registration.target != STOPPED or not self.wait(lambda: self._supervisor.idle(name), _ENDING_SECONDS):
            raise BadRequest(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for "
                f"the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )
        plugin = self.plugins.get(registration.config.get("connector.class", ""))
        return plugin, _ready(plugin, registration.config, {})[0]

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block until ``condition`` holds (looked at on each change of a task's state); False after ``timeout`` s."""
        return self._supervisor.wait(condition, timeout)

    def _examined(self, name: str, config: Mapping[str, str | None]) -> Finding:
        kind = config.get("connector.class")
        if not kind:
            shown = ", ".join(f"{key}={value}" for key, value in mask(_present(config)).items())
            raise BadRequest(f"Connector config {{{shown}}} contains no connector type")
        finding = examine(self.plugins.get(kind), config)
        finding.require_valid()
        for warning in finding.warnings:
            log.warning("Connector %s: %s", name, warning)
        for note in finding.notes:
            log.info("Connector %s: %s", name, note)
        return finding

    def _store(self, registration: Registration, plugin: Plugin) -> None:
        declared = source_declaration(resolve(registration.config).config) if plugin.kind == "source" else None
        if declared is not None:
            self._require_own_prefix(registration.name, declared["topic.prefix"])
        self._write(registration.changes(declared))
        self._known[registration.name] = registration
        self._deploy(registration.name)

    def _require_own_prefix(self, name: str, prefix: str) -> None:
        for other in self._known.values():
            try:
                taken = other.name != name and resolve(other.config).config.get("topic.prefix") == prefix
            except ConfigError:
                continue
            if taken:
                raise BadRequest(
                    f"Configuration topic.prefix: {prefix} already names the source of connector {other.name}.",
                    hint="give each source its own topic.prefix",
                )

    def _write(self, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
        self._require_started()
        try:
            self._registry.write(changes)
        except Fenced as error:
            self._lose("another worker")
            raise NotReady(str(error)) from error

    def _deploy(self, name: str) -> None:
        """Make the tasks of ``name`` what its registration says; a wrong one becomes FAILED with its reason."""
        registration = self._known[name]
        self._broken.pop(name, None)
        try:
            factories = [] if registration.target == STOPPED else self._factories(registration)
        except SyncError as error:
            log.error("Connector %s failed: %s", name, error)
            self._broken[name] = trace(error)
            self._supervisor.withdraw(name)
        else:
            self._supervisor.deploy(name, factories, running=registration.target == STARTED)
        self._publish(name)

    def _factories(self, registration: Registration) -> list[Factory]:
        name = registration.name
        plugin = self.plugins.get(registration.config.get("connector.class", ""))
        values, _ = _ready(plugin, registration.config, {})
        parts = plugin.split(values, values["tasks.max"])
        contexts = [
            TaskContext(
                connector=name,
                task=index,
                tasks=len(parts),
                bootstrap=self.settings.bootstrap,
                registry_url=self.settings.registry_url,
                offsets_topic=self.settings.offsets_topic,
                worker_id=self.settings.worker_id,
            )
            for index in range(len(parts))
        ]
        return [
            _factory(plugin, registration.config, part, context) for part, context in zip(parts, contexts, strict=True)
        ]

    def _connector_status(self, name: str) -> Status:
        if name in self._broken:
            return Status(name, None, State.FAILED, self._broken[name])
        target = self._known[name].target
        if target == STOPPED and self._supervisor.idle(name):
            return Status(name, None, State.STOPPED)
        return Status(name, None, State.PAUSED if target == PAUSED else State.RUNNING)

    def _publish(self, name: str) -> None:
        self._statuses.publish(self._connector_status(name))

    def _registered(self, name: str, message: str = "") -> Registration:
        self._require_started()
        found = self._known.get(name)
        if found is None:
            raise NotFound(message or f"Connector {name} not found")
        return found

    def _require_started(self) -> None:
        if self.lost is not None:
            raise NotReady(f"Worker {self.lost} has taken over this group; ask it.")
        if not self._started:
            raise NotReady("The worker is starting or stopping; try again in a moment.")

    def _plugin_of(self, registration: Registration) -> Plugin | None:
        return self.plugins.find(registration.config.get("connector.class", ""))

    def _secrets_of(self, registration: Registration) -> frozenset[str]:
        plugin = self._plugin_of(registration)
        if plugin is None:
            return frozenset(key for key in registration.config if is_secret(key))
        return secret_keys(declaration(plugin))

    def _tick(self) -> None:
        """In the supervising thread, a few times a second: has another worker taken over?"""
        try:
            successor = self._registry.successor()
            if successor is not None:
                self._lose(successor)
            elif self._clock() - self._refreshed > _REFRESH_SECONDS:
                self._refreshed = self._clock()
                with self._writing:
                    self._registry.refresh()
        except Fenced:
            self._lose("another worker")
        except SyncError as error:
            log.warning("The worker cannot look at its registrations now: %s", error)

    def _lose(self, successor: str) -> None:
        if self.lost is None:
            self.lost = successor
            log.error(
                "Worker %s took over group %s; this worker (%s) stops its tasks. Remedy: run one worker a group, "
                "or give this one another group and other control topics.",
                successor,
                self.settings.group,
                self.settings.worker_id,
            )
            self._on_lost()


def _named(name: str, config: Mapping[str, str | None]) -> dict[str, str | None]:
    given = config.get("name", name)
    if given != name:
        raise BadRequest(f"Connector name configuration ({given}) doesn't match connector name in the URL ({name})")
    return {**config, "name": name}


def _present(config: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in config.items() if value is not None}


def _ready(plugin: Plugin, config: Mapping[str, str], part: Mapping[str, str]) -> tuple[dict[str, Any], Any]:
    """The typed values of a task and the function that scrubs its secrets; ConfigError naming the first wrong key."""
    resolved = resolve({**config, **part}, secret_keys(declaration(plugin)))
    parsed = typed(plugin, resolved.config)
    for key, messages in parsed.errors.items():
        raise ConfigError(resolved.scrub(messages[0]), field=key)
    # What a plugin's split adds need not be a declared key.
    return {**part, **parsed.values}, resolved.scrub


def _factory(plugin: Plugin, config: Mapping[str, str], part: Mapping[str, str], context: TaskContext) -> Factory:
    def make() -> Any:
        # Placeholders are resolved anew for each start: a rotated secret needs a restart, not a registration.
        values, scrub = _ready(plugin, config, part)
        return plugin.task(context, values), scrub

    return make
