"""The two captures of one database: our task in a thread, and Debezium on a real Kafka Connect worker."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition
from psycopg.conninfo import conninfo_to_dict

from bench.connect import ConnectWorker
from sync.connect.client import Client
from sync.kafka.client import consumer, topic_names
from sync.ports import TaskContext
from sync.schema.registry import RegistryClient
from sync.source.postgresql import PLUGIN
from sync.stop import Stop
from sync.transform.declaration import KEYS, declared
from tests.differential.form import Record, from_avro, from_json

SECONDS = 200.0
Decode = Callable[[bytes | None], Any]


def config(dsn: str, prefix: str, more: Mapping[str, str]) -> dict[str, str]:
    """What both connectors get: Debezium's keys."""
    server = conninfo_to_dict(dsn)
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": str(server["host"]),
        "database.port": str(server["port"]),
        "database.user": str(server["user"]),
        "database.password": str(server.get("password", "")),
        "database.dbname": str(server["dbname"]),
        "topic.prefix": prefix,
        "plugin.name": "pgoutput",
        "slot.name": prefix,
        "publication.name": prefix,
        "publication.autocreate.mode": "filtered",
        "topic.creation.default.partitions": "1",
        "topic.creation.default.replication.factor": "1",
        "poll.interval.ms": "50",
        **more,
    }


def read_topics(bootstrap: str, topics: Sequence[str]) -> dict[str, list[Message]]:
    """The committed messages of topics of one partition, with one consumer."""
    found: dict[str, list[Message]] = {name: [] for name in topics}
    reader = consumer(bootstrap, f"differential-{uuid.uuid4()}", enable_partition_eof=True)
    try:
        reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in topics])
        left, deadline = set(topics), time.monotonic() + SECONDS
        while left:
            assert time.monotonic() < deadline, f"the ends of {sorted(left)} were not reached"
            for message in reader.consume(1000, 0.1):
                name = message.topic() or ""
                if message.error() is None:
                    found[name].append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(name)
    finally:
        reader.close()
    return found


class Capture:
    """What both have: a prefix, topics, and a decoder. The prefix becomes ``P`` in what is read."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self.prefix = prefix
        self._seen = False

    def decode(self, data: bytes | None) -> Any:
        raise NotImplementedError

    def topic(self, name: str) -> str:
        """The name of the topic that the other side would have too."""
        return name.replace(self.prefix, "P")

    def messages(self) -> dict[str, list[Message]]:
        """All committed messages of the connector's topics, by the name that the other side's would have."""
        names = [name for name in topic_names(self._bootstrap) if self.prefix in name]
        return {self.topic(name): found for name, found in read_topics(self._bootstrap, names).items()}

    def records(self, messages: list[Message]) -> list[Record]:
        """Messages in the form that is compared."""
        return [Record(self._side(message.key()), self._side(message.value())) for message in messages]

    def read(self, topic: str) -> list[Record]:
        """The committed records of one topic; none where it does not exist."""
        return self.records(read_topics(self._bootstrap, [topic])[topic]) if self._exists(topic) else []

    def _exists(self, topic: str) -> bool:
        # Asked until it does, and then no more.
        self._seen = self._seen or topic in topic_names(self._bootstrap)
        return self._seen

    def _side(self, data: bytes | None) -> Any:
        side = self.decode(data)
        if side is None:
            return None
        renamed = json.loads(json.dumps([side.schema, side.payload]).replace(self.prefix, "P"))
        return type(side)(*renamed)

    def check(self) -> None:
        """Raise where the capture has ended by itself."""
        raise NotImplementedError

    def met(self, table: str, wanted: Callable[[Record], bool], *, seconds: float) -> bool:
        """Tell whether the topic of ``public.<table>`` gets such a record in time. Raises where the capture ended."""
        deadline = time.monotonic() + seconds
        while not any(wanted(record) for record in self.read(f"{self.prefix}.public.{table}")):
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def wait(self, table: str, wanted: Callable[[Record], bool]) -> None:
        """As ``met``, and patiently: AssertionError when it doesn't come."""
        if not self.met(table, wanted, seconds=SECONDS):
            there = [record.key and record.key.payload for record in self.read(f"{self.prefix}.public.{table}")]
            raise AssertionError(f"{self.prefix}: no such record of {table} among {there} in {SECONDS:.0f} s")


class Ours(Capture):
    """Our task, in a thread of this process."""

    def __init__(self, bootstrap: str, prefix: str, registry_url: str) -> None:
        super().__init__(bootstrap, prefix)
        self._registry_url = registry_url
        self._registry = RegistryClient(registry_url)
        self._error: BaseException | None = None

    def decode(self, data: bytes | None) -> Any:
        return from_avro(data, self._registry.schema)

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    @contextmanager
    def running(self, given: Mapping[str, str]) -> Iterator[None]:
        """Run the task."""
        own = {key: value for key, value in given.items() if key not in ("connector.class", "tasks.max")}
        parsed = (PLUGIN.config + KEYS + declared(own)).parse({**own, "dongbo.source.locality": "01"})
        assert not parsed.errors, parsed.errors
        context = TaskContext(
            connector=self.prefix, task=0, tasks=1, bootstrap=self._bootstrap, registry_url=self._registry_url
        )
        task, stop = PLUGIN.task(context, parsed.values), Stop()

        def run() -> None:
            try:
                task.run(stop)
            except Exception as error:  # noqa: BLE001 - ``check`` raises it
                self._error = error

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive()
            self._registry.close()


class Peer(Capture):
    """Debezium."""

    def __init__(self, bootstrap: str, prefix: str, worker: ConnectWorker) -> None:
        super().__init__(bootstrap, prefix)
        self._worker = worker

    def decode(self, data: bytes | None) -> Any:
        return from_json(data)

    def check(self) -> None:
        self._worker.programs.check()
        with Client(self._worker.url) as client:
            for task in client.status(self.prefix)["tasks"]:
                assert task["state"] != "FAILED", task.get("trace")

    @contextmanager
    def running(self, given: Mapping[str, str]) -> Iterator[None]:
        """Run the connector."""
        self._worker.register({self.prefix: given})
        try:
            yield
        finally:
            with Client(self._worker.url) as client:
                client.delete(self.prefix)
