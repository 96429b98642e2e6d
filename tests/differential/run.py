"""A scenario's run: both captures on a fresh database, the statements, and how the topics differ in the end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx
import psycopg
from confluent_kafka import Message

from bench.connect import ConnectWorker
from sync.embedded.endpoint import Endpoints
from tests.conftest import databases
from tests.differential.compare import Difference, Topics, differences
from tests.differential.form import Record, Side
from tests.differential.scenario import MARKER, Scenario
from tests.differential.sides import SECONDS, Capture, Ours, Peer, config

SETTLE_SECONDS = 2.0
"""A topic's last records may come a moment after the marker's, which is in another topic."""

_MARKERS = (f"create table {MARKER} (id int primary key)", f"insert into {MARKER} values (0)")

Connection = psycopg.Connection[tuple[object, ...]]


def run(scenario: Scenario, endpoints: Endpoints, worker: ConnectWorker) -> list[Difference]:
    """Run a scenario on both sides and return how their topics differ."""
    mark = uuid.uuid4().hex[:8]
    ours = Ours(endpoints.bootstrap, f"ours_{mark}", endpoints.registry_url)
    peer = Peer(endpoints.bootstrap, f"peer_{mark}", worker)
    with databases(endpoints.postgres_dsn) as create:
        dsn = create(scenario.name)
        with psycopg.connect(dsn, autocommit=True) as connection, ExitStack() as running:
            for statement in (*scenario.before, *_MARKERS):
                connection.execute(statement.encode())
            running.enter_context(_compatibility(scenario, endpoints.registry_url, ours.prefix))
            for side in (ours, peer):
                running.enter_context(side.running(config(dsn, side.prefix, _named(scenario.config, side.prefix))))
            return _statements(scenario, connection, ours, peer)


def _named(config_: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key: value.replace("{prefix}", prefix) for key, value in config_.items()}


def _statements(scenario: Scenario, connection: Connection, ours: Ours, peer: Peer) -> list[Difference]:
    _await_readers(connection, ours, peer)
    markers = Markers(connection, ours, peer)
    first = markers.begin()
    for statement in scenario.after:
        connection.execute(statement.encode())
        if scenario.step:
            markers.write()
    markers.write()
    return differences(*_settled(ours, peer, first))


def _settled(ours: Ours, peer: Peer, first: int) -> tuple[Topics, Topics]:
    """Both sides' records, once they are equal in number, or nothing more is to be expected."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        sides = [(side, side.messages()) for side in (ours, peer)]
        counts = [{name: len(found) for name, found in messages.items() if found} for _, messages in sides]
        if counts[0] == counts[1] or time.monotonic() > deadline:
            mine, theirs = (_compared(side, messages, first) for side, messages in sides)
            return mine, theirs
        time.sleep(0.1)


@contextmanager
def _compatibility(scenario: Scenario, registry_url: str, prefix: str) -> Iterator[None]:
    """Set what is asked of the subjects of table ``t``, where it is not the default."""
    if scenario.compatibility != "BACKWARD":
        for kind in ("key", "value"):
            url = f"{registry_url}/config/{prefix}.public.t-{kind}"
            httpx.put(url, json={"compatibility": scenario.compatibility}).raise_for_status()
    yield


def _await_readers(connection: Connection, ours: Ours, peer: Peer) -> None:
    """Wait until both have a slot that streams: their snapshots are then taken."""
    deadline = time.monotonic() + SECONDS
    query = b"select count(*) from pg_replication_slots where slot_name = any(%s) and active"
    while connection.execute(query, ([ours.prefix, peer.prefix],)).fetchone() != (2,):
        ours.check()
        peer.check()
        assert time.monotonic() < deadline, "one side does not stream"
        time.sleep(0.05)


class Markers:
    """Rows of the marker table, each waited for on both sides."""

    def __init__(self, connection: Connection, ours: Ours, peer: Peer) -> None:
        self._connection = connection
        self._sides = (ours, peer)
        self._last = 0

    def begin(self) -> int:
        """As ``write``, again and again: a slot counts as active while it is made, too, before the snapshot."""
        deadline = time.monotonic() + SECONDS
        while True:
            transaction = self._insert()
            if all(side.met(MARKER, self._streamed, seconds=2) for side in self._sides):
                return transaction
            assert time.monotonic() < deadline, "one side does not stream"

    def write(self) -> int:
        """Insert a row, and return its transaction's id once both sides have streamed it."""
        transaction = self._insert()
        for side in self._sides:
            side.wait(MARKER, self._streamed)
        return transaction

    def _insert(self) -> int:
        self._last += 1
        query = f"insert into {MARKER} values (%s) returning pg_current_xact_id()::text::bigint"
        row = self._connection.execute(query.encode(), (self._last,)).fetchone()
        assert row is not None
        return int(str(row[0]))

    def _streamed(self, record: Record) -> bool:
        key, value = record.key, record.value
        return key is not None and value is not None and key.payload == {"id": self._last} and _op(value) == "c"


def _op(value: Side) -> str:
    return str(value.payload["op"])


def _compared(side: Capture, messages: dict[str, list[Message]], first: int) -> Topics:
    """Without the markers, and of the transactions only those after number ``first``."""
    kept = {name: side.records(found) for name, found in messages.items() if name != f"P.public.{MARKER}" and found}
    if (name := "P.transaction") in kept:
        kept[name] = [record for record in kept[name] if _transaction(record.key) > first]
    return kept


def _transaction(key: Side | None) -> int:
    assert key is not None
    return int(str(key.payload["id"]).partition(":")[0])
