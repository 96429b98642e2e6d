"""The PostgreSQL sink: topics into tables by COPY and one merge, offsets in the target's own transactions.

Found by ``sync.sink.plugins``. Takes the place of Debezium's JDBC sink for PostgreSQL, under its class name too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef
from sync.ports import Kind, Plugin, Task, TaskContext
from sync.sink.postgresql.check import check
from sync.sink.postgresql.definition import CONFIG, settings
from sync.sink.postgresql.position import alter
from sync.sink.postgresql.task import SinkTask
from sync.transform.chain import Chain


class PostgreSQLSink:
    """A ``ports.Plugin``."""

    class_name: str = "dongbo.sink.PostgreSQL"
    aliases: tuple[str, ...] = ("io.debezium.connector.jdbc.JdbcSinkConnector",)
    kind: Kind = "sink"
    config: ConfigDef = CONFIG

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """See ``ports.Plugin``."""
        return check(values)

    def split(self, values: Mapping[str, Any], most: int) -> list[dict[str, str]]:
        """One configuration a task, all alike: the consumer group shares the partitions out."""
        del values
        return [{} for _ in range(max(1, most))]

    def task(self, context: TaskContext, values: Mapping[str, Any]) -> Task:
        """See ``ports.Plugin``. Raises ConfigError."""
        return SinkTask(context, settings(values), Chain.read(values))

    def alter_offsets(
        self,
        connector: str,
        values: Mapping[str, Any],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]] | None,
    ) -> bool:
        """See ``ports.Plugin``: the target's own offsets, which count, are what is changed."""
        places = None
        if offsets is not None:
            places = {
                (str(at["kafka_topic"]), int(at["kafka_partition"])): None if new is None else int(new["kafka_offset"])
                for at, new in offsets
            }
        alter(settings(values), connector, places)
        return True


PLUGIN: Plugin = PostgreSQLSink()
