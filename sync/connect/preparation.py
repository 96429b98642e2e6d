"""From a registered configuration to tasks: what the leader splits, and what the owner of a task's slot starts.

Called by ``sync.connect.herder``. Secrets are resolved here, as late as can be and on the worker that runs the task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sync.connect.definition import declaration, secret_keys
from sync.connect.plugin import Plugins
from sync.connect.registrations import Part, Registration
from sync.connect.settings import Settings
from sync.connect.supervision import Factory
from sync.connect.validation import typed
from sync.errors import ConfigError
from sync.ports import Plugin, Task, TaskContext
from sync.progress import Progress
from sync.secret import resolve


class Preparation:
    """Prepares the tasks of one worker."""

    def __init__(self, settings: Settings, plugins: Plugins) -> None:
        self._settings = settings
        self._plugins = plugins

    def values(self, config: Mapping[str, str]) -> tuple[Plugin, dict[str, Any]]:
        """The plugin of ``config`` and its typed values, secrets resolved; raises as ``check``."""
        return self._ready(config, {})[:2]

    def check(self, config: Mapping[str, str]) -> None:
        """See that a connector can start on this worker; raises SyncError (placeholder, key, plugin)."""
        self._ready(config, {})

    def split(self, config: Mapping[str, str]) -> list[dict[str, str]]:
        """What each task adds to ``config``; raises as ``check``."""
        plugin, values, _ = self._ready(config, {})
        return plugin.split(values, values["tasks.max"])

    def factory(self, registration: Registration, number: int) -> Factory:
        """What makes one task of a registration's deployment; no I/O before it is called."""
        config, parts = registration.config, registration.parts
        if registration.deployment is not None:
            config = registration.deployment.config
        context = TaskContext(
            connector=registration.name,
            task=number,
            tasks=len(parts),
            bootstrap=self._settings.bootstrap,
            registry_url=self._settings.registry_url,
            offsets_topic=self._settings.offsets_topic,
            worker_id=self._settings.worker_id,
        )
        return self._factory(config, parts[number], context)

    def _factory(self, config: Mapping[str, str], part: Part, context: TaskContext) -> Factory:
        def make(progress: Progress) -> tuple[Task, Callable[[str], str]]:
            # Placeholders are resolved anew for each start: a rotated secret needs a restart, not a registration.
            plugin, values, scrub = self._ready(config, part.properties)
            return plugin.task(replace(context, progress=progress), values), scrub

        return make

    def _ready(
        self, config: Mapping[str, str], part: Mapping[str, str]
    ) -> tuple[Plugin, dict[str, Any], Callable[[str], str]]:
        """The plugin, the typed values of a task and what scrubs its secrets; ConfigError names the first wrong key."""
        plugin = self._plugins.get(config.get("connector.class", ""))
        resolved = resolve({**config, **part}, secret_keys(declaration(plugin)))
        parsed = typed(plugin, resolved.config)
        for key, messages in parsed.errors.items():
            raise ConfigError(resolved.scrub(messages[0]), field=key)
        # What a plugin's split adds need not be a declared key.
        return plugin, {**part, **parsed.values}, resolved.scrub
