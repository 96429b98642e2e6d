"""The worker: what the REST API asks of it. Registers connectors, tells configurations, tasks and states.

Called by the REST API (``sync.connect.rest``) from any thread and composed by ``sync.connect.service``. Every worker
of a group answers what only reads; what writes is the leader's (``leading``), to which ``sync.connect.forwarding``
passes it on. Configurations are kept as submitted; secrets are resolved when a task starts and masked in every answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sync.connect.definition import declaration, secret_keys
from sync.connect.herder import Herder
from sync.connect.logger import Loggers, require_level
from sync.connect.membership import Membership
from sync.connect.plugin import Plugins, installed_version
from sync.connect.preparation import Preparation
from sync.connect.problem import BadRequest, Conflict, NotFound, NotReady, Problem, Rebalancing
from sync.connect.registrations import (
    LOGGER,
    RESTART,
    STARTED,
    STOPPED,
    TARGET_STATE,
    Registration,
    TaskId,
    removal,
    target_record,
)
from sync.connect.registry import Registry
from sync.connect.settings import Settings
from sync.connect.status import State, Status, StatusLog, body
from sync.connect.supervision import Healing, Supervisor
from sync.connect.topics import Topics
from sync.connect.validation import Finding, examine, no_type
from sync.errors import ConfigError
from sync.kafka.registrations import source_declaration
from sync.ports import Plugin
from sync.secret import is_secret, mask, resolve, unmask

log = logging.getLogger(__name__)

Body = dict[str, Any]
_ENDING_SECONDS = 10.0
_LOOK = 0.05


class Worker:
    """One worker process's part of the control plane. All methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        plugins: Plugins,
        registry: Registry,
        membership: Membership,
        statuses: StatusLog,
        *,
        healing: Healing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.plugins = plugins
        self._registry = registry
        self._statuses = statuses
        self._writing = threading.RLock()
        self._started = False
        # Masked configurations: clients ask for those of all connectors again and again.
        self._shown: dict[str, tuple[Registration, dict[str, str]]] = {}
        self._supervisor = Supervisor(statuses, healing or Healing(), clock=clock)
        self._preparation = Preparation(settings, plugins)
        self.loggers = Loggers()
        self.topics = Topics(statuses)
        self._herder = Herder(
            settings,
            self._preparation,
            registry,
            membership,
            statuses,
            self._supervisor,
            self._set_level,
            self.topics.look,
            clock,
        )

    def start(self, on_end: Callable[[], None] = lambda: None) -> None:
        """Join the group; ``on_end`` is called when the worker has left it, told to or not.

        Raises Unavailable or Refused when Kafka does not answer; then it may be called again.
        """
        self._herder.start(on_end)
        self._supervisor.start()
        self._started = True
        log.info("Worker %s knows %d connectors.", self.settings.worker_id, len(self._herder.known))

    def stop(self, timeout: float = 4.0) -> bool:
        """Give all tasks to the other workers within ``timeout`` seconds; False if one did not end."""
        # Without the lock: a write that waits for a dead broker must not hold the end up.
        self._started = False
        self._supervisor.grace = min(self._supervisor.grace, timeout)
        left = self._herder.stop(timeout + 1.0)
        ended = self._supervisor.close(0.1 if left else 1.0)
        self._statuses.close()
        if left:
            self._registry.close()
        return left and ended

    @property
    def leading(self) -> bool:
        """Whether this worker leads its group, as far as it knows."""
        return self._herder.leader.active

    @property
    def leader_url(self) -> str:
        """Where the leader's REST API is; empty when nobody leads, or this worker is on its way to."""
        owner = self._herder.owner
        return owner.url if owner is not None and owner.url != self.settings.advertised_url else ""

    @property
    def ready(self) -> bool:
        """Whether the worker is in its group and somebody leads."""
        return self._started and self._herder.ready

    def health(self) -> tuple[int, Body]:
        """HTTP status and body of ``GET /health`` (KIP-1017)."""
        if self._started and not (self._supervisor.alive and self._herder.alive):
            return 500, {"status": "unhealthy", "message": "A part of the worker has ended; restart the worker."}
        if not self._started:
            return 503, {"status": "starting", "message": "Worker is still starting up."}
        if not self._herder.ready:
            return 503, {"status": "starting", "message": "Worker is joining its group."}
        if stalled := self._supervisor.stalled():
            names = ", ".join(f"{name}-{number}" for name, number in stalled)
            return 500, {"status": "unhealthy", "message": f"Tasks that make no progress: {names}. See their status."}
        message = "Worker has completed startup and is ready to handle requests."
        return 200, {"status": "healthy", "message": message}

    def names(self) -> list[str]:
        """The registered connectors."""
        self._require_started()
        return sorted(self._herder.known)

    def info(self, name: str) -> Body:
        """``GET /connectors/{name}``; NotFound."""
        registration = self._registered(name)
        plugin = self._plugin_of(registration)
        tasks = [{"connector": name, "task": number} for number in range(len(registration.parts))]
        return {"name": name, "config": self.config(name), "tasks": tasks, "type": plugin.kind if plugin else "unknown"}

    def config(self, name: str) -> dict[str, str]:
        """The configuration as submitted, clear secrets masked (unless ``show_passwords``); NotFound."""
        registration = self._registered(name)
        if self.settings.show_passwords:
            return dict(registration.config)
        kept, shown = self._shown.get(name, (None, {}))
        if kept is not registration:
            shown = mask(registration.config, self._secrets_of(registration))
            self._shown[name] = registration, shown
        return dict(shown)

    def create(self, name: str, config: Mapping[str, str | None], target: str = STARTED) -> Body:
        """Register a connector; Conflict if the name is taken, BadRequest if the configuration is invalid."""
        self._require_leading()
        complete = _named(name, config)
        finding = self._examined(name, complete)
        with self._writing:
            if name in self._herder.known:
                raise Conflict(f"Connector {name} already exists")
            self._store(Registration(name, dict(finding.config), target), finding.plugin)
        return self.info(name)

    def put_config(self, name: str, config: Mapping[str, str | None]) -> tuple[Body, bool]:
        """Create or replace; (info, whether it was created). A masked value means: as it was. BadRequest."""
        self._require_leading()
        former = self._herder.known.get(name)
        complete = _named(name, config)
        if former is not None:
            complete |= unmask(_present(complete), former.config, self._secrets_of(former))
        finding = self._examined(name, complete)
        with self._writing:
            former = self._herder.known.get(name)
            target = former.target if former else STARTED
            unchanged = former is not None and former.config == finding.config and not self._herder.broken(name)
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
            self._require_leading()
            registration = self._registered(name, f"Connector {name} not found")
            self._herder.leader.submit(removal(registration))
            self._statuses.forget_topics(name)
            for number in (None, *range(len(registration.parts))):
                self._statuses.forget(Status(name, number, State.UNASSIGNED))

    def steer(self, name: str, target: str) -> None:
        """Set the target state: STARTED, PAUSED or STOPPED. NotFound."""
        with self._writing:
            self._require_leading()
            former = self._registered(name, f"Unknown connector {name}")
            if former.target == target:
                return
            changes: dict[str, Any] = {TARGET_STATE + name: target_record(target)}
            if STOPPED in (former.target, target):
                changes |= self._herder.leader.deployment(replace(former, target=target))
            self._herder.leader.submit(changes)

    def restart(self, name: str, *, include_tasks: bool = False, only_failed: bool = False) -> Body:
        """Restart the connector, with ``include_tasks`` its tasks (``only_failed``: those); its status. NotFound."""
        with self._writing:
            self._require_leading()
            registration = self._registered(name, f"Unknown connector: {name}")
            changes: dict[str, Any] = {RESTART + name: {"include-tasks": include_tasks, "only-failed": only_failed}}
            if not registration.parts and registration.target != STOPPED:
                changes |= self._herder.leader.deployment(registration)
            self._herder.leader.submit(changes)
        return self.status(name)

    def restart_task(self, name: str, task: int) -> None:
        """Restart one task. NotFound."""
        with self._writing:
            self._require_leading()
            registration = self._registered(name, f"Unknown connector: {name}")
            if task >= len(registration.parts):
                raise NotFound(f"Unknown task: {name}-{task}")
            self._herder.leader.submit({RESTART + name: {"task": task}})

    def status(self, name: str) -> Body:
        """``GET /connectors/{name}/status``; NotFound."""
        registration = self._registered(name, f"No status found for connector {name}")
        plugin = self._plugin_of(registration)
        tasks = [self._herder.task_status((name, number)) for number in range(len(registration.parts))]
        return {
            "name": name,
            "connector": body(*self._herder.connector_status(name), version=installed_version()),
            "tasks": [body(*told, version=installed_version()) for told in tasks],
            "type": plugin.kind if plugin else "unknown",
        }

    def task_status(self, name: str, task: int) -> Body:
        """``GET /connectors/{name}/tasks/{task}/status``; NotFound."""
        self._require_started()
        if (name, task) not in self._task_ids(name):
            raise NotFound(f"No status found for task {name}-{task}")
        return body(*self._herder.task_status((name, task)), version=installed_version())

    def tasks(self, name: str) -> list[Body]:
        """``GET /connectors/{name}/tasks``: identity and configuration, secrets masked; NotFound."""
        config = self.config(name)
        return [{"id": {"connector": name, "task": number}, "config": config} for _, number in self._task_ids(name)]

    def set_level(self, logger: str, level: str) -> None:
        """Set the level of a logger on every worker of the group that runs now; NotFound for an unknown level."""
        require_level(level)
        with self._writing:
            self._require_leading()
            self._herder.leader.submit({LOGGER + logger: {"level": level}})

    def _set_level(self, logger: str, level: str) -> None:
        try:
            self.loggers.set(logger, level)
        except Problem as problem:
            log.warning("The level of a logger stays as it is: %s", problem)

    def kind(self, name: str) -> str:
        """``source``, ``sink`` or ``unknown``; NotFound."""
        plugin = self._plugin_of(self._registered(name))
        return plugin.kind if plugin else "unknown"

    def stopped(self, name: str) -> tuple[Plugin, dict[str, Any]]:
        """The kind and typed values of a connector that is STOPPED, its tasks ended on whichever worker.

        Waits for tasks that are still ending. NotFound; BadRequest in Connect's words where it isn't stopped;
        Rebalancing where tasks have not ended in time.
        """
        registration = self._registered(name)
        if registration.target != STOPPED:
            raise BadRequest(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for "
                f"the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )
        deadline = time.monotonic() + _ENDING_SECONDS
        # What other workers tell is taken in without a word to us.
        while not self.wait(lambda: self._herder.ended(name), _LOOK):
            if time.monotonic() > deadline:
                raise Rebalancing(f"The tasks of connector {name} have not ended yet; ask again in a moment.")
        return self._preparation.values(registration.config)

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block until ``condition`` holds (looked at on each change of a task's state); False after ``timeout`` s."""
        return self._supervisor.wait(condition, timeout)

    def _task_ids(self, name: str) -> list[TaskId]:
        found = self._herder.known.get(name)
        return [(name, number) for number in range(len(found.parts))] if found else []

    def _examined(self, name: str, config: Mapping[str, str | None]) -> Finding:
        kind = config.get("connector.class")
        if kind is None:
            raise no_type(config)
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
        leader = self._herder.leader
        leader.submit({**registration.changes(declared), **leader.deployment(registration)})

    def _require_own_prefix(self, name: str, prefix: str) -> None:
        for other in self._herder.known.values():
            try:
                taken = other.name != name and _prefix(other.config) == prefix
            except ConfigError:
                continue
            if taken:
                raise BadRequest(
                    f"Configuration topic.prefix: {prefix} already names the source of connector {other.name}.",
                    hint="give each source its own topic.prefix",
                )

    def _registered(self, name: str, message: str = "") -> Registration:
        self._require_started()
        found = self._herder.known.get(name)
        if found is None:
            raise NotFound(message or f"Connector {name} not found")
        return found

    def _require_started(self) -> None:
        if not self._started:
            raise NotReady("The worker is starting or stopping; try again in a moment.")

    def _require_leading(self) -> None:
        self._require_started()
        if not self.leading:
            raise Rebalancing()

    def _plugin_of(self, registration: Registration) -> Plugin | None:
        return self.plugins.find(registration.config.get("connector.class", ""))

    def _secrets_of(self, registration: Registration) -> frozenset[str]:
        plugin = self._plugin_of(registration)
        if plugin is None:
            return frozenset(key for key in registration.config if is_secret(key))
        return secret_keys(declaration(plugin))


def _prefix(config: Mapping[str, str]) -> str | None:
    """A configuration's ``topic.prefix``, by itself: to resolve hundreds of configurations whole takes a while."""
    return (
        resolve({"topic.prefix": config["topic.prefix"]}).config["topic.prefix"] if "topic.prefix" in config else None
    )


def _named(name: str, config: Mapping[str, str | None]) -> dict[str, str | None]:
    given = config.get("name")
    if given is not None and given != name:
        raise BadRequest(f"Connector name configuration ({given}) doesn't match connector name in the URL ({name})")
    return {**config, "name": name}


def _present(config: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in config.items() if value is not None}
