"""The configuration keys of signals and incremental snapshots (Debezium's) and their typed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.config import Key, Type
from sync.errors import ConfigError
from sync.record import TableId
from sync.source.postgresql.key import key
from sync.source.validator import at_least

_CHANNELS = ("source", "kafka")


def _channels(name: str, value: Any) -> str | None:
    unknown = sorted(set(value) - set(_CHANNELS))
    if unknown:
        return f"Invalid value {', '.join(unknown)} for configuration {name}: must be among {', '.join(_CHANNELS)}."
    return None


def _table(name: str, value: Any) -> str | None:
    if value and value.count(".") != 1:
        return f"Invalid value {value} for configuration {name}: not a schema.table."
    return None


KEYS = (
    key("signal.data.collection", "Table (schema.table; id, type, data) whose inserted rows are signals; it is "
        "captured too.", "", validator=_table),
    key("signal.enabled.channels", "Where signals come from.", ["source"], Type.LIST, validator=_channels,
        differs="source and kafka; not file and jmx."),
    key("signal.kafka.topic", "Topic of signals, of one partition; empty: <topic.prefix>-signal.", "",
        differs="Created where it is missing. The position in it is kept in the source offset."),
    key("signal.kafka.bootstrap.servers", "Kafka of the topic of signals; empty: the worker's.", ""),
    key("incremental.snapshot.chunk.size", "Rows of a table that are read at once.", 1024, Type.INT,
        validator=at_least(1)),
    key("incremental.snapshot.watermarking.strategy", "How a chunk's place in the log is marked.", "insert_insert",
        recommended=("insert_insert", "insert_delete"),
        differs="Nothing is written to the signal table: a chunk's marks are positions of the log."),
    key("incremental.snapshot.allow.schema.changes", "Let a table change while it is read.", False, Type.BOOLEAN,
        differs="Always allowed: a chunk is read with the table as it is then."),
    key("read.only", "Write nothing to the source, not even a message that moves the log on.", False, Type.BOOLEAN,
        differs="Without it, incremental snapshots write messages by pg_logical_emit_message, and no rows."),
)  # fmt: skip

FAMILIES = (
    Key(r"signal\.consumer\..+", Type.STRING, "Setting of the consumer of signal.kafka.topic, as librdkafka names it.",
        "", group="PostgreSQL"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signalling:
    """Where signals come from and how chunks are read. ``table`` and ``topic`` are None where not enabled."""

    table: TableId | None
    topic: str | None
    bootstrap: str
    consumer: Mapping[str, str]
    rows: int
    read_only: bool

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Signalling:
        """Read the typed values of ``KEYS``. ConfigError where keys contradict each other."""
        channels, collection = values["signal.enabled.channels"], values["signal.data.collection"]
        if values["signal.kafka.topic"] and "kafka" not in channels:
            raise ConfigError(
                "Configuration signal.kafka.topic names a topic, but signal.enabled.channels lacks kafka.",
                field="signal.enabled.channels",
                hint="add kafka to signal.enabled.channels, or remove signal.kafka.topic",
            )
        prefix = "signal.consumer."
        return cls(
            table=TableId(*collection.split(".", 1)) if collection and "source" in channels else None,
            topic=(values["signal.kafka.topic"] or f"{values['topic.prefix']}-signal") if "kafka" in channels else None,
            bootstrap=values["signal.kafka.bootstrap.servers"],
            consumer={name.removeprefix(prefix): values[name] for name in values if name.startswith(prefix)},
            rows=values["incremental.snapshot.chunk.size"],
            read_only=values["read.only"],
        )
