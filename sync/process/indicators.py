"""Coverage and quality: a stock Faust app with topics, tables, timers and web views.

Low-rate and stateful, so Faust's own Kafka client and tables fit (``docs/adr/0001``). It reads ``dongbo.ledger``,
``dongbo.quality`` and ``dongbo.findings``, of which each batch of a processor writes a few records, committed ones
only, and counts a record once: each table entry remembers the offset up to which it has counted. Scores go to
``dongbo.indicators``, where they have changed, to Prometheus and to the page ``/quality/``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import faust

from sync.errors import Refused, Unreadable
from sync.metrics import COVERAGE_RECEIVED, COVERAGE_SILENCE, OUTCOMES_PER_MINUTE, QUALITY_FINDINGS
from sync.process.counting import Plus, added, count, difference, outcomes
from sync.process.recovery import RecoveringApp
from sync.process.scoring import Quality
from sync.schema.avro import decode_one, name, split
from sync.schema.derived import (
    FINDINGS_TOPIC,
    INDICATORS_TOPIC,
    LEDGER_TOPIC,
    QUALITY_TOPIC,
    findings_schema,
    ledger_schema,
    quality_schema,
)
from sync.schema.registry import RegistryClient

Record = dict[str, Any]
"""As its topic has it, decoded."""

WINDOW_SECONDS = 60


class Minute:
    """Counts in the current minute by the clock. Kept in memory alone: after a restart it counts from there on."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._window = 0
        self._counts: Counter[str] = Counter()

    def add(self, key: str, count: int) -> None:
        """Count for ``key``."""
        self._turn()
        self._counts[key] += count

    def count(self, key: str) -> int:
        """What was counted for ``key`` since the minute began."""
        self._turn()
        return self._counts[key]

    def _turn(self) -> None:
        window = int(self._now() // WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._counts.clear()


def indicators_app(
    registry: RegistryClient,
    quality_view: Quality,
    *,
    bootstrap: str,
    data_dir: Path,
    instance: str,
    web_host: str,
    web_port: int,
) -> faust.App:
    """The app ``dongbo-indicators``. Its tables' changelogs are JSON, internal to it."""
    folder = data_dir / "faust" / f"indicators-{instance}"
    folder.mkdir(parents=True, exist_ok=True)
    app = _app(bootstrap, folder, web_bind=web_host, web_port=web_port)
    ledger, quality, differences, scores = (
        app.topic(name, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)
        for name in (LEDGER_TOPIC, QUALITY_TOPIC, FINDINGS_TOPIC, INDICATORS_TOPIC)
    )
    coverage = app.Table("coverage", partitions=1)
    findings = app.Table("findings", partitions=1)
    standing = app.Table("standing", partitions=1)
    minute = Minute()

    def outcome(record: Record) -> str | None:
        return None if record["outcome"] == "captured" else _key(record, "outcome", "topic")

    def told(record: Record) -> None:
        minute.add(_key(record, "outcome"), record["count"])

    sums = partial(_sum, app, registry)
    sums(ledger, ledger_schema(), coverage, outcome, count, told=told)
    sums(quality, quality_schema(), findings, lambda record: _key(record, "rule", "kind"), count)
    sums(differences, findings_schema(), standing, lambda record: _key(record, "unit"), difference)

    @app.timer(interval=2.0)  # type: ignore[untyped-decorator]
    async def score() -> None:
        for key, value in quality_view.renew(dict(standing.items())):
            await scores.send(key=key, value=value)

    @app.timer(interval=2.0)  # type: ignore[untyped-decorator]
    async def publish() -> None:
        _publish(_summary(coverage, findings))
        for key in {key.rpartition("|")[0] for key in coverage}:
            OUTCOMES_PER_MINUTE.labels(*key.split("|")).set(max(0, minute.count(key)))

    _serve(app, "quality", quality_view.told)
    _serve(app, "indicators", lambda _: _summary(coverage, findings))
    return app


def _serve(app: faust.App, name: str, told: Callable[[dict[str, str]], Any]) -> None:
    """A page of JSON, with and without the slash behind its name; ``told`` answers a query."""

    async def show(view: Any, request: Any) -> Any:
        return view.json(told(dict(request.query)))

    for path in (f"/{name}", f"/{name}/"):
        app.page(path, name=path)(show)


def _sum(
    app: faust.App,
    registry: RegistryClient,
    topic: Any,
    schema: Record,
    table: Any,
    key: Callable[[Record], str | None],
    plus: Plus,
    *,
    told: Callable[[Record], None] = lambda _: None,
) -> None:
    """Add an agent that sums ``topic``, whose records are of ``schema``, in ``table`` by ``key`` (None: not counted).

    ``told`` hears each record once.
    """

    async def agent(stream: AsyncIterable[Any]) -> None:
        async for event in stream.events():  # type: ignore[attr-defined]
            record = read(registry, event.value, schema)
            place = None if record is None else key(record)
            if record is None or place is None:
                continue
            entry = added(table.get(place), event.message.offset, record, plus)
            if entry is not None:
                table[place] = entry
                told(record)

    app.agent(topic, name=f"sum_{table.name}")(agent)


def _app(bootstrap: str, folder: Path, **more: Any) -> faust.App:
    return RecoveringApp(
        "dongbo-indicators",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=str(folder),
        processing_guarantee="exactly_once",
        topic_partitions=1,
        topic_replication_factor=1,
        # Faust's minute would be the wait of a restart after a kill: the group waits for the dead member's session.
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        **more,
    )


def _key(record: Record, *names: str) -> str:
    return "|".join(str(record[name]) for name in ("dataset", "source", *names))


class Written(Protocol):
    """Where the schemas of records are told (``sync.schema.registry.RegistryClient``)."""

    def schema(self, schema_id: int) -> Any:
        """The schema with this id; Refused where there is none."""


def read(registry: Written, value: bytes | None, schema: Record) -> Record | None:
    """A record of ``schema``, in whatever version it was written.

    None for bytes that are none, and for records of another schema: whoever wrote them here, they count nothing and
    must not stop the sums. Raises Unavailable where the registry doesn't answer.
    """
    try:
        schema_id, datum = split(value)
        writer = registry.schema(schema_id)
        return decode_one(writer, datum, schema) if name(writer) == name(schema) else None
    except (Unreadable, Refused):
        return None


def _summary(coverage: Any, findings: Any) -> dict[str, Any]:
    return {
        "coverage": [
            dict(zip(("dataset", "source", "outcome", "topic"), key.split("|"), strict=True), **entry)
            for key, entry in outcomes(dict(coverage.items())).items()
        ],
        "findings": [
            dict(zip(("dataset", "source", "rule", "kind"), key.split("|"), strict=True), **entry)
            for key, entry in findings.items()
        ],
    }


def _publish(summary: dict[str, Any]) -> None:
    now = time.time()
    received: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in summary["coverage"]:
        if entry["outcome"] == "received":
            count, last = received.get((entry["dataset"], entry["source"]), (0, 0))
            pair = count + entry["count"], max(last, entry["ts_ms"])
            received[entry["dataset"], entry["source"]] = pair
    for (dataset, source), (count, last) in received.items():
        COVERAGE_RECEIVED.labels(dataset, source).set(count)
        COVERAGE_SILENCE.labels(dataset, source).set(max(0.0, now - last / 1000))
    for entry in summary["findings"]:
        QUALITY_FINDINGS.labels(entry["dataset"], entry["source"], entry["rule"], entry["kind"]).set(entry["count"])
