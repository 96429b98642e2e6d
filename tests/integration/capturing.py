"""A source database with a connector on it, for the tests of capture on real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sync.errors import Refused, Unavailable
from sync.kafka import Message
from sync.kafka.client import end_offsets, read_all
from sync.ports import TaskContext
from sync.schema.avro import decode_one, split
from sync.schema.derived import LEDGER_TOPIC
from sync.schema.registry import RegistryClient
from sync.source.postgresql import PLUGIN
from sync.stop import Stop
from sync.transform.declaration import KEYS, declared
from tests.eventually import eventually

Database = Callable[[str], str]

RUNNER = """
import json, sys
from sync.ports import TaskContext
from sync.source.postgresql import PLUGIN
from sync.stop import Stop
context, config = json.loads(sys.argv[1])
parsed = PLUGIN.config.parse(config)
assert not parsed.errors, parsed.errors
PLUGIN.task(TaskContext(**context), parsed.values).run(Stop())
"""


class Source:
    """A source database, a connector on it, and its topics."""

    def __init__(self, dsn: str, kafka: str, registry_url: str) -> None:
        self.dsn = dsn
        self.kafka = kafka
        self.registry = RegistryClient(registry_url)
        self.name = f"src_{uuid.uuid4().hex[:10]}"
        server = conninfo_to_dict(dsn)
        self.context: dict[str, Any] = {
            "connector": self.name,
            "task": 0,
            "tasks": 1,
            "bootstrap": kafka,
            "registry_url": registry_url,
        }
        self.config: dict[str, Any] = {
            "database.hostname": server["host"],
            "database.port": server["port"],
            "database.user": server["user"],
            "database.password": server.get("password", ""),
            "database.dbname": server["dbname"],
            "topic.prefix": self.name,
            "slot.name": self.name,
            "publication.name": f"pub_{self.name}",
            "publication.autocreate.mode": "filtered",
            "table.include.list": r"public\.can_bo",
            "dongbo.mappings": "public.can_bo:civil_servant/vn_short",
            "dongbo.source.locality": "01",
            "poll.interval.ms": 100,
        }
        self.topic = f"{self.name}.public.can_bo"
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def drop_slot(self) -> None:
        """Drop the slot once the server has noticed that its reader is gone."""

        def dropped() -> bool:
            try:
                self.execute(f"select pg_drop_replication_slot('{self.name}')")
            except psycopg.errors.ObjectInUse:
                return False
            return True

        assert eventually(dropped), "the slot is still being read"

    def parsed(self) -> dict[str, Any]:
        parsed = (PLUGIN.config + KEYS + declared(self.config)).parse(self.config)
        assert not parsed.errors, parsed.errors
        return parsed.values

    def start(self) -> None:
        self._stop = Stop()
        self.error = None
        task = PLUGIN.task(TaskContext(**self.context), self.parsed())

        def run() -> None:
            try:
                task.run(self._stop)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join(20)
            assert not self._thread.is_alive()
            self._thread = None

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Stop the task with the block, whatever happens in it."""
        try:
            yield
        finally:
            self.stop()

    def spawn(self) -> subprocess.Popen[bytes]:
        arguments = json.dumps([self.context, self.config])
        return subprocess.Popen([sys.executable, "-c", RUNNER, arguments])

    def outcome(self) -> BaseException | None:
        """The error with which the task ends by itself."""
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._thread = None
        return self.error

    def read(self, topic: str | None = None) -> list[tuple[Any, Any]]:
        messages = self._messages(topic or self.topic)
        return [(self._decode(message.key()), self._decode(message.value())) for message in messages]

    def _messages(self, topic: str) -> list[Message]:
        try:
            return list(read_all(self.kafka, topic))
        except (Refused, Unavailable):
            # Not there yet, or just being made.
            return []

    def _decode(self, data: bytes | None) -> Any:
        if data is None:
            return None
        number, datum = split(data)
        return decode_one(self.registry.schema(number), datum)

    def wait(self, enough: Callable[[list[tuple[Any, Any]]], bool], seconds: float = 30) -> list[tuple[Any, Any]]:
        records: list[tuple[Any, Any]] = []

        def come() -> bool:
            records[:] = self.read()
            return enough(records)

        assert self.eventually(come, seconds), f"only {len(records)} records after {seconds} s"
        return records

    def eventually(self, condition: Callable[[], bool], seconds: float = 30) -> bool:
        """Wait for ``condition``; raises the error with which the task has ended meanwhile."""

        def holds() -> bool:
            if condition():
                return True
            if self.error is not None:
                raise self.error
            return False

        return eventually(holds, seconds)

    def wait_for(self, topic: str, count: int, seconds: float = 30) -> list[tuple[Any, Any]]:
        """Wait for so many records of another topic."""
        records: list[tuple[Any, Any]] = []

        def come() -> bool:
            records[:] = self.read(topic)
            return len(records) >= count

        assert self.eventually(come, seconds), f"only {len(records)} records in {topic} after {seconds} s"
        return records

    def value(self, query: str) -> Any:
        """The one value of a query at the source."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def committed(self) -> int:
        """The last stable offset of the topic: its committed records and the markers of their transactions."""
        return end_offsets(self.kafka, [self.topic], read_committed=True)[self.topic, 0]

    def started(self) -> int:
        """As ``committed``, 0 where the topic does not exist yet."""
        try:
            return self.committed()
        except Refused:
            return 0

    def wait_committed(self, records: int, seconds: float = 60) -> None:
        """Wait until so many changes are in the ledger."""
        assert self.eventually(lambda: self.counted()["captured"] >= records, seconds)

    def state(self) -> dict[Any, Any]:
        """Rows as a reader of the topic sees them: by key, the last after."""
        rows: dict[Any, Any] = {}
        for key, value in self.read():
            if value is None or value["after"] is None:
                rows.pop(key["id"], None)
            else:
                rows[key["id"]] = value["after"]
        return rows

    def counted(self) -> Counter[str]:
        """The ledger's counts of the topic, by outcome."""
        counts: Counter[str] = Counter()
        for message in self._messages(LEDGER_TOPIC):
            # The ledger is that of all tests on the stack: what is not of this topic is not decoded.
            if self.topic.encode() in (message.key() or b"") and self._decode(message.key())["topic"] == self.topic:
                value = self._decode(message.value())
                counts[value["outcome"]] += value["count"]
        return counts

    def rows(self) -> dict[Any, Any]:
        with psycopg.connect(self.dsn) as connection:
            return dict(connection.execute("select id, ho_ten from can_bo").fetchall())

    def wait_streaming(self, seconds: float = 30) -> None:
        """Wait until the slot is being read."""
        assert self.eventually(lambda: bool((self.slot() or (None, False))[1]), seconds), "the slot is not being read"

    def slot(self) -> Any:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(
                "select confirmed_flush_lsn - '0/0'::pg_lsn, active from pg_replication_slots where slot_name = %s",
                (self.name,),
            ).fetchone()


def at_least(count: int) -> Callable[[Sequence[Any]], bool]:
    """A condition on the records read."""
    return lambda records: len(records) >= count
