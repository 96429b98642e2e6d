"""The step behind the ``validate`` agent: change events of sources become valid, rejected or reviewed records.

Maps a source's columns to its dataset, cleans, resolves codes and checks rules (``sync.rule``), and remembers for each
source row which entity it last contributed to (``<source topic>.rows``, compacted), so that a delete or a corrected
key closes the right contribution whatever the source's replica identity. A row that turns bad keeps its last good
contribution: a bad record parks its own key, never the partition (invariant 3).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

import polars as pl

from sync.errors import Unreadable
from sync.kafka import Message
from sync.kafka.client import Topic, ensure_topics, topic_partitions
from sync.metrics import PROCESSOR_RECORDS
from sync.process import version
from sync.process.bridge import Again, Output
from sync.process.decision import ACCEPT, DECIDED, NO_RULING, REJECT, Book, Case, Decided, Decision, Ruling, facts
from sync.process.decoded import Decoded
from sync.process.emission import Emission
from sync.process.envelope import Envelope, Envelopes
from sync.process.ledger import Ledger, Origin, Outcome
from sync.process.origin import Sources, SourceTable
from sync.process.outbox import Outbox, Subjects
from sync.process.override import override
from sync.process.quality import Tally, qualities, unit
from sync.process.reader import FRAME
from sync.process.reason import UNAVAILABLE, finding_lists
from sync.process.refusal import CaseAt, Reason, Refusals
from sync.process.row import GONE, REJECTED, REVIEW, VALID, Kept, Row, decode, encode
from sync.rule import linkage
from sync.rule.cleaning import clean
from sync.rule.mapping import map_columns
from sync.rule.model import Cleaned, Reference
from sync.schema.dataset import Dataset, load
from sync.schema.registry import RegistryClient

log = logging.getLogger(__name__)

ROWS = ".rows"
_KINDS = {"c": "upsert", "u": "upsert", "r": "upsert", "d": "delete"}
"""What becomes of an envelope's ``op``."""

_COUNTED: dict[bytes, Outcome] = {VALID: "merged", REJECTED: "rejected", REVIEW: "review"}
"""How the ledger counts a row's last change; ``merged`` stands for whatever the reconcile step made of a valid one."""


@dataclass(frozen=True, slots=True)
class Table:
    """A source table with its dataset, loaded."""

    at: SourceTable
    dataset: Dataset


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
        decisions: Decided | None = None,
        get: Callable[[str, int, Sequence[bytes]], list[bytes | None]],
        today: Callable[[], date] = date.today,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._bootstrap = bootstrap
        self._subjects = subjects
        self._reference = reference
        self._sources = sources
        self._decisions = decisions or Book()
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
                self._decisions.follow(self._tables[name].dataset)
        return ready

    def state_topics(self, topic: str) -> Iterable[str]:
        """The row topic beside a source topic."""
        return (topic + ROWS,)

    def again(self, assigned: Collection[tuple[str, int]], *, anew: bool) -> Sequence[Again]:
        """The kept changes of the rows that were decided about."""
        fresh = self._decisions.fresh()
        found: dict[tuple[str, int, bytes], Again] = {}
        for decision in self._decisions.all() if anew else fresh:
            place = decision.topic, decision.partition
            if decision.case.stage != self.name or place not in assigned:
                continue
            state = self._get(decision.topic + ROWS, decision.partition, [decision.key])[0]
            row = decode(state) if state else None
            if row and row.kept and row.revision != self._decisions.of(decision.case).revision:
                found[*place, decision.key] = Again(*place, row.kept.offset, decision.key, row.kept.value)
        return list(found.values())

    def process(self, messages: Sequence[Message]) -> Output:
        """Validate a batch of change events of any topics."""
        output, outbox, ledger, tally = Output(), Outbox(), Ledger(self.name), Tally()
        topics: dict[str, list[Message]] = {}
        for message in messages:
            # Tombstones only tell compaction about the delete before them.
            if message.value() is not None:
                topics.setdefault(message.topic() or "", []).append(message)
        for topic, live in topics.items():
            Part(self, self._tables[topic], output, outbox, ledger, tally).work(live)
        ts_ms = int(self._now() * 1000)
        outbox.ledger(self._subjects.ledger(), ledger, ts_ms)
        for key, value in tally.records(ts_ms):
            outbox.add(self._subjects.findings(), key, value)
        outbox.flush(output)
        for (dataset, outcome), number in ledger.outcomes().items():
            PROCESSOR_RECORDS.labels(self.name, dataset, outcome).inc(max(number, 0))
        return output


class Part:
    """The work on one topic's messages of one batch: all partitions, since a pass over columns costs by the pass."""

    def __init__(
        self, step: Validator, table: Table, output: Output, outbox: Outbox, ledger: Ledger, tally: Tally
    ) -> None:
        self._step = step
        self._at = table.at
        self._dataset = table.dataset
        self._mapping = table.dataset.mapping(table.at.mapping)
        self._output = output
        self._outbox = outbox
        self._ledger = ledger
        self._tally = tally
        now = int(step._now() * 1_000_000)
        self._refusals = Refusals(table.at, table.dataset, step._subjects, outbox, now)
        self._emission = Emission(table.at, step._subjects.valid(table.dataset), step._subjects.partitions)

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
        self._emission.flush(self._output)
        for partition, states in held.items():
            known = before[partition]
            changed = [(key, state, partition) for key, state in states.items() if state != known[key] and key]
            self._output.keep(self._at.topic + ROWS, changed)

    def _load(self, messages: Sequence[Message]) -> dict[int, dict[bytes, bytes | None]]:
        """The states of the messages' rows by partition; counts what came in."""
        keys: dict[int, list[bytes]] = {}
        received: Counter[int] = Counter()
        for message in messages:
            partition = message.partition() or 0
            keys.setdefault(partition, []).append(message.key() or b"")
            received[partition] += not isinstance(message, Again)
        for partition, number in received.items():
            self._ledger.count(self._origin(partition), "received", number)
        found = {}
        for partition, wanted in keys.items():
            states = self._step._get(self._at.topic + ROWS, partition, wanted)
            found[partition] = dict(zip(wanted, states, strict=True))
        return found

    def _origin(self, partition: int) -> Origin:
        at = self._at
        return Origin(at.source, at.topic, partition, at.dataset)

    # -- decoding a run

    def _decode(self, messages: list[Message], rows: list[str | None]) -> Decoded:
        # The offset orders the versions of a row, as a row's changes share a partition. An LSN would not: a change that
        # was logged before the snapshot's position may commit after it.
        partitions = [message.partition() or 0 for message in messages]
        decoded = Decoded(["rejected"] * len(messages), rows, partitions, self._rulings(rows))
        decoded.versions = [
            version.of(message.offset() or 0, ruling.revision)
            for message, ruling in zip(messages, decoded.rulings, strict=True)
        ]
        decoded.changed = [0] * len(messages)
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
        mapped = map_columns(after.struct.unnest(), self._mapping, envelope.semantics)
        cleaned = self._clean(mapped)
        for number in numbers:
            if UNAVAILABLE in (messages[number].value() or b""):
                decoded.kinds[number] = "rejected"
                decoded.reasons[number] = [self._refusals.reason("UNAVAILABLE", None)]
        self._judge(numbers, cleaned, decoded)
        self._decide(numbers, mapped, decoded)
        self._count_findings(cleaned)

    def _count_findings(self, cleaned: Cleaned) -> None:
        """Counts by rule for the indicators: one record a rule and batch."""
        fixes = cleaned.fixes.group_by("rule").len().with_columns(kind=pl.lit("FIX"))
        found = cleaned.violations.group_by("rule", "severity").len().rename({"severity": "kind"})
        at, ts_ms, labels = self._at, int(self._step._now() * 1000), self._dataset.rules.labels
        for frame in (fixes, found):
            for rule, kind, count in frame.select("rule", "kind", "len").iter_rows():
                self._outbox.add(
                    self._step._subjects.quality(),
                    {"dataset": at.dataset, "source": at.source},
                    {
                        "ts_ms": ts_ms,
                        "dataset": at.dataset,
                        "source": at.source,
                        "rule": labels.get(rule, rule),
                        "kind": kind,
                        "count": count,
                    },
                )

    def _clean(self, mapped: pl.DataFrame) -> Cleaned:
        return clean(
            mapped,
            self._dataset.fields,
            self._dataset.rules,
            self._step._reference,
            self._step._today(),
            date_format=self._mapping.date_format,
            units=self._mapping.units,
        )

    def _decide(self, numbers: list[int], mapped: pl.DataFrame, decoded: Decoded) -> None:
        """Carry out what data stewards decided about rows under review, where it was decided on the same facts."""
        changed: list[tuple[int, int, Decision]] = []
        for place, number in enumerate(numbers):
            if decoded.kinds[number] != "review":
                continue
            decoded.facts[number] = self._facts(mapped, place, decoded.reasons[number])
            decision = decoded.rulings[number].decision
            if decision is None or decision.facts != decoded.facts[number]:
                continue
            decoded.decided.add(number)
            if decision.action == REJECT:
                decoded.kinds[number] = "rejected"
                decoded.reasons[number].insert(0, self._refusals.reason(DECIDED, None))
            else:
                changed.append((place, number, decision))
        if not changed:
            return
        for _, number, _ in changed:
            decoded.kinds[number] = "upsert"
            del decoded.reasons[number]
        decisions = [decision for _, _, decision in changed]
        decided = override(mapped[[place for place, _, _ in changed]], decisions)
        cleaned = self._clean(decided.frame)
        keyed = cleaned.frame.select(pl.all_horizontal(pl.col(self._dataset.key).is_not_null())).to_series()
        waived = [place for place, decision in enumerate(decisions) if decision.action == ACCEPT and keyed[place]]
        open_still = (pl.col("severity") != "REVIEW") | ~pl.col("row").is_in(waived)
        cleaned = replace(
            cleaned,
            fixes=pl.concat([cleaned.fixes, decided.fixes], how="diagonal_relaxed"),
            violations=cleaned.violations.filter(open_still),
        )
        self._judge([number for _, number, _ in changed], cleaned, decoded)

    def _rulings(self, rows: Sequence[str | None]) -> list[Ruling]:
        """What was decided about each row."""
        decisions, at, stage = self._step._decisions, self._at, self._step.name
        if decisions.empty():
            return [NO_RULING] * len(rows)
        return [decisions.of(Case(at.dataset, stage, at.source, row or "")) for row in rows]

    def _facts(self, mapped: pl.DataFrame, place: int, reasons: Sequence[Reason]) -> str:
        """What a decision about a row is bound to: whose row it is, and the values of what was found."""
        policy = self._dataset.policy
        names = {*self._dataset.key, *(reason["field"] for reason in reasons)}
        if policy.match is not None:
            names |= {policy.match.name, policy.match.birth_date, policy.match.sex}
        return facts({name: mapped[name][place] for name in mapped.columns if name in names})

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
        self._describe(numbers, cleaned.frame, decoded)
        passed = [row for row, number in enumerate(numbers) if decoded.kinds[number] == "upsert"]
        size, start, rules = len(numbers), len(decoded.qualities), self._dataset.rules
        fixes = finding_lists(cleaned.fixes, size, rules)
        warnings = finding_lists(violations.filter(pl.col("severity") == "WARN"), size, rules)
        proposals = finding_lists(cleaned.proposals, size, rules)
        decoded.fixes += fixes.to_list()
        decoded.warnings += warnings.to_list()
        decoded.proposals += proposals.to_list()
        units = cleaned.frame.select(unit(self._dataset.policy, pl.lit(self._at.locality, dtype=pl.String)))
        decoded.qualities += qualities(units.to_series(), (cleaned.fixes, violations), size, rules.labels)
        decoded.entities += [b""] * size
        decoded.values += [b""] * size
        decoded.index.update((number, start + row) for row, number in enumerate(numbers))
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
        entities = self._emission.key.encode(whole.select(self._dataset.key))
        values = self._emission.encode(whole)
        for row, entity, value in zip(passed, entities, values, strict=True):
            decoded.entities[start + row], decoded.values[start + row] = entity, value

    def _describe(self, numbers: list[int], frame: pl.DataFrame, decoded: Decoded) -> None:
        """What candidates of the register are looked for by, of the rows under review that have no usable key."""
        if self._dataset.policy.register is None:
            return
        waiting = [row for row, number in enumerate(numbers) if decoded.kinds[number] == "review"]
        if not waiting:
            return
        rows = frame[waiting]
        lacking = rows.select(pl.any_horizontal(pl.col(self._dataset.key).is_null())).to_series()
        for row, lacks, record in zip(waiting, lacking, linkage.described(rows), strict=True):
            if lacks:
                decoded.records[numbers[row]] = record

    # -- one change at a time

    def _settle(self, message: Message, number: int, decoded: Decoded, states: dict[bytes, bytes | None]) -> None:
        """Decide one change: what is emitted, what is counted, what the row's state becomes."""
        key = message.key() or b""
        state = states.get(key)
        row = decode(state) if state else None
        if isinstance(message, Again) and not self._takes_back(message, row, decoded.rulings[number].revision):
            return
        after = self._end(message, number, decoded, row)
        if key:
            states[key] = None if after is None else encode(after)
        old, new = row.quality if row else b"", after.quality if after else b""
        self._tally.replace(self._at.dataset, self._at.source, old, new)

    def _takes_back(self, message: Message, row: Row | None, revision: int) -> bool:
        """Whether a kept change is to be looked at once more; then it is counted anew, not twice."""
        if row is None or row.kept is None or row.kept.offset != message.offset() or row.revision == revision:
            return False
        self._ledger.count(self._origin(message.partition() or 0), _COUNTED[row.status], -1)
        return True

    def _end(self, message: Message, number: int, decoded: Decoded, before: Row | None) -> Row | None:
        """Carry out one change; returns the row's state after it, None where nothing is left to know."""
        again = isinstance(message, Again)
        status, entity, closed = (before.status, before.entity, before.closed) if before else (VALID, b"", False)
        kind = decoded.kinds[number]
        row = decoded.rows[number] or f"{message.partition()}/{message.offset()}"
        if not entity:
            self._withdraw(row, status, kind)
        if status == REVIEW and not again:
            self._ledger.move(self._origin(decoded.partitions[number]), "review", "merged")
        quality, revision = decoded.quality(number), decoded.rulings[number].revision
        kept = None
        if kind == "review" or number in decoded.decided:
            kept = Kept(message.offset() or 0, message.value() or b"")
        if kind == "upsert":
            place = decoded.index[number]
            new = decoded.entities[place]
            if entity and entity != new:
                self._emission.close("x", entity, number, decoded, new)
            self._emission.add(new, decoded.values[place])
            return Row(VALID, new, quality, revision, kept)
        origin = self._origin(decoded.partitions[number])
        if again and status == VALID and entity and not closed:
            # What a decision let in goes out with it.
            self._emission.close("r", entity, number, decoded)
            closed = True
        if kind == "delete":
            return self._delete(status, entity, closed, number, decoded)
        if kind == "review":
            self._ledger.count(origin, "review")
            bound, record = decoded.facts.get(number, ""), decoded.records.get(number)
            at = CaseAt(message.partition() or 0, message.key() or b"", bound, record)
            told = self._refusals.review(row, decoded.reasons[number], decoded.found(number), at)
        else:
            self._ledger.count(origin, "rejected")
            keyed = decoded.rows[number] is not None
            told = self._refusals.reject(message, row, decoded.reasons[number], decoded.found(number), keyed=keyed)
            if not keyed:
                self._refusals.tell(told)
                return before
        if entity:
            self._emission.refuse(entity, number, decoded, told.text())
        else:
            self._refusals.tell(told)
        return Row(REVIEW if kind == "review" else REJECTED, entity, quality, revision, kept, closed)

    def _withdraw(self, row: str, status: bytes, kind: str) -> None:
        """Take back what was told from here of a row that never contributed to an entity."""
        if status in (REJECTED, REVIEW) and kind in ("upsert", "delete"):
            self._refusals.withdraw_verdict(row)
        if status == REVIEW and kind != "review":
            self._refusals.close_review(row)

    def _delete(self, status: bytes, entity: bytes, closed: bool, number: int, decoded: Decoded) -> Row | None:
        """Carry out a delete."""
        if entity and not closed:
            self._emission.close("d", entity, number, decoded)
        else:
            self._ledger.count(self._origin(decoded.partitions[number]), "merged")
            if entity and status in (REJECTED, REVIEW):
                self._emission.refuse(entity, number, decoded, None)
        return Row(GONE, entity, closed=True) if entity else None


def _frame(message: Message) -> bytes:
    """The bytes before the datum: a zero byte and the schema id, if the record is in wire format."""
    return (message.value() or b"")[:FRAME]
