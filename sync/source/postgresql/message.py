"""Messages that applications write into the log by ``pg_logical_emit_message``: which are captured, and their records.

``capture`` takes them out of the log and asks here for the record. Forms are Debezium 3.4's: topic
``<topic.prefix>.message``, keyed by the message's prefix, ``op: m``. Topic and schemas are made with the first message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.config import Type
from sync.errors import ConfigError
from sync.schema import datum
from sync.schema.avro import header
from sync.source.identity import topic_name
from sync.source.postgresql.binary import bytes_type
from sync.source.postgresql.envelope import Schema, source_schema, transaction_schema
from sync.source.postgresql.key import key
from sync.source.postgresql.kind import Options, record
from sync.source.validator import patterns

OWN = b"dongbo"
"""Prefix of the messages by which incremental snapshots move an idle log on; nobody else's business."""

_SPACE = "io.debezium.connector.postgresql"

KEYS = (
    key("message.prefix.include.list", "Regular expressions of the prefixes of logical messages "
        "(pg_logical_emit_message) to capture; none: all.", [], Type.LIST, validator=patterns,
        differs="A server before version 14 sends none. Those of prefix dongbo, which this connector writes, never "
        "are."),
    key("message.prefix.exclude.list", "Regular expressions of the prefixes of logical messages to leave out.", [],
        Type.LIST, validator=patterns),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Which messages are captured: regular expressions that must match the whole prefix, case ignored (Debezium)."""

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Prefixes:
        """Read the typed values of ``KEYS``. ConfigError where both are given."""
        include, exclude = (values[f"message.prefix.{kind}.list"] for kind in ("include", "exclude"))
        if include and exclude:
            raise ConfigError(
                "Configurations message.prefix.include.list and message.prefix.exclude.list can't be used together.",
                field="message.prefix.exclude.list",
                hint="remove one of them",
            )
        return cls(*(tuple(re.compile(item, re.IGNORECASE) for item in items) for items in (include, exclude)))

    def __contains__(self, prefix: str) -> bool:
        if self.include:
            return any(pattern.fullmatch(prefix) for pattern in self.include)
        return not any(pattern.fullmatch(prefix) for pattern in self.exclude)


def _optional(name: str, kind: Any) -> Schema:
    return {"name": name, "type": ["null", kind], "default": None}


KEY_SCHEMA: Schema = record(f"{_SPACE}.MessageKey", [_optional("prefix", "string")])


def value_schema(options: Options) -> Schema:
    """Return the record of a message; the content's type follows ``binary.handling.mode``."""
    content = [_optional("prefix", "string"), _optional("content", bytes_type(options).schema)]
    return record(
        f"{_SPACE}.MessageValue",
        [
            {"name": "op", "type": "string"},
            _optional("ts_ms", "long"),
            {"name": "source", "type": source_schema()},
            _optional("transaction", transaction_schema()),
            {"name": "message", "type": record(f"{_SPACE}.Message", content)},
        ],
    )


class Messages:
    """Makes the records of a connector's messages."""

    def __init__(
        self,
        prefixes: Prefixes,
        source: str,
        options: Options,
        register: Callable[[str, Schema], int],
        ensure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``source`` is ``topic.prefix``; ``ensure`` creates a topic where it is missing."""
        self.topic = topic_name(source, "message")
        self._prefixes = prefixes
        self._options = options
        self._register = register
        self._ensure = ensure
        self._encode = bytes_type(options).encode or bytes
        self._heads: tuple[bytes, bytes] | None = None

    def wanted(self, prefix: bytes) -> bool:
        """Tell whether messages of this prefix (UTF-8) are captured."""
        return prefix != OWN and prefix.decode() in self._prefixes

    def record(
        self, prefix: bytes, content: bytes, source: bytes, transaction: bytes, now_ns: int
    ) -> tuple[bytes, bytes]:
        """Return key and value; ``source`` and ``transaction`` are encoded. Raises as ``ensure`` and ``register``."""
        if self._heads is None:
            self._ensure(self.topic)
            key_id = self._register(f"{self.topic}-key", KEY_SCHEMA)
            self._heads = header(key_id), header(self._register(f"{self.topic}-value", value_schema(self._options)))
        key_head, value_head = self._heads
        named = datum.SOME + datum.text(prefix)
        time = datum.SOME + datum.zigzag(now_ns // 1_000_000)
        told = named + datum.SOME + self._encode(content)
        return key_head + named, b"".join((value_head, datum.text(b"m"), time, source, transaction, told))
