"""The step behind the ``reconcile`` agent: valid records of all sources become golden records.

For each entity of a batch: put the new contributions beside the known ones (newest version of each source row),
match them with the register, merge what matched (``sync.rule.merge``: a pure function of the set), and emit what
changed: the golden record, each locality's own copy, verdicts, reviews, counts. The state of an entity is one record of
``<dataset>.contributions`` (``sync.process.entity``), written in the same transaction.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

import polars as pl

from sync.kafka import Message
from sync.kafka.client import place
from sync.metrics import PROCESSOR_RECORDS
from sync.process.bridge import Again, Output
from sync.process.decision import Book, Decided
from sync.process.distribution import Distribution
from sync.process.entity import CODE_SHIFT, REVIEW, Entity, Entry, decode, encode, entity_key, entry_key
from sync.process.ledger import Ledger, Origin, Outcome
from sync.process.move import MOVE, WORD, Moves
from sync.process.notice import SEPARATOR, Note, Notices
from sync.process.outbox import Outbox, Subject, Subjects, partition_of
from sync.process.quality import Tally, unit
from sync.process.reader import FRAME, Reader
from sync.process.reason import CODES, MATCHED, REFUSED, broken
from sync.process.settlement import Settled, settle
from sync.process.touched import Arrived, Change, Contribution, Touched
from sync.process.transfer import STAGE as TRANSFERRED
from sync.process.transfer import Transfers, entity_of
from sync.rule.matching import MATCH, match
from sync.rule.merge import REGISTER, merge
from sync.schema.dataset import Dataset, load
from sync.schema.derived import topic
from sync.schema.registry import RegistryClient

_PADDED = '"rule":"VR06'
"""In a contribution's fixes: its ID got its zeros back. Quotes in a value are escaped, so no value has this in it."""

_TOLD = {"_locality": pl.String, "_lineage": pl.String}

_SIZE = pl.col("_lineage").str.len_bytes()
_TAIL = 2 + _SIZE + (_SIZE > 63) + (_SIZE > 8191) + (_SIZE > 1048575)
"""Bytes that the lineage, the last field, takes in a golden datum: the union's branch, the length, the text."""


class Reconciler:
    """The ``reconcile`` step (``sync.process.bridge.Step``) for ``datasets``, and those that ``discover`` tells of."""

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
        discover: Callable[[], Iterable[Dataset]] = tuple,
        decisions: Decided | None = None,
    ) -> None:
        self._subjects = subjects
        self._decisions = decisions or Book()
        self._reader = Reader(registry)
        self._provinces = provinces
        self._get = get
        self._now = now
        self._valid: dict[str, Dataset] = {}
        self._transfer: dict[str, Dataset] = {}
        self._register: dict[str, list[Dataset]] = {}
        self.registers: dict[str, Subject] = {}
        self._discover = discover
        for dataset in datasets:
            self._add(dataset)

    def _add(self, dataset: Dataset) -> None:
        """Take a dataset on: its topics, its decisions, and what it is matched with."""
        self._subjects.valid(dataset)
        self._subjects.golden(dataset)
        self._subjects.contributions(dataset)
        self._decisions.follow(dataset)
        self._valid[topic(dataset.id, "valid")] = dataset
        self._transfer[self._subjects.transfer(dataset).topic] = dataset
        if dataset.policy.register:
            register = self.registers[dataset.id] = self._subjects.golden(load(dataset.policy.register))
            self._register.setdefault(register.topic, []).append(dataset)

    def topics(self) -> Iterable[str]:
        """The valid topics, the transfers' and the registers' golden topics."""
        for dataset in self._discover():
            self._add(dataset)
        return [*self._valid, *self._transfer, *self._register]

    def state_topics(self, topic_name: str) -> Iterable[str]:
        """The contribution topics that a partition of ``topic_name`` touches, and the register, which is held."""
        found = [held[topic_name] for held in (self._valid, self._transfer) if topic_name in held]
        found += self._register.get(topic_name, [])
        registers = {self.registers[dataset.id].topic: None for dataset in found if dataset.id in self.registers}
        return [*(topic(dataset.id, "contributions") for dataset in found), *registers]

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """The entities of rows that were decided about, as messages of their contribution topics without a value."""
        fresh = self._decisions.fresh()
        found = {}
        known = {dataset.id: dataset for dataset in self._valid.values()}
        for decision in self._decisions.all() if anew else fresh:
            dataset = known.get(decision.case.dataset)
            if decision.case.stage not in (self.name, TRANSFERRED) or dataset is None or decision.entity is None:
                continue
            key = entity_key(decision.entity.split(SEPARATOR))
            partition = partition_of(key, self._subjects.partitions)
            state = self._subjects.contributions(dataset)
            framed = state.key_header + key
            held = (topic(dataset.id, "valid"), partition) in assigned
            if held and self._get(state.topic, partition, [framed])[0] is not None:
                found[state.topic, key] = Again(state.topic, partition, -1, framed, None)
        return list(found.values())

    def process(self, messages: Sequence[Message]) -> Output:
        """Reconcile a batch of valid records and register records of any datasets."""
        output, outbox, ledger, tally = Output(), Outbox(), Ledger(self.name), Tally()
        parts: dict[str, Arrived] = {}
        states = {topic(dataset.id, "contributions"): dataset for dataset in self._valid.values()}
        for message in messages:
            name, _ = place(message)
            if name in self._valid:
                _part(parts, self._valid[name]).valid.append(message)
            if name in self._transfer:
                _part(parts, self._transfer[name]).transfers.append(message)
            if name in states and isinstance(message, Again):
                _part(parts, states[name]).again.append(message)
            matched = self._register.get(name, [])
            for dataset in matched:
                _part(parts, dataset).register.append(message)
            if matched:
                output.hold(name, message.partition() or 0, message.key() or b"", message.value())
        for arrived in parts.values():
            Part(self, arrived.dataset, output, outbox, ledger, tally).work(arrived)
        ts_ms = int(self._now() * 1000)
        outbox.ledger(self._subjects.ledger(), ledger, ts_ms)
        for key, value in tally.records(ts_ms):
            outbox.add(self._subjects.findings(), key, value)
        outbox.flush(output)
        for (dataset_id, outcome), number in ledger.outcomes().items():
            PROCESSOR_RECORDS.labels(self.name, dataset_id, outcome).inc(max(number, 0))
        return output


def _part(parts: dict[str, Arrived], dataset: Dataset) -> Arrived:
    """The part of ``dataset``, made if it is the first."""
    if dataset.id not in parts:
        parts[dataset.id] = Arrived(dataset)
    return parts[dataset.id]


class Part:
    """The work on one dataset in one batch: all its partitions at once, since a pass over columns costs by the pass."""

    def __init__(
        self, step: Reconciler, dataset: Dataset, output: Output, outbox: Outbox, ledger: Ledger, tally: Tally
    ) -> None:
        self._step = step
        self._dataset = dataset
        self._output = output
        self._ledger = ledger
        self._tally = tally
        at, by = int(step._now() * 1_000_000), step._decisions
        self._notices = Notices(dataset, step._subjects, outbox, ledger, at)
        self._transfers = Transfers(dataset, step._subjects, by, step._reader, outbox, at)
        self._golden = step._subjects.golden(dataset)
        self._distribution = Distribution(dataset, step._subjects, output)
        self._state = step._subjects.contributions(dataset)
        self._moves = Moves(dataset, step._subjects.valid(dataset), step._subjects.partitions)

    def work(self, arrived: Arrived) -> None:
        """Bring the touched entities up to date and emit what changed."""
        touched = self._load(arrived)
        if not touched.keys:
            return
        self._transfers.take(arrived.transfers, touched)
        frame = self._contribute(arrived.valid, touched)
        self._reconcile(touched, frame)

    def _load(self, arrived: Arrived) -> Touched:
        """Number the entities of the messages, and read their state and what the register says of them.

        A register's record about whom nobody has contributed anything touches no entity.
        """
        people = {_datum(message): message for message in arrived.register}
        partitions = {_datum(message): message.partition() or 0 for message in arrived.valid}
        partitions.update({entity_of(message): message.partition() or 0 for message in arrived.transfers})
        others = {_datum(message): message.partition() or 0 for message in chain(arrived.register, arrived.again)}
        only = {key: partition for key, partition in others.items() if key not in partitions}
        states = self._states(self._state, {**partitions, **only})
        partitions.update((key, partition) for key, partition in only.items() if key in states)
        keys = list(partitions)
        touched = Touched({key: number for number, key in enumerate(keys)}, keys, list(partitions.values()), [])
        held = self._step.registers.get(self._dataset.id)
        known = {} if held is None else self._states(held, {k: p for k, p in partitions.items() if k not in people})
        for key in keys:
            value = states.get(key)
            entity = Entity() if value is None else decode(value[FRAME:])
            entity.register = people[key].value() if key in people else known.get(key)
            touched.entities.append(entity)
            touched.before.append(value)
        return touched

    def _states(self, subject: Subject, partitions: Mapping[bytes, int]) -> dict[bytes, bytes]:
        """What the store holds of ``subject``'s topic by key, for keys with their partitions."""
        found: dict[bytes, bytes] = {}
        for partition in set(partitions.values()):
            keys = [key for key, other in partitions.items() if other == partition]
            values = self._step._get(subject.topic, partition, [subject.key_header + key for key in keys])
            found.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
        return found

    def _contribute(self, valid: list[Message], touched: Touched) -> pl.DataFrame | None:
        """Put the batch's records into the entities and return all live contributions, in the order of ``live``.

        The newest version of a source row wins, whatever the order of arrival. Known and new records are decoded
        together.
        """
        values: list[bytes] = []
        for number, entity in enumerate(touched.entities):
            for key, entry in entity.entries.items():
                if entry.value:
                    touched.live[number, key] = len(values)
                    values.append(entry.value)
        known = len(values)
        before = [CODES[entry.flags >> CODE_SHIFT] for entry in self._entries(touched)]
        values += [message.value() or b"" for message in valid]
        if not values:
            return None
        frame = self._step._reader.read(values)
        self._tally_broken(frame, enumerate(before), -1)
        last: dict[Contribution, Change] = {}
        afters = self._moves.after(frame[known:], map(_datum, valid))
        for row, (message, origin, source, name, locality, version, op) in enumerate(
            zip(valid, *self._told(frame[known:]), strict=True), known
        ):
            contribution = touched.numbers[_datum(message)], entry_key(source, name)
            if op == WORD:
                self._moves.note(contribution, row)
                continue
            value = values[row] if op == "u" else b""
            change = self._newest(touched, contribution, origin, locality, version, value, afters[row - known])
            if not change.superseded:
                if op == MOVE:
                    self._moves.note(contribution, row)
                if op == "u":
                    touched.live[contribution] = row
                if contribution in last:
                    last[contribution].superseded = True
                last[contribution] = change
            # A closing by an upsert elsewhere ("x"), or by a decision that was undone ("r"), is no change of its own.
            if op in ("u", "d"):
                touched.changes.append(change)
        self._moves.settle(touched, frame, self._notices, self._output)
        rows = list(touched.live.values())
        if not rows:
            return None
        return frame if rows == list(range(len(frame))) else frame[rows]

    def _told(self, meta: pl.DataFrame) -> tuple[list[Any], ...]:
        """What valid records say of themselves, by column: origin, source, row, locality, version, operation."""
        names = ("_source", "_topic", "_partition", "_row", "_locality", "_version", "_op")
        sources, topics, partitions, *others = (meta[name].to_list() for name in names)
        known: dict[tuple[str, str, int], Origin] = {}
        origins = []
        for came in zip(sources, topics, partitions, strict=True):
            origin = known.get(came)
            if origin is None:
                origin = known[came] = Origin(*came, self._dataset.id)
            origins.append(origin)
        return origins, sources, *others

    def _newest(
        self,
        touched: Touched,
        contribution: Contribution,
        origin: Origin,
        locality: str | None,
        version: int,
        value: bytes,
        after: bytes,
    ) -> Change:
        """Let a version take its contribution's place, unless a newer one is there already: then it is superseded."""
        number, key = contribution
        entries = touched.entities[number].entries
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = Entry(version, 0, value, after)
            return Change(number, key, entry, origin, locality)
        change = Change(number, key, entry, origin, locality, version <= entry.version)
        if not change.superseded:
            entry.version, entry.value, entry.after = version, value, after
            if not value:
                touched.live.pop(contribution, None)
                self._notices.withdraw(change.entry, change.key, change.origin, locality)
        return change

    # -- the pure part, in columns

    def _reconcile(self, touched: Touched, frame: pl.DataFrame | None) -> None:
        entities = touched.entities
        codes, compared = pl.Series("code", [], dtype=pl.String), pl.DataFrame()
        if frame is not None:
            owners = pl.Series("_e", [number for number, _ in touched.live], dtype=pl.UInt32)
            frame, codes, compared = self._match(frame.with_columns(owners), entities)
        # Before duties in two units are looked for: a merged unit and its successor are one.
        frame = self._transfers.carry(touched, frame)
        if frame is not None:
            settled = settle(codes, frame, compared, list(touched.live), self._dataset, self._step._decisions)
            codes = settled.codes
            self._judge(touched, settled, frame)
            self._tally_broken(frame, enumerate(codes), 1)
        golden, datums = self._merge(frame, codes, len(entities))
        changed = self._emit(touched, golden, datums)
        self._count(touched.changes, changed)

    def _entries(self, touched: Touched) -> Iterator[Entry]:
        """The entries of the live contributions, in their order."""
        return (touched.entities[number].entries[key] for number, key in touched.live)

    def _tally_broken(self, frame: pl.DataFrame, codes: Iterable[tuple[int, str]], number: int) -> None:
        """Count ``number`` for each row whose code breaks a rule, with its source and unit."""
        found = {row: rule for row, code in codes if (rule := broken(code))}
        if found:
            told = frame[list(found)].select("_source", unit(self._dataset.policy, pl.col("_locality")).alias("unit"))
            for rule, (source, body) in zip(found.values(), told.iter_rows(), strict=True):
                self._tally.move(self._dataset.id, source, body or "", rule, number)

    def _match(self, frame: pl.DataFrame, entities: list[Entity]) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
        """The match code of each contribution and what was compared; the register's rows are added to the frame."""
        policy = self._dataset.policy
        if policy.register is None or policy.match is None:
            codes = pl.Series("code", [MATCH], dtype=pl.String).new_from_index(0, len(frame))
            return frame, codes, pl.DataFrame()
        held = [(number, entity.register) for number, entity in enumerate(entities) if entity.register is not None]
        people = pl.DataFrame(schema={"_e": pl.UInt32})
        if held:
            people = self._step._reader.read([value for _, value in held if value is not None])
            people = people.with_columns(pl.Series("_e", [number for number, _ in held], dtype=pl.UInt32))
        compared = [policy.match.name, policy.match.birth_date, policy.match.sex]
        beside = frame.select("_e", *compared, padded=pl.col("_fixes").str.contains(_PADDED, literal=True)).join(
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
        return frame, decided["code"], beside.select(*compared, *(f"r_{name}" for name in compared))

    def _merge(
        self, frame: pl.DataFrame | None, codes: pl.Series, entities: int
    ) -> tuple[pl.DataFrame, list[bytes | None]]:
        """Golden frame and its datums; None where an entity has no golden record."""
        dataset, datums = self._dataset, [None] * entities
        if frame is None:
            return pl.DataFrame({"_locality": [None], "_lineage": [None]}, schema=_TOLD)[[0] * entities], [*datums]
        keep = codes.is_in(MATCHED).append(pl.Series([True]).new_from_index(0, len(frame) - len(codes)))
        merged = merge(
            frame if keep.all() else frame.filter(keep),
            entities=entities,
            fields=dataset.fields,
            policy=dataset.policy,
            provinces=self._step._provinces,
        )
        encode = self._golden.value.encode
        if merged.exists.all():
            return merged.frame, [*encode(merged.frame)]
        whole: list[bytes | None] = [*datums]
        numbers = merged.exists.arg_true()
        for number, datum in zip(numbers, encode(merged.frame[numbers]) if len(numbers) else (), strict=True):
            whole[number] = datum
        return merged.frame, whole

    # -- decisions, one entity at a time

    def _judge(self, touched: Touched, settled: Settled, frame: pl.DataFrame) -> None:
        """Reviews and verdicts: compare each contribution's match with what was said before."""
        codes, entries = settled.codes, [*self._entries(touched)]
        notes = frame[: len(codes)]
        told = notes.select((codes != MATCH) | pl.col("_fixes").is_not_null() | pl.col("_warnings").is_not_null())
        contributions, anew = list(touched.live), touched.anew
        # A record that is simply right, and was so before, needs no word.
        rows = {*told.to_series().arg_true(), *(row for row, entry in enumerate(entries) if entry.flags)}
        rows |= {row for row, contribution in enumerate(contributions) if contribution in anew} if anew else set()
        if not rows:
            return
        fresh = {(change.entity, change.key) for change in touched.changes if not change.superseded}
        chosen = sorted(rows)
        columns = ("_fixes", "_warnings", "_proposals", "_topic", "_partition", "_locality", "_source", "_row")
        for row, code, note in zip(
            chosen, codes.gather(chosen), notes.select(columns)[chosen].iter_rows(), strict=True
        ):
            entry, new, again = entries[row], contributions[row] in fresh, contributions[row] in anew
            # What was said about the same version with the same outcome stands.
            if new or again or entry.flags >> CODE_SHIFT != CODES.index(code):
                entity, facts = touched.keys[contributions[row][0]], settled.facts.get(row, "")
                said = Note._make((*note, facts))
                self._notices.say(entry, code, said, entity, match=settled.matches[row], fresh=new, anew=again)

    def _emit(self, touched: Touched, golden: pl.DataFrame, datums: list[bytes | None]) -> set[int]:
        """Golden records, the localities' copies and the state; returns the numbers of the changed entities."""
        contributors: dict[int, set[str]] = {}
        for change in touched.changes:
            if change.locality is not None:
                contributors.setdefault(change.entity, set()).add(change.locality)
        changed: set[int] = set()
        owned = self._dataset.policy.distribution == "owner"
        key_header, value_header = self._golden.key_header, self._golden.value_header
        state_key, state_value = self._state.key_header, self._state.value_header
        records = self._output.records.setdefault(self._golden.topic, [])
        states: list[tuple[bytes, bytes | None, int]] = []
        tails = golden.select(_TAIL).to_series().to_list()
        rows = zip(
            touched.keys,
            touched.partitions,
            touched.entities,
            touched.before,
            golden["_locality"].to_list(),
            datums,
            tails,
            strict=True,
        )
        for number, (key, partition, entity, before, locality, datum, tail) in enumerate(rows):
            if datum is None:
                locality, framed, values, whole = None, None, b"", b""
            else:
                framed = value_header + datum
                digest = blake2b(datum[:-tail], digest_size=16)
                values = digest.digest()
                digest.update(datum[-tail:])
                whole = digest.digest()
            different = values != entity.values
            if different:
                changed.add(number)
            wire_key = key_header + key
            if whole != entity.whole:
                records.append((wire_key, framed, partition))
            if owned:
                self._distribution.tell(entity, locality, different, contributors.get(number, ()), wire_key, framed)
            entity.locality, entity.values, entity.whole = locality, values, whole
            state = state_value + encode(entity)
            # A change without effect leaves the state as it is, and what is not written need not be restored.
            if state != before:
                states.append((state_key + key, state, partition))
        self._output.keep(self._state.topic, states)
        return changed

    def _count(self, changes: list[Change], changed: set[int]) -> None:
        """The outcome of each change of the batch."""
        counts: Counter[tuple[Origin, Outcome]] = Counter()
        for change in changes:
            entry = change.entry
            if change.superseded:
                outcome: Outcome = "merged"
            elif entry.flags & REVIEW and entry.value:
                outcome = "review"
            elif entry.flags >> CODE_SHIFT == CODES.index(REFUSED) and entry.value:
                outcome = "rejected"
            else:
                outcome = "applied" if change.entity in changed else "merged"
            counts[change.origin, outcome] += 1
        for (origin, outcome), number in counts.items():
            self._ledger.count(origin, outcome, number)


def _datum(message: Message) -> bytes:
    """An entity's identity: the key's datum without its frame."""
    return (message.key() or b"")[FRAME:]
