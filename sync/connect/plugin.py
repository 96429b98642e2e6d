"""The connector kinds that this worker has: found by discovery, named by class, alias or short name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from sync import sink, source
from sync.connect.problem import BadRequest
from sync.ports import Plugin


@cache
def installed_version() -> str:
    """The version of this distribution; ``0`` in a checkout that was never installed."""
    try:
        return version("dongbo")
    except PackageNotFoundError:
        return "0"


class Plugins:
    """A look-up over plugins.

    A connector names one by ``class_name``, an alias, the last part of either, or that without ``Connector``
    (``org.apache.kafka.connect.runtime.isolation.PluginUtils``).
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._by_class = {plugin.class_name: plugin for plugin in plugins}
        self._full = {name: p for p in self._by_class.values() for name in (p.class_name, *p.aliases)}
        short: defaultdict[str, list[Plugin]] = defaultdict(list)
        for name, plugin in self._full.items():
            for tail in _tails(name):
                short[tail].append(plugin)
        self._short = {tail: found[0] for tail, found in short.items() if all(p is found[0] for p in found)}

    @classmethod
    def discover(cls) -> Plugins:
        """All plugins of ``sync.source`` and ``sync.sink``."""
        return cls([*source.plugins(), *sink.plugins()])

    def find(self, name: str) -> Plugin | None:
        """The plugin called ``name``, or None; a short name that two plugins share names neither."""
        return self._full.get(name) or self._short.get(name)

    def is_called(self, plugin: Plugin, name: str) -> bool:
        """Whether ``name`` is a name of ``plugin``, be it a short one that another plugin has too."""
        return any(name == full or name in _tails(full) for full in (plugin.class_name, *plugin.aliases))

    def get(self, name: str) -> Plugin:
        """The plugin called ``name``; BadRequest naming those there are."""
        plugin = self.find(name)
        if plugin is None:
            available = ", ".join(sorted(self._by_class)) or "none"
            raise BadRequest(
                f"Failed to find any class that implements Connector and which name matches {name}, "
                f"available connectors are: {available}"
            )
        return plugin

    def names(self) -> list[tuple[str, Plugin]]:
        """Every full class name and alias with its plugin, sorted by name."""
        return sorted(self._full.items(), key=lambda pair: pair[0])


def _tails(name: str) -> set[str]:
    tail = name.rpartition(".")[2]
    return {tail, tail.removesuffix("Connector") or tail}
