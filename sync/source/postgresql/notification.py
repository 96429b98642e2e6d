"""Notifications about snapshots (``notification.*``): records of a topic, and lines of the log.

Told by the initial snapshot (``snapshot.initial``, ``snapshot.phase``) and by incremental ones (``incremental.run``).
A record goes into the Kafka transaction of what it tells of, so it is seen together with that. Forms are Debezium
3.4's.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from dataclasses import dataclass
from typing import Any, Literal

from sync.config import Type
from sync.errors import ConfigError
from sync.schema.avro import encode_one, header
from sync.source.postgresql.envelope import Schema
from sync.source.postgresql.key import key
from sync.source.postgresql.kind import record

_log = logging.getLogger(__name__)

Aggregate = Literal["Initial Snapshot", "Incremental Snapshot"]

INITIAL: Aggregate = "Initial Snapshot"
"""Blocking snapshots are told under this name too."""

INCREMENTAL: Aggregate = "Incremental Snapshot"
Kind = Literal["STARTED", "IN_PROGRESS", "TABLE_SCAN_COMPLETED", "COMPLETED", "ABORTED", "SKIPPED", "PAUSED", "RESUMED"]
Outputs = Mapping[str, MutableSequence[tuple[bytes | None, bytes | None]]]
"""Topic → records, as a batch has them."""

_SINK, _LOG = "sink", "log"
_SPACE = "io.debezium.connector.common"
_VALUES = ("maximum_key", "last_processed_key")
"""Data that holds values of rows: it never goes to a log."""


def _channels(name: str, value: Any) -> str | None:
    unknown = sorted(set(value) - {_SINK, _LOG})
    if unknown:
        return f"Invalid value {', '.join(unknown)} for configuration {name}: must be among {_SINK}, {_LOG}."
    return None


KEYS = (
    key("notification.enabled.channels", "Where is told how snapshots get on: sink (a topic), log (the worker's log, "
        "without keys of rows).", [], Type.LIST, validator=_channels, differs="sink and log; not jmx."),
    key("notification.sink.topic.name", "The topic of the channel sink.", ""),
)  # fmt: skip

KEY_SCHEMA: Schema = record(f"{_SPACE}.NotificationKey", [{"name": "id", "type": "string"}])
SCHEMA: Schema = record(
    f"{_SPACE}.Notification",
    [
        {"name": "id", "type": "string"},
        {"name": "type", "type": "string"},
        {"name": "aggregate_type", "type": "string"},
        {"name": "additional_data", "type": ["null", {"type": "map", "values": "string"}], "default": None},
        {"name": "timestamp", "type": "long"},
    ],
)


@dataclass(frozen=True, slots=True)
class Channels:
    """Where notifications go: ``topic`` (empty: to none), and the log."""

    topic: str = ""
    log: bool = False

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Channels:
        """Read the typed values of ``KEYS``. ConfigError where the channel sink has no topic."""
        enabled, topic = values["notification.enabled.channels"], values["notification.sink.topic.name"]
        if _SINK in enabled and not topic:
            raise ConfigError(
                "Missing configuration notification.sink.topic.name: notification.enabled.channels has sink.",
                field="notification.sink.topic.name",
                hint="name a topic, or take sink out of notification.enabled.channels",
            )
        return cls(topic if _SINK in enabled else "", _LOG in enabled)


class Notifications:
    """Tells of one connector's snapshots. Does nothing without channels."""

    def __init__(
        self,
        channels: Channels,
        source: str,
        register: Callable[[str, Schema], int],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``source`` is ``topic.prefix``; ``clock`` gives nanoseconds. Raises what ``register`` raises."""
        self._channels = channels
        self._source = source
        self._clock = clock
        self._key = self._value = b""
        if channels.topic:
            self._key = header(register(f"{channels.topic}-key", KEY_SCHEMA))
            self._value = header(register(f"{channels.topic}-value", SCHEMA))

    def tell(
        self,
        outputs: Outputs,
        kind: Kind,
        aggregate: Aggregate,
        signal: str | None = None,
        *,
        tables: Iterable[str] | None = None,
        **data: str,
    ) -> None:
        """Tell that ``kind`` happened: into ``outputs``, whose transaction makes it seen, and to the log.

        ``signal`` is the id of the signal that asked for it; ``tables`` are what is read, ``data`` the rest.
        """
        if self._channels.log:
            told = {name: value for name, value in data.items() if name not in _VALUES}
            _log.info("Source %s: %s %s %s", self._source, aggregate, kind, told or "")
        if not self._channels.topic:
            return
        listed = {} if tables is None else {"data_collections": ",".join(tables)}
        name = signal or str(uuid.uuid4())
        value = {
            "id": name,
            "type": kind,
            "aggregate_type": aggregate,
            "additional_data": {"connector_name": self._source, **listed, **data},
            "timestamp": self._clock() // 1_000_000,
        }
        outputs[self._channels.topic].append(
            (self._key + encode_one(KEY_SCHEMA, {"id": name}), self._value + encode_one(SCHEMA, value))
        )
