"""The end-to-end benchmark's peer: Debezium's PostgreSQL connector and JDBC sink, as a user tunes them.

Both run in one standalone Kafka Connect worker (``bench.connect``). Settings: ``docs/benchmarks.md``.
"""

from __future__ import annotations

from pathlib import Path

from bench.connect import ConnectWorker
from bench.workload import STAFF_TABLE
from sync.embedded.endpoint import Endpoints
from sync.kafka.client import Topic, ensure_topics

SOURCE, TARGET, PREFIX = "peer_source", "peer_target", "peer"

TUNED = {
    "max.batch.size": "8192",
    "max.queue.size": "32768",
    "producer.override.linger.ms": "20",
    "producer.override.batch.size": "262144",
    "producer.override.compression.type": "lz4",
}
"""How a user who cares for speed sets Debezium's source."""


def source_config(
    endpoints: Endpoints, database: str = SOURCE, table: str = STAFF_TABLE, **more: str
) -> dict[str, str]:
    """Debezium's PostgreSQL connector on one table; slot and publication have the prefix's name."""
    prefix = more.get("topic.prefix", PREFIX)
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": endpoints.postgres_host,
        "database.port": str(endpoints.postgres_port),
        "database.user": endpoints.postgres_user,
        "database.password": endpoints.postgres_password,
        "database.dbname": database,
        "topic.prefix": prefix,
        "plugin.name": "pgoutput",
        "slot.name": prefix,
        "publication.name": prefix,
        "publication.autocreate.mode": "filtered",
        "table.include.list": f"public.{table}",
        "decimal.handling.mode": "string",
        **TUNED,
        **more,
    }


def sink_config(endpoints: Endpoints) -> dict[str, str]:
    """Debezium's JDBC sink."""
    address = f"{endpoints.postgres_host}:{endpoints.postgres_port}"
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": f"{PREFIX}.public.{STAFF_TABLE}",
        "connection.url": f"jdbc:postgresql://{address}/{TARGET}?reWriteBatchedInserts=true",
        "connection.username": endpoints.postgres_user,
        "connection.password": endpoints.postgres_password,
        "insert.mode": "upsert",
        "delete.enabled": "true",
        "primary.key.mode": "record_key",
        "schema.evolution": "basic",
        "collection.name.format": STAFF_TABLE,
        "batch.size": "2000",
        "use.reduction.buffer": "true",
        "consumer.override.max.poll.records": "2000",
    }


class Peer:
    """A ``bench.side.Side``: the whole of it is one JVM."""

    name = "peer"
    databases: tuple[str, ...] = (SOURCE, TARGET)
    source = SOURCE
    target, target_table = TARGET, f"public.{STAFF_TABLE}"
    adds_synced_at = True
    """Its sink has no column for the moment of the write: the target's own default gives it."""

    def __init__(self, data_dir: Path, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._worker = ConnectWorker(data_dir, endpoints)
        self.url = self._worker.url
        self.programs = self._worker.programs

    def start(self) -> None:
        """Start the worker and register both connectors; returns when they run."""
        # The broker makes no topics by itself.
        ensure_topics(self._endpoints.bootstrap, [Topic(f"{PREFIX}.public.{STAFF_TABLE}")])
        self._worker.start({})
        self._worker.register(self.configs())

    def configs(self) -> dict[str, dict[str, str]]:
        """The connectors' configurations by name."""
        return {"peer-sink": sink_config(self._endpoints), "peer-source": source_config(self._endpoints)}
