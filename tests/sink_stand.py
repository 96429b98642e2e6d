"""A test stand for sinks on real servers: topics with Avro records, a running task, and what the target holds.

Used by tests/contract/test_sink.py and tests/integration/test_postgresql_sink.py.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sync.connect.definition import declaration
from sync.kafka.client import Topic, ensure_topics, producer
from sync.ports import TaskContext
from sync.schema.avro import encode_one, wire
from sync.schema.registry import RegistryClient
from sync.sink.postgresql import PLUGIN
from sync.stop import Stop

KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "string"}]}


def row_schema(*fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Row", "fields": [{"name": "id", "type": "string"}, *fields]}


def optional(name: str, avro: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", avro], "default": None}


ROW = row_schema(optional("name", "string"), optional("n", "int"))


@dataclass
class TopicStand:
    """One topic, its schemas registered; ``send`` returns when the broker has the records."""

    bootstrap: str
    registry: RegistryClient
    name: str
    key_schema: dict[str, Any] = field(default_factory=lambda: KEY)
    schema: dict[str, Any] = field(default_factory=lambda: ROW)

    def key(self, id_: Any) -> bytes:
        number = self.registry.register(f"{self.name}-key", self.key_schema)
        return wire(number, encode_one(self.key_schema, id_ if isinstance(id_, dict) else {"id": id_}))

    def value(self, row: Mapping[str, Any], schema: dict[str, Any] | None = None) -> bytes:
        schema = schema or self.schema
        return wire(self.registry.register(f"{self.name}-value", schema), encode_one(schema, row))

    def rows(self, *rows: Mapping[str, Any], schema: dict[str, Any] | None = None) -> None:
        self.send([(self.key(row["id"]), self.value(row, schema)) for row in rows])

    def delete(self, *ids: str) -> None:
        self.send([(self.key(id_), None) for id_ in ids])

    def send(
        self,
        messages: Sequence[tuple[bytes | None, bytes | None]],
        partition: int = -1,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        out = producer(self.bootstrap)
        for key, value in messages:
            out.produce(self.name, key=key, value=value, partition=partition, headers=[*headers])
        assert out.flush(30) == 0


@dataclass
class Running:
    """A task in a thread; its error, if it ended by one."""

    thread: threading.Thread
    stop: threading.Event
    errors: list[BaseException]

    def halt(self) -> float:
        """Stop it and return the seconds it took."""
        started = time.monotonic()
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        return time.monotonic() - started

    def error(self) -> BaseException:
        """Wait for the task to fail."""
        self.thread.join(30)
        assert not self.thread.is_alive(), "the task still runs"
        assert self.errors, "the task ended without an error"
        return self.errors.pop()


class Stand:
    """A target database and everything around one sink connector."""

    def __init__(self, bootstrap: str, registry_url: str, dsn: str) -> None:
        self.bootstrap, self.registry_url, self.dsn = bootstrap, registry_url, dsn
        self.registry = RegistryClient(registry_url)
        self.connector = f"sink-{uuid.uuid4().hex[:8]}"
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._running: list[Running] = []

    def topic(self, hint: str = "golden", partitions: int = 1, **more: Any) -> TopicStand:
        name = f"{hint}.{uuid.uuid4().hex[:8]}"
        ensure_topics(self.bootstrap, [Topic(name, partitions)])
        return TopicStand(self.bootstrap, self.registry, name, **more)

    def config(self, *topics: TopicStand, transforms: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Configuration values by key; ``more`` has underscores for dots."""
        parts = conninfo_to_dict(self.dsn)
        raw = {
            "name": self.connector,
            "connector.class": PLUGIN.class_name,
            "connection.url": f"jdbc:postgresql://{parts['host']}:{parts['port']}/{quote(str(parts['dbname']))}",
            "connection.username": parts["user"],
            "connection.password": parts["password"],
            "topics": ",".join(topic.name for topic in topics),
            "delete.enabled": "true",
            "schema.evolution": "basic",
            "collection.name.format": "target",
            **{key.replace("_", "."): value for key, value in more.items()},
            **(transforms or {}),
        }
        parsed = declaration(PLUGIN, raw).parse(raw)
        assert parsed.errors == {}
        return parsed.values

    def context(self, task: int = 0, tasks: int = 1) -> TaskContext:
        return TaskContext(self.connector, task, tasks, self.bootstrap, self.registry_url)

    def start(self, values: Mapping[str, Any], task: int = 0, tasks: int = 1) -> Running:
        subject = PLUGIN.task(self.context(task, tasks), values)
        stop = Stop()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                subject.run(stop)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

        running = Running(threading.Thread(target=run, daemon=True), stop, errors)
        self._running.append(running)
        running.thread.start()
        return running

    @contextmanager
    def running(self, values: Mapping[str, Any]) -> Iterator[Running]:
        task = self.start(values)
        yield task
        task.halt()
        assert task.errors == []

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode()).fetchall()

    def execute(self, *statements: str) -> None:
        for sql in statements:
            self.connection.execute(sql.encode())

    def until(self, condition: Callable[[], bool], *, seconds: float = 30) -> None:
        """Wait for the target or Kafka to reach a state; a task's error ends the wait."""
        deadline = time.monotonic() + seconds
        while not condition():
            for task in self._running:
                if task.errors:
                    raise task.errors[0]
            assert time.monotonic() < deadline, "the condition was not reached"
            threading.Event().wait(0.02)

    def until_rows(self, sql: str, expected: Sequence[tuple[Any, ...]]) -> None:
        """Wait until ``sql`` answers ``expected``."""
        last: list[Any] = []

        def reached() -> bool:
            try:
                last[:] = self.query(sql)
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                return False
            return last == list(expected)

        try:
            self.until(reached)
        except AssertionError as error:
            raise AssertionError(f"{sql} answered {last}, not {expected}") from error

    def close(self) -> None:
        for task in self._running:
            task.halt()
        # Sessions of killed processes, which the server may not have noticed yet.
        self.query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # A server has room for few origins, and they outlive databases.
        self.query(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin "
            f"WHERE roname LIKE 'dongbo_{self.connector}_%'"
        )
        self.connection.close()
        self.registry.close()
