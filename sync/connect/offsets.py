"""The positions of a connector in the shape of ``GET /connectors/{c}/offsets``, and their change from outside.

A source's come from the offsets topic, a sink's from its consumer group, where the sink repeats for lag tools what its
target holds. A change goes to where the connector itself keeps positions (a sink's target) first, then to Kafka's
topic or group; a source's is written with its tasks' own transactional ids, which fences a task that still lives.
Called by the REST API for connectors that are stopped; texts are Kafka Connect's (``org.apache.kafka.connect.util
.SinkUtils``, ``runtime.Worker``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.connect.problem import BadRequest
from sync.errors import ConfigError, Refused
from sync.kafka.client import committed_offsets, topic_partitions
from sync.kafka.group import alter_offsets
from sync.kafka.offset import OffsetStore, encode
from sync.kafka.transaction import Item, Transactions
from sync.ports import Plugin, TaskContext

_TOPIC, _PARTITION, _OFFSET = "kafka_topic", "kafka_partition", "kafka_offset"

Pair = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
Place = tuple[str, int]


def sink_group(connector: str) -> str:
    """The consumer group of a sink connector, as Connect names it."""
    return f"connect-{connector}"


@dataclass(frozen=True, slots=True)
class Offsets:
    """The positions of all connectors of a worker group. Methods block; they raise Unavailable, Refused."""

    bootstrap: str
    topic: str

    def read(self, connector: str, kind: str) -> dict[str, Any]:
        """``{"offsets": [{"partition": …, "offset": …}]}``."""
        if kind == "sink":
            committed = committed_offsets(self.bootstrap, sink_group(connector))
            told = [(_partition(at), {_OFFSET: offset}) for at, offset in sorted(committed.items())]
        else:
            stored = OffsetStore(self.bootstrap, self.topic).load(connector)
            told = [(json.loads(key), offset) for key, offset in stored.items()]
        return {"offsets": [{"partition": partition, "offset": offset} for partition, offset in told]}

    def alter(self, connector: str, plugin: Plugin, values: Mapping[str, Any], pairs: Sequence[Pair]) -> dict[str, str]:
        """Change some positions, remove those whose offset is None; Connect's message. BadRequest for a wrong one."""
        if plugin.kind == "sink":
            places = self._places(pairs)
            whole = self._plugin_alters(connector, plugin, values, [_pair(at, new) for at, new in places.items()])
            alter_offsets(self.bootstrap, sink_group(connector), places)
            return _told("altered", whole)
        if any(partition is None for partition, _ in pairs):
            raise BadRequest("The partition for a source connector offset cannot be null or missing")
        sound = [(partition, offset) for partition, offset in pairs if partition is not None]
        whole = self._plugin_alters(connector, plugin, values, sound)
        self._write(connector, values, [encode(connector, partition, offset) for partition, offset in sound])
        return _told("altered", whole)

    def reset(self, connector: str, plugin: Plugin, values: Mapping[str, Any]) -> dict[str, str]:
        """Remove all positions; Connect's message."""
        whole = self._plugin_alters(connector, plugin, values, None)
        if plugin.kind == "sink":
            alter_offsets(self.bootstrap, sink_group(connector), None)
        else:
            stored = OffsetStore(self.bootstrap, self.topic).load(connector)
            self._write(connector, values, [encode(connector, json.loads(key), None) for key in stored])
        return _told("reset", whole)

    def _plugin_alters(
        self,
        connector: str,
        plugin: Plugin,
        values: Mapping[str, Any],
        pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]] | None,
    ) -> bool:
        try:
            return plugin.alter_offsets(connector, values, pairs)
        except (ConfigError, Refused) as error:
            raise BadRequest(f"Failed to alter offsets of connector {connector}: {error}") from error

    def _write(self, connector: str, values: Mapping[str, Any], records: list[Item]) -> None:
        OffsetStore(self.bootstrap, self.topic).ensure()
        tasks = int(values["tasks.max"])
        for number in range(tasks - 1, -1, -1):
            context = TaskContext(connector, number, tasks, self.bootstrap, "", self.topic)
            writer = Transactions(self.bootstrap, context.transactional_id)
            try:
                writer.open()
                if number == 0 and records:
                    writer.commit({self.topic: records})
            finally:
                writer.close()

    def _places(self, pairs: Sequence[Pair]) -> dict[Place, int | None]:
        """A sink's positions; BadRequest for a place that Kafka does not have too: the sink would wait for it."""
        places = sink_places(pairs)
        there = topic_partitions(self.bootstrap)
        for (topic, number), offset in places.items():
            if not 0 <= number < there.get(topic, 0):
                raise BadRequest(f"Kafka has no partition {number} of topic {topic}.")
            if offset is not None and offset < 0:
                raise BadRequest(f"The offset {offset} of partition {number} of topic {topic} is negative.")
        return places


def sink_places(pairs: Sequence[Pair]) -> dict[Place, int | None]:
    """Read a sink's partitions and offsets as Connect does; the last of a partition wins. Raises BadRequest."""
    return {_place(partition): _new_offset(offset) for partition, offset in pairs}


def _place(partition: Mapping[str, Any] | None) -> Place:
    if partition is None:
        raise BadRequest("The partition for a sink connector offset cannot be null or missing")
    if not {_TOPIC, _PARTITION} <= partition.keys():
        raise BadRequest(
            f"The partition for a sink connector offset must contain the keys '{_TOPIC}' and '{_PARTITION}'"
        )
    if partition[_TOPIC] is None:
        raise BadRequest("Kafka topic names must be valid strings and may not be null")
    if partition[_PARTITION] is None:
        raise BadRequest("Kafka partitions must be valid numbers and may not be null")
    number = _integer(partition[_PARTITION], 32)
    if number is None:
        raise BadRequest(
            f"Failed to parse the following Kafka partition value in the provided offsets: '{partition[_PARTITION]}'. "
            "Partition values for sink connectors need to be integers."
        )
    return str(partition[_TOPIC]), number


def _new_offset(offset: Mapping[str, Any] | None) -> int | None:
    if offset is None:
        return None
    if _OFFSET not in offset:
        raise BadRequest(f"The offset for a sink connector should either be null or contain the key '{_OFFSET}'")
    given = offset[_OFFSET]
    number = _integer(given, 64)
    if number is None:
        shown = "null" if given is None else given
        raise BadRequest(
            f"Failed to parse the following Kafka offset value in the provided offsets: '{shown}'. "
            "Offset values for sink connectors need to be integers."
        )
    return number


def _integer(given: Any, bits: int) -> int | None:
    """What Java's ``parseInt`` and ``parseLong`` read of a JSON value's text."""
    text = str(given)
    if isinstance(given, bool) or not text.removeprefix("-").removeprefix("+").isdecimal() or len(text) > 20:
        return None
    number = int(text)
    return number if -(1 << (bits - 1)) <= number < 1 << (bits - 1) else None


def _partition(at: Place) -> dict[str, Any]:
    return {_TOPIC: at[0], _PARTITION: at[1]}


def _pair(at: Place, offset: int | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    return _partition(at), None if offset is None else {_OFFSET: offset}


def _told(done: str, whole: bool) -> dict[str, str]:
    if whole:
        return {"message": f"The offsets for this connector have been {done} successfully"}
    return {
        "message": f"The Connect framework-managed offsets for this connector have been {done} successfully. However, "
        f"if this connector manages offsets externally, they will need to be manually {done} in the system that the "
        "connector uses."
    }
