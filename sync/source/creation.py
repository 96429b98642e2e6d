"""The topics that a source creates: Kafka Connect's ``topic.creation.*`` keys (KIP-158).

Every source kind declares ``KEYS`` and asks ``Creation`` for a topic before ``ensure_topics``. A topic that exists
stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError
from sync.kafka.client import Topic
from sync.source.validator import at_least, patterns

_GROUP = "Topic Creation"
_DEFAULT = "default"
_NAME = re.compile(r"topic\.creation\.([^.]+)\.(.+)")


def _replication(name: str, value: Any) -> str | None:
    if value == -1 or value >= 1:
        return None
    return f"Invalid value {value} for configuration {name}: must be at least 1, or -1 for the broker's default."


def _key(name: str, kind: Type, doc: str, default: Any, **more: Any) -> Key:
    return Key(name, kind, doc, default, group=_GROUP, **more)


KEYS = ConfigDef(
    (
        _key("topic.creation.groups", Type.LIST, "Names of groups of topics with settings of their own.", []),
        _key("topic.creation.default.partitions", Type.INT, "Partitions of a topic that is created.", 1,
             validator=at_least(1), differs="Not required: 1 by default."),
        _key("topic.creation.default.replication.factor", Type.INT, "Replicas of a topic that is created.", -1,
             validator=_replication, differs="Not required: the broker's default by default."),
    ),
    families=(
        _key(r"topic\.creation\.(?!default\.)[^.]+\.(include|exclude)", Type.LIST,
             "Regular expressions of the names of a group's topics, and of those that aren't in it.", [],
             validator=patterns),
        _key(r"topic\.creation\.(?!default\.)[^.]+\.partitions", Type.INT, "Partitions of a group's topics.", 1,
             validator=at_least(1)),
        _key(r"topic\.creation\.(?!default\.)[^.]+\.replication\.factor", Type.INT, "Replicas of a group's topics.",
             -1, validator=_replication),
        _key(r"topic\.creation\.[^.]+\.(?!partitions$|replication\.factor$|include$|exclude$).+", Type.STRING,
             "Any setting of a topic (cleanup.policy, retention.ms, …) for the topics of a group, or all (default).",
             ""),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Group:
    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, topic: str) -> bool:
        if any(pattern.fullmatch(topic) for pattern in self.exclude):
            return False
        return any(pattern.fullmatch(topic) for pattern in self.include)


@dataclass(frozen=True, slots=True)
class Creation:
    """How topics are created: the first group that a topic belongs to, then the default group."""

    default: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[_Group, ...] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Creation:
        """Read the typed values of ``KEYS``. ConfigError for a setting of a group that isn't listed."""
        found: dict[str, dict[str, Any]] = {_DEFAULT: {}, **{name: {} for name in values["topic.creation.groups"]}}
        for name, value in values.items():
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            if match[1] not in found:
                raise ConfigError(
                    f"Configuration {name} is about the group {match[1]}, which topic.creation.groups does not name.",
                    field=name,
                    hint="add the group to topic.creation.groups, or remove the key",
                )
            found[match[1]][match[2]] = value
        default = found.pop(_DEFAULT)
        groups = []
        for name, settings in found.items():
            include, exclude = (_compiled(settings.pop(kind, ())) for kind in ("include", "exclude"))
            if not include:
                raise ConfigError(
                    f"Missing configuration topic.creation.{name}.include: the group has no topics.",
                    field="topic.creation.groups",
                    hint=f"set topic.creation.{name}.include, or take the group out of topic.creation.groups",
                )
            groups.append(_Group(include, exclude, settings))
        return cls(default, tuple(groups))

    def topic(self, name: str) -> Topic:
        """Return the topic to have under ``name``."""
        group = next((group for group in self.groups if name in group), _Group())
        settings = {**self.default, **group.settings}
        partitions, replication = settings.pop("partitions", 1), settings.pop("replication.factor", -1)
        return Topic(name, partitions, replication=replication, settings=tuple(sorted(settings.items())))


def _compiled(items: Any) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(item) for item in items)
