"""The step behind the ``validate`` agent: change events of sources become valid, rejected or reviewed records.

Maps a source's columns to its dataset, cleans, resolves codes and checks rules (``sync.rule``), and remembers for each
source row which entity it last contributed to (``<source topic>.rows``, compacted), so that a delete or a corrected
key closes the right contribution whatever the source's replica identity. A row that turns bad keeps its last good
contribution: a bad record parks its own key, never the partition (invariant 3).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

import polars as pl

from sync.errors import Unreadable
from sync.kafka import Message
from sync.kafka.client import Topic, ensure_topics, topic_partitions
from sync.metrics import PROCESSOR_RECORDS
from sync.process.bridge import Output
from sync.process.envelope import Envelope, Envelopes
from sync.process.ledger import Ledger, Origin
from sync.process.origin import Sources, SourceTable
from sync.process.outbox import Outbox, Subjects, partition_of
from sync.process.reader import FRAME
from sync.process.reason import UNAVAILABLE, finding_lists
from sync.process.refusal import Found, Reason, Refusals
from sync.rule.cleaning import clean
from sync.rule.mapping import map_columns
from sync.rule.model import Cleaned, Reference
from sync.schema.avro import decode_one
from sync.schema.dataset import Dataset, load
from sync.schema.derived import VALID_META
from sync.schema.registry import RegistryClient

log = logging.getLogger(__name__)

VALID, REJECTED, REVIEW = b"V", b"R", b"W"
ROWS = ".rows"

_KINDS = {"c": "upsert", "u": "upsert", "r": "upsert", "d": "delete"}
"""What becomes of an envelope's ``op``."""

Closing = dict[str, Any]
"""Meta of a record that closes a contribution."""


@dataclass(frozen=True, slots=True)
class Table:
    """A source table with its dataset, loaded."""

    at: SourceTable
    dataset: Dataset


@dataclass(slots=True)
class Decoded:
    """One run of messages, decoded: per message what it is, where its row is."""

    kinds: list[str]
    rows: list[str | None]
    partitions: list[int]
    reasons: dict[int, list[Reason]] = field(default_factory=dict)
    index: dict[int, int] = field(default_factory=dict)
    entities: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    fixes: list[str | None] = field(default_factory=list)
    warnings: list[str | None] = field(default_factory=list)
    proposals: list[str | None] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    def found(self, number: int) -> Found:
        """The findings of a message's row; none where it was not read."""
        place = self.index.get(number)
        return Found() if place is None else Found(self.fixes[place], self.warnings[place], self.proposals[place])


class Validator:
    """The ``validate`` step (``sync.process.bridge.Step``)."""

    name = "validate"

    def __init__(
        self,
        *,
        bootstrap: str,
        registry: RegistryClient,
        subjects: Subjects,
        reference: Reference,
        sources: Sources,
        get: Callable[[str, int, Sequence[bytes]], list[bytes | None]],
        today: Callable[[], date] = date.today,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._bootstrap = bootstrap
        self._subjects = subjects
        self._reference = reference
        self._sources = sources
        self._get = get
        self._today = today
        self._now = now
        self._tables: dict[str, Table] = {}
        self._envelopes = Envelopes(registry)

    def topics(self) -> Iterable[str]:
        """Topics of mapped tables that exist; their row topics are made beside them."""
        known = self._sources.poll()
        existing = topic_partitions(self._bootstrap)
        ready = [name for name in known if name in existing]
        fresh = [name for name in ready if name + ROWS not in existing]
        if fresh:
            ensure_topics(self._bootstrap, [Topic(name + ROWS, existing[name], compacted=True) for name in fresh])
        for name in ready:
            if name not in self._tables or self._tables[name].at != known[name]:
                self._tables[name] = Table(known[name], load(known[name].dataset))
        return ready

    def state_topics(self, topic: str) -> Iterable[str]:
        """The row topic beside a source topic."""
        return (topic + ROWS,)

    def process(self, messages: Sequence[Message]) -> Output:
        """Validate a batch of change events of any topics."""
        output, outbox, ledger = Output(), Outbox(), Ledger(self.name)
        topics: dict[str, list[Message]] = {}
        for message in messages:
            # Tombstones only tell compaction about the delete before them.
            if message.value() is not None:
                topics.setdefault(message.topic() or "", []).append(message)
        for topic, live in topics.items():
            Part(self, self._tables[topic], output, outbox, ledger).work(live)
        outbox.ledger(self._subjects.ledger(), ledger, int(self._now() * 1000))
        outbox.flush(output)
        for (dataset, outcome), number in ledger.outcomes().items():
            PROCESSOR_RECORDS.labels(self.name, dataset, outcome).inc(max(number, 0))
        return output


class Part:
    """The work on one topic's messages of one batch: all partitions, since a pass over columns costs by the pass."""

    def __init__(self, step: Validator, table: Table, output: Output, outbox: Outbox, ledger: Ledger) -> None:
        self._step = step
        self._at = table.at
        self._dataset = table.dataset
        self._output = output
        self._outbox = outbox
        self._ledger = ledger
        now = int(step._now() * 1_000_000)
        self._refusals = Refusals(table.at, table.dataset, step._subjects, outbox, now)
        self._valid = step._subjects.valid(table.dataset)
        self._emitted: list[tuple[bytes, bytes | Closing]] = []

    def work(self, messages: Sequence[Message]) -> None:
        """Validate the messages in their order: runs of one schema at a time."""
        rows = self._step._envelopes.row_keys(messages, self._at.table)
        held = self._load(messages)
        before = {partition: dict(states) for partition, states in held.items()}
        position = 0
        for _, run in groupby(messages, key=_frame):
            part = list(run)
            decoded = self._decode(part, rows[position : position + len(part)])
            for number, message in enumerate(part):
                self._settle(message, number, decoded, held[decoded.partitions[number]])
            position += len(part)
        self._emit()
        for partition, states in held.items():
            known = before[partition]
            changed = [(key, state, partition) for key, state in states.items() if state != known[key] and key]
            self._output.keep(self._at.topic + ROWS, changed)

    def _load(self, messages: Sequence[Message]) -> dict[int, dict[bytes, bytes | None]]:
        """The states of the messages' rows by partition; counts what came in."""
        keys: dict[int, list[bytes]] = {}
        for message in messages:
            keys.setdefault(message.partition() or 0, []).append(message.key() or b"")
        found = {}
        for partition, wanted in keys.items():
            self._ledger.count(self._origin(partition), "received", len(wanted))
            states = self._step._get(self._at.topic + ROWS, partition, wanted)
            found[partition] = dict(zip(wanted, states, strict=True))
        return found

    def _origin(self, partition: int) -> Origin:
        at = self._at
        return Origin(at.source, at.topic, partition, at.dataset)

    # -- decoding a run

    def _decode(self, messages: list[Message], rows: list[str | None]) -> Decoded:
        decoded = Decoded(["rejected"] * len(messages), rows, [message.partition() or 0 for message in messages])
        envelope: Envelope | None
        try:
            envelope = self._step._envelopes.of(messages[0].value())
        except Unreadable as error:
            envelope = None
            log.debug("%s: %s", self._at.topic, error)
        if envelope is None:
            for number in range(len(messages)):
                decoded.reasons[number] = [self._refusals.reason("UNREADABLE", None)]
            return decoded
        good, frame, bad = envelope.columns.decode_each([(message.value() or b"")[FRAME:] for message in messages])
        for number, _ in bad:
            decoded.reasons[number] = [self._refusals.reason("UNREADABLE", None)]
        if good:
            self._classify(good, frame, envelope, decoded, messages)
        return decoded

    def _classify(
        self, good: list[int], frame: pl.DataFrame, envelope: Envelope, decoded: Decoded, messages: list[Message]
    ) -> None:
        source = frame["source"].struct
        names = source.fields
        changed = source.field("ts_us") if "ts_us" in names else source.field("ts_ms") * 1000
        # The offset orders the versions of a row, as a row's changes share a partition. An LSN would not: a change that
        # was logged before the snapshot's position may commit after it.
        decoded.versions = [message.offset() or 0 for message in messages]
        decoded.changed = [0] * len(messages)
        upserts = []
        for position, (number, op, at) in enumerate(zip(good, frame["op"].to_list(), changed.to_list(), strict=True)):
            decoded.changed[number] = at or 0
            if decoded.rows[number] is None:
                decoded.reasons[number] = [self._refusals.reason("NO_KEY", None)]
                continue
            kind = _KINDS.get(op)
            if kind is None:
                decoded.reasons[number] = [self._refusals.reason("UNSUPPORTED_OPERATION", None)]
                continue
            decoded.kinds[number] = kind
            if kind == "upsert":
                upserts.append((position, number))
        if not upserts:
            return
        after = frame["after"]
        if len(upserts) < len(after):
            after = after.gather([position for position, _ in upserts])
        numbers = [number for _, number in upserts]
        cleaned = self._clean(after.struct.unnest(), envelope)
        for number in numbers:
            if UNAVAILABLE in (messages[number].value() or b""):
                decoded.kinds[number] = "rejected"
                decoded.reasons[number] = [self._refusals.reason("UNAVAILABLE", None)]
        self._judge(numbers, cleaned, decoded)
        self._count_findings(cleaned)

    def _count_findings(self, cleaned: Cleaned) -> None:
        """Counts by rule for the indicators: one record a rule and batch."""
        fixes = cleaned.fixes.group_by("rule").len().with_columns(kind=pl.lit("FIX"))
        found = cleaned.violations.group_by("rule", "severity").len().rename({"severity": "kind"})
        at, ts_ms = self._at, int(self._step._now() * 1000)
        for frame in (fixes, found):
            for rule, kind, count in frame.select("rule", "kind", "len").iter_rows():
                self._outbox.add(
                    self._step._subjects.quality(),
                    {"dataset": at.dataset, "source": at.source},
                    {
                        "ts_ms": ts_ms,
                        "dataset": at.dataset,
                        "source": at.source,
                        "rule": rule,
                        "kind": kind,
                        "count": count,
                    },
                )

    def _clean(self, after: pl.DataFrame, envelope: Envelope) -> Cleaned:
        dataset, step = self._dataset, self._step
        mapping = dataset.mapping(self._at.mapping)
        mapped = map_columns(after, mapping, envelope.semantics)
        return clean(
            mapped,
            dataset.fields,
            dataset.rules,
            step._reference,
            step._today(),
            date_format=mapping.date_format,
        )

    def _judge(self, numbers: list[int], cleaned: Cleaned, decoded: Decoded) -> None:
        """Split the cleaned rows by their violations and encode those that pass."""
        violations = cleaned.violations
        for row, rule, name, severity in violations.select("row", "rule", "field", "severity").iter_rows():
            if severity == "WARN":
                continue
            number = numbers[row]
            decoded.reasons.setdefault(number, []).append(self._refusals.reason(rule, name))
            if severity == "ERROR":
                decoded.kinds[number] = "rejected"
            elif decoded.kinds[number] == "upsert":
                decoded.kinds[number] = "review"
        passed = [row for row, number in enumerate(numbers) if decoded.kinds[number] == "upsert"]
        size = len(numbers)
        fixes = finding_lists(cleaned.fixes, size)
        warnings = finding_lists(violations.filter(pl.col("severity") == "WARN"), size)
        proposals = finding_lists(cleaned.proposals, size)
        decoded.fixes, decoded.warnings, decoded.proposals = fixes.to_list(), warnings.to_list(), proposals.to_list()
        decoded.index = {number: row for row, number in enumerate(numbers)}
        if not passed:
            return
        frame = cleaned.frame
        meta = pl.DataFrame(
            {
                "_row": [decoded.rows[number] for number in numbers],
                "_partition": pl.Series([decoded.partitions[number] for number in numbers], dtype=pl.Int32),
                "_version": pl.Series([decoded.versions[number] for number in numbers], dtype=pl.Int64),
                "_changed_at": pl.Series([decoded.changed[number] for number in numbers], dtype=pl.Int64),
                "_fixes": fixes,
                "_warnings": warnings,
                "_proposals": proposals,
            }
        )
        whole = frame.hstack(meta)
        if len(passed) < size:
            whole = whole[passed]
        entities = self._valid.key.encode(whole.select(self._dataset.key))
        values = self._valid.value.encode(self._with_meta(whole))
        decoded.entities, decoded.values = [b""] * size, [b""] * size
        for row, entity, value in zip(passed, entities, values, strict=True):
            decoded.entities[row], decoded.values[row] = entity, value

    def _with_meta(self, frame: pl.DataFrame, op: str = "u") -> pl.DataFrame:
        """Add the meta columns that are the same for a whole topic, in the order of the schema."""
        at = self._at
        constants = {
            "_source": pl.lit(at.source),
            "_topic": pl.lit(at.topic),
            "_authority": pl.lit(at.authority),
            "_locality": pl.lit(at.locality, dtype=pl.String),
            "_op": pl.lit(op),
            "_changed_at": pl.col("_changed_at").cast(pl.Datetime("us", "UTC")),
        }
        meta = [constants[name].alias(name) if name in constants else pl.col(name) for name in VALID_META]
        return frame.select(*meta, *(item.name for item in self._dataset.fields))

    # -- one change at a time

    def _settle(self, message: Message, number: int, decoded: Decoded, states: dict[bytes, bytes | None]) -> None:
        """Decide one change: what is emitted, what is counted, what the row's state becomes."""
        key = message.key() or b""
        state = states.get(key) or b""
        status, entity = state[:1], state[1:]
        kind = decoded.kinds[number]
        if kind == "upsert" and (not state or status == VALID):
            place = decoded.index[number]
            new = decoded.entities[place]
            if entity and entity != new:
                self._close("x", entity, number, decoded)
            self._emitted.append((new, decoded.values[place]))
            states[key] = VALID + new
            return
        origin = self._origin(decoded.partitions[number])
        row = decoded.rows[number] or f"{message.partition()}/{message.offset()}"
        if status in (REJECTED, REVIEW) and kind in ("upsert", "delete"):
            self._refusals.withdraw_verdict(row)
        if status == REVIEW:
            self._ledger.move(origin, "review", "merged")
            if kind != "review":
                self._refusals.close_review(row)
        if kind == "upsert":
            # Nothing is left of the state but the contribution, if there is one.
            states[key] = VALID + entity if entity else None
            self._settle(message, number, decoded, states)
        elif kind == "delete":
            if entity:
                self._close("d", entity, number, decoded)
            else:
                self._ledger.count(origin, "merged")
            states[key] = None
        elif kind == "review":
            self._ledger.count(origin, "review")
            self._refusals.review(row, decoded.reasons[number], decoded.found(number))
            states[key] = REVIEW + entity
        else:
            self._ledger.count(origin, "rejected")
            keyed = decoded.rows[number] is not None
            self._refusals.reject(message, row, decoded.reasons[number], decoded.found(number), keyed=keyed)
            if keyed:
                states[key] = REJECTED + entity

    def _close(self, op: str, entity: bytes, number: int, decoded: Decoded) -> None:
        """Close the row's contribution: ``d`` is a counted delete, ``x`` belongs to a counted upsert elsewhere."""
        meta: Closing = {
            "_op": op,
            "_row": decoded.rows[number],
            "_partition": decoded.partitions[number],
            "_version": decoded.versions[number],
            "_changed_at": decoded.changed[number],
        }
        self._emitted.append((entity, meta))

    def _emit(self) -> None:
        """Add the collected contributions and closings to the output, in their order."""
        if not self._emitted:
            return
        closings = [(entity, value) for entity, value in self._emitted if isinstance(value, dict)]
        closed = iter(self._encode_closings(closings))
        partitions = self._step._subjects.partitions
        key_header, value_header = self._valid.key_header, self._valid.value_header
        self._output.records.setdefault(self._valid.topic, []).extend(
            (
                key_header + entity,
                value_header + (next(closed) if isinstance(value, dict) else value),
                partition_of(entity, partitions),
            )
            for entity, value in self._emitted
        )
        self._emitted.clear()

    def _encode_closings(self, closings: list[tuple[bytes, Closing]]) -> list[bytes]:
        if not closings:
            return []
        schema: dict[str, Any] = {**self._valid.value.dtypes, "_changed_at": pl.Int64}
        at = self._at
        records = [
            {
                **meta,
                **decode_one(self._valid.key.schema, entity),
                "_source": at.source,
                "_topic": at.topic,
                "_authority": at.authority,
                "_locality": at.locality,
            }
            for entity, meta in closings
        ]
        frame = pl.DataFrame(records, schema=schema, orient="row")
        return self._valid.value.encode(frame.with_columns(pl.col("_changed_at").cast(pl.Datetime("us", "UTC"))))


def _frame(message: Message) -> bytes:
    """The bytes before the datum: a zero byte and the schema id, if the record is in wire format."""
    return (message.value() or b"")[:FRAME]
