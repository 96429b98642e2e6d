"""The step behind the ``reconcile`` agent: valid records of all sources become golden records.

For each entity of a batch: put the new contributions beside the known ones (newest version of each source row),
match them with the register, merge what matched (``sync.rule.merge``: a pure function of the set), and emit what
changed: the golden record, each locality's own copy, verdicts, reviews, counts. The state of an entity is one record of
``<dataset>.contributions`` (``sync.process.entity``), written in the same transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from typing import Any

import polars as pl

from sync.kafka import Message
from sync.kafka.client import place
from sync.metrics import PROCESSOR_RECORDS
from sync.process.bridge import Output
from sync.process.entity import (
    CODE_SHIFT,
    REVIEW,
    VERDICT,
    Entity,
    Entry,
    EntryKey,
    decode,
    encode,
    entry_key,
    source_row,
)
from sync.process.ledger import Ledger, Origin
from sync.process.outbox import Outbox, Subjects
from sync.process.reader import FRAME, Reader
from sync.process.reason import CODES, MESSAGES
from sync.rule.matching import match
from sync.rule.merge import REGISTER, merge
from sync.schema.dataset import Dataset
from sync.schema.derived import topic
from sync.schema.registry import RegistryClient

Contribution = tuple[bytes, EntryKey]
"""An entity and the source and row that contribute to it."""


@dataclass(slots=True)
class Change:
    """One valid record of the batch that is counted: its entity, contribution and origin."""

    entity: bytes
    key: EntryKey
    origin: Origin
    locality: str | None
    superseded: bool = False


@dataclass(slots=True)
class Touched:
    """The entities of one dataset that a batch touches; ``live``: the row of each live contribution in the frame."""

    entities: dict[bytes, Entity]
    partitions: Mapping[bytes, int]
    live: dict[Contribution, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


class Reconciler:
    """The ``reconcile`` step (``sync.process.bridge.Step``) for some datasets."""

    name = "reconcile"

    def __init__(
        self,
        *,
        registry: RegistryClient,
        subjects: Subjects,
        datasets: Sequence[Dataset],
        provinces: Mapping[str, str],
        get: Callable[[str, int, Sequence[bytes]], list[bytes | None]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subjects = subjects
        self._reader = Reader(registry)
        self._provinces = provinces
        self._get = get
        self._now = now
        self.local: dict[tuple[str, str], str] = {}
        self._valid = {topic(dataset.id, "valid"): dataset for dataset in datasets}
        self._register: dict[str, list[Dataset]] = {}
        for dataset in datasets:
            if dataset.policy.register:
                self._register.setdefault(topic(dataset.policy.register, "golden"), []).append(dataset)
        for dataset in datasets:
            subjects.valid(dataset)
            subjects.golden(dataset)
            subjects.contributions(dataset)

    def topics(self) -> Iterable[str]:
        """The valid topics and the registers' golden topics."""
        return [*self._valid, *self._register]

    def state_topics(self, topic_name: str) -> Iterable[str]:
        """The contribution topics that a partition of ``topic_name`` touches."""
        found = [self._valid[topic_name]] if topic_name in self._valid else []
        return [topic(dataset.id, "contributions") for dataset in found + self._register.get(topic_name, [])]

    def process(self, messages: Sequence[Message]) -> Output:
        """Reconcile a batch of valid records and register records of any datasets."""
        output, outbox, ledger = Output(), Outbox(), Ledger(self.name)
        parts: dict[str, tuple[Dataset, list[Message], list[Message]]] = {}
        for message in messages:
            name, _ = place(message)
            if name in self._valid:
                dataset = self._valid[name]
                parts.setdefault(dataset.id, (dataset, [], []))[1].append(message)
            for dataset in self._register.get(name, []):
                parts.setdefault(dataset.id, (dataset, [], []))[2].append(message)
        for dataset, valid, register in parts.values():
            Part(self, dataset, output, outbox, ledger).work(valid, register)
        outbox.ledger(self._subjects.ledger(), ledger, int(self._now() * 1000))
        outbox.flush(output)
        for (dataset_id, outcome), number in ledger.outcomes().items():
            PROCESSOR_RECORDS.labels(self.name, dataset_id, outcome).inc(max(number, 0))
        return output


class Part:
    """The work on one dataset in one batch: all its partitions at once, since a pass over columns costs by the pass."""

    def __init__(self, step: Reconciler, dataset: Dataset, output: Output, outbox: Outbox, ledger: Ledger) -> None:
        self._step = step
        self._dataset = dataset
        self._output = output
        self._outbox = outbox
        self._ledger = ledger
        self._golden = step._subjects.golden(dataset)
        self._state = step._subjects.contributions(dataset)

    def work(self, valid: list[Message], register: list[Message]) -> None:
        """Bring the touched entities up to date and emit what changed."""
        partitions = {_datum(message): place(message)[1] for message in chain(valid, register)}
        touched = Touched(self._load(partitions), partitions)
        for message in register:
            touched.entities[_datum(message)].register = message.value()
        frame = self._contribute(valid, touched)
        self._reconcile(touched, frame)

    def _load(self, partitions: Mapping[bytes, int]) -> dict[bytes, Entity]:
        keys: dict[int, list[bytes]] = {}
        for key, partition in partitions.items():
            keys.setdefault(partition, []).append(key)
        found: dict[bytes, Entity] = {}
        for partition, wanted in keys.items():
            framed = [self._state.wire_key(key) for key in wanted]
            held = self._step._get(self._state.topic, partition, framed)
            for key, value in zip(wanted, held, strict=True):
                found[key] = Entity() if value is None else decode(value[FRAME:])
        return found

    def _contribute(self, valid: list[Message], touched: Touched) -> pl.DataFrame | None:
        """Put the batch's records into the entities and return all live contributions, in the order of ``live``.

        The newest version of a source row wins, whatever the order of arrival. Known and new records are decoded
        together.
        """
        values: list[bytes] = []
        for datum, entity in touched.entities.items():
            for key, entry in entity.entries.items():
                if entry.value:
                    touched.live[datum, key] = len(values)
                    values.append(entry.value)
        known = len(values)
        values += [message.value() or b"" for message in valid]
        if not values:
            return None
        frame = self._step._reader.read(values)
        meta = frame[known:].select("_source", "_row", "_topic", "_partition", "_locality", "_version", "_op")
        last: dict[Contribution, Change] = {}
        for number, (source, row, name, partition, locality, version, op) in enumerate(meta.iter_rows(), known):
            datum, key = _datum(valid[number - known]), entry_key(source, row)
            change = Change(datum, key, Origin(source, name, partition, self._dataset.id), locality)
            if self._newest(touched, change, version, values[number] if op == "u" else b""):
                if op == "u":
                    touched.live[datum, key] = number
                if (datum, key) in last:
                    last[datum, key].superseded = True
                last[datum, key] = change
            # A closing that belongs to an upsert elsewhere ("x") is no change of its own: the upsert is counted.
            if op != "x":
                touched.changes.append(change)
        return frame[list(touched.live.values())] if touched.live else None

    def _newest(self, touched: Touched, change: Change, version: int, value: bytes) -> bool:
        """Let a version take its contribution's place, unless a newer one is there already."""
        entries = touched.entities[change.entity].entries
        known = entries.get(change.key)
        if known is None:
            entries[change.key] = Entry(version, 0, value)
            return True
        if version <= known.version:
            change.superseded = True
            return False
        known.version, known.value = version, value
        if not value:
            touched.live.pop((change.entity, change.key), None)
            self._withdraw(known, change)
        return True

    # -- the pure part, in columns

    def _reconcile(self, touched: Touched, frame: pl.DataFrame | None) -> None:
        entities = list(touched.entities.values())
        codes: list[str] = []
        if frame is not None:
            numbers = {datum: number for number, datum in enumerate(touched.entities)}
            owners = pl.Series("_e", [numbers[datum] for datum, _ in touched.live], dtype=pl.UInt32)
            frame, codes = self._match(frame.with_columns(owners), entities)
        golden, datums = self._merge(frame, codes, entities)
        self._judge(touched, codes, frame)
        self._emit(touched, golden, datums)

    def _match(self, frame: pl.DataFrame, entities: list[Entity]) -> tuple[pl.DataFrame, list[str]]:
        """The match code of each contribution; the register's rows are added below the contributions."""
        policy = self._dataset.policy
        if policy.register is None or policy.match is None:
            return frame, ["MATCH"] * len(frame)
        held = [(number, entity.register) for number, entity in enumerate(entities) if entity.register is not None]
        people = pl.DataFrame(schema={"_e": pl.UInt32})
        if held:
            people = self._step._reader.read([value for _, value in held if value is not None])
            people = people.with_columns(pl.Series("_e", [number for number, _ in held], dtype=pl.UInt32))
        compared = [policy.match.name, policy.match.birth_date, policy.match.sex]
        beside = frame.select("_e", *compared, padded=pl.col("_fixes").str.contains("VR06", literal=True)).join(
            people.select("_e", *(pl.col(name).alias(f"r_{name}") for name in compared), found=pl.lit(True))
            if held
            else pl.DataFrame(
                schema={
                    "_e": pl.UInt32,
                    **{f"r_{name}": frame.schema[name] for name in compared},
                    "found": pl.Boolean,
                }
            ),
            on="_e",
            how="left",
            maintain_order="left",
        )
        register = beside.select(pl.col("found").fill_null(False), *(f"r_{name}" for name in compared))
        decided = match(beside.select(*compared, pl.col("padded").fill_null(False)), register, policy.match)
        codes = decided["code"].to_list()
        if held:
            rows = people.with_columns(
                _source=pl.lit(policy.register),
                _row=pl.lit(""),
                _authority=pl.lit(REGISTER),
                _locality=pl.lit(None, dtype=pl.String),
                _changed_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
            )
            known = [name for name in frame.columns if name in rows.columns]
            frame = pl.concat([frame, rows.select(known)], how="diagonal_relaxed")
        return frame, codes

    def _merge(
        self, frame: pl.DataFrame | None, codes: list[str], entities: list[Entity]
    ) -> tuple[pl.DataFrame, list[bytes | None]]:
        """Golden frame and its datums; None where an entity has no golden record."""
        dataset = self._dataset
        if frame is None:
            return pl.DataFrame({"_locality": pl.Series([None] * len(entities), dtype=pl.String)}), [None] * len(
                entities
            )
        keep = [code in ("MATCH", "MATCH_WITH_FIX") for code in codes] + [True] * (len(frame) - len(codes))
        merged = merge(
            frame.filter(pl.Series(keep)),
            entities=len(entities),
            fields=dataset.fields,
            policy=dataset.policy,
            provinces=self._step._provinces,
        )
        numbers = merged.exists.arg_true()
        encoded = self._golden.value.encode(merged.frame[numbers]) if len(numbers) else []
        datums: list[bytes | None] = [None] * len(entities)
        for number, datum in zip(numbers, encoded, strict=True):
            datums[number] = datum
        return merged.frame, datums

    # -- decisions, one entity at a time

    def _judge(self, touched: Touched, codes: list[str], frame: pl.DataFrame | None) -> None:
        """Reviews and verdicts: compare each contribution's match with what was said before."""
        if frame is None:
            return
        fresh = {(change.entity, change.key) for change in touched.changes if not change.superseded}
        notes = frame[: len(codes)].select(
            "_fixes", "_warnings", "_topic", "_partition", "_locality", "_source", "_row"
        )
        for (datum, key), code, note in zip(touched.live, codes, notes.iter_rows(), strict=True):
            entry = touched.entities[datum].entries[key]
            new = (datum, key) in fresh
            # What was said about the same version with the same outcome stands.
            if new or entry.flags >> CODE_SHIFT != CODES.index(code):
                self._say(entry, code, note, datum, new)

    def _say(self, entry: Entry, code: str, note: tuple[Any, ...], entity: bytes, fresh: bool) -> None:
        fixes, warnings, name, partition, _, source, _ = note
        was_review, review = bool(entry.flags & REVIEW), code not in ("MATCH", "MATCH_WITH_FIX")
        tell = _worth_telling(code, fixes, warnings)
        origin = Origin(source, name, partition, self._dataset.id)
        if not fresh and was_review and not review:
            self._ledger.move(origin, "review", "merged")
        elif not fresh and review and not was_review:
            self._ledger.move(origin, "merged", "review")
        elif fresh and was_review:
            # The version under review was replaced; the new one is counted for itself.
            self._ledger.move(origin, "review", "merged")
        if tell or entry.flags:
            self._tell(entry, code, note, entity, fresh)
        entry.flags = (REVIEW if review else 0) | (VERDICT if tell else 0) | CODES.index(code) << CODE_SHIFT

    def _tell(self, entry: Entry, code: str, note: tuple[Any, ...], entity: bytes, fresh: bool) -> None:
        """Verdict and review of a contribution: said, changed or withdrawn."""
        fixes, warnings, name, _, locality, source, row = note
        was_review, review = bool(entry.flags & REVIEW), code not in ("MATCH", "MATCH_WITH_FIX")
        was_code, number = entry.flags >> CODE_SHIFT, CODES.index(code)
        key, subjects = {"source": source, "row": row}, self._step._subjects
        about = {
            "dataset": self._dataset.id,
            "source": source,
            "row": row,
            "topic": name,
            "entity": _text(entity),
            "locality": locality,
            "code": code,
            "message_vi": MESSAGES[code][0],
            "message_en": MESSAGES[code][1],
        }
        at = int(self._step._now() * 1_000_000)
        if review and (not was_review or was_code != number):
            self._outbox.add(subjects.review(self._dataset), key, {**about, "opened_at": at, "status": "open"})
        elif was_review and not review:
            self._outbox.add(subjects.review(self._dataset), key, None)
        tell = _worth_telling(code, fixes, warnings)
        if tell and (fresh or was_code != number):
            outcome = "REVIEW" if review else code
            verdict = {**about, "outcome": outcome, "fixes": fixes, "warnings": warnings, "decided_at": at}
            self._outbox.add(subjects.verdict(self._dataset), key, verdict)
        elif not tell and entry.flags & VERDICT:
            self._outbox.add(subjects.verdict(self._dataset), key, None)

    def _withdraw(self, entry: Entry, change: Change) -> None:
        """A contribution is closed: nothing that was said about it stands any more."""
        identity = dict(zip(("source", "row"), source_row(change.key), strict=True))
        subjects = self._step._subjects
        if entry.flags & REVIEW:
            self._ledger.move(change.origin, "review", "merged")
            self._outbox.add(subjects.review(self._dataset), identity, None)
        if entry.flags & VERDICT:
            self._outbox.add(subjects.verdict(self._dataset), identity, None)
        entry.flags = 0

    def _emit(self, touched: Touched, golden: pl.DataFrame, datums: list[bytes | None]) -> None:
        """Golden records, the localities' copies, the state, and the counts of the batch's changes."""
        localities = golden["_locality"].to_list()
        lineage = golden["_lineage"].to_list() if "_lineage" in golden.columns else []
        contributors: dict[bytes, set[str]] = {}
        for change in touched.changes:
            if change.locality is not None:
                contributors.setdefault(change.entity, set()).add(change.locality)
        changed: set[bytes] = set()
        owned = self._dataset.policy.distribution == "owner"
        for number, (key, entity) in enumerate(touched.entities.items()):
            datum = datums[number]
            if datum is None:
                values = whole = b""
                locality = None
            else:
                tail = _lineage_size(lineage[number])
                values = blake2b(datum[:-tail], digest_size=16).digest()
                whole = blake2b(datum, digest_size=16).digest()
                locality = localities[number]
            different = values != entity.values
            if different:
                changed.add(key)
            framed = None if datum is None else self._golden.wire_value(datum)
            partition = touched.partitions[key]
            wire_key = self._golden.wire_key(key)
            if whole != entity.whole:
                self._output.add(self._golden.topic, wire_key, framed, partition)
            if owned:
                self._distribute(entity, locality, different, contributors.get(key, ()), wire_key, framed)
            entity.locality, entity.values, entity.whole = locality, values, whole
            self._output.keep(
                self._state.topic,
                partition,
                self._state.wire_key(key),
                self._state.wire_value(encode(entity)),
            )
        for change in touched.changes:
            entry = touched.entities[change.entity].entries[change.key]
            if change.superseded:
                self._ledger.count(change.origin, "merged")
            elif entry.value and entry.flags & REVIEW:
                self._ledger.count(change.origin, "review")
            else:
                self._ledger.count(change.origin, "applied" if change.entity in changed else "merged")

    def _distribute(
        self,
        entity: Entity,
        locality: str | None,
        different: bool,
        contributors: Iterable[str],
        wire_key: bytes,
        framed: bytes | None,
    ) -> None:
        """A locality's own topic: the row in its owner's, a delete in the former owner's (invariant 6).

        A locality that sent something gets the golden row back even if it did not change (or a delete, if the entity
        is not its own): what it holds may differ from what is true.
        """
        if entity.values and entity.locality is not None and entity.locality != locality:
            self._output.add(self._local(entity.locality), wire_key, None)
        if locality is not None and (different or entity.locality != locality or locality in contributors):
            self._output.add(self._local(locality), wire_key, framed)
        for other in contributors:
            if other not in (locality, entity.locality):
                self._output.add(self._local(other), wire_key, None)

    def _local(self, locality: str) -> str:
        """A locality's topic, made and its subjects registered on first use; the ids are those of the golden topic."""
        known = self._step.local.get((self._dataset.id, locality))
        if known is None:
            subject = self._step._subjects.golden(self._dataset, locality)
            _ = subject.ids
            known = self._step.local[self._dataset.id, locality] = subject.topic
        return known


def _worth_telling(code: str, fixes: str | None, warnings: str | None) -> bool:
    """Whether a row's owner gets a verdict: whenever it is not simply right."""
    return code != "MATCH" or fixes is not None or warnings is not None


def _datum(message: Message) -> bytes:
    """An entity's identity: the key's datum without its frame."""
    return (message.key() or b"")[FRAME:]


def _text(entity: bytes) -> str:
    """The key's strings joined by ``|``, from the datum (strings only: length and UTF-8 bytes)."""
    parts, position = [], 0
    while position < len(entity):
        size, shift = 0, 0
        while True:
            byte = entity[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        size >>= 1
        parts.append(entity[position : position + size].decode())
        position += size
    return "|".join(parts)


def _lineage_size(lineage: str) -> int:
    """Bytes that the lineage, the last field, takes in a golden datum: the union's branch, the length, the text."""
    size = len(lineage.encode())
    prefix, number = 1, size << 1
    while number > 0x7F:
        number >>= 7
        prefix += 1
    return 1 + prefix + size
