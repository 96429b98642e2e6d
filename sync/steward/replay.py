"""History through changed rules: what would become of each row as it is now, and rows sent again that are judged anew.

Behind ``dongbo replay``. A row is sent again by writing its original change once more behind the source topic's end,
together with the ledger's count of one more captured change, in one transaction: it then takes the same path as any
other change, and the ledger stays balanced (invariant 1). Only a row whose newest change the installed rules judge
otherwise than was told (``sync.steward.former``) is sent; so to replay twice sends nothing twice, and a change that
came meanwhile wins: where one stands before what was sent, the transaction is given up and history read anew.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from sync.errors import Refused, Unavailable
from sync.kafka.client import topic_names
from sync.kafka.history import Record, appended, history
from sync.kafka.transaction import Transactions
from sync.process.envelope import Envelopes
from sync.process.origin import SourceTable
from sync.process.trial import Judged, Trial
from sync.rule.model import Reference
from sync.schema.dataset import Dataset
from sync.schema.registry import RegistryClient
from sync.source.ledger import Ledger
from sync.steward.former import Former

HEADER = "dongbo.replay"
"""Header of a change that was sent again: the run that sent it and the offset of the original."""

ATTEMPTS = 5
BATCH = 2000
TIMEOUT_MS = 60_000

Change = tuple[str, str]
"""A rule with its version, and what it changes: ``newly rejected`` and the like."""


@dataclass(slots=True)
class Report:
    """What changed rules change. ``rows``: how many were looked at; ``changes``: those that differ (masked), by rule.

    ``due``: how many a replay would send again; ``sent``: how many it sent.
    """

    rows: int = 0
    changes: dict[Change, list[str]] = field(default_factory=lambda: defaultdict(list))
    due: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its newest change left it: what was decided about it, and what the installed rules make of it."""

    change: Record
    before: Judged
    now: Judged


class Replay:
    """Replays one dataset's history. ``tables``: the source tables mapped to it."""

    def __init__(
        self,
        bootstrap: str,
        registry: RegistryClient,
        dataset: Dataset,
        tables: Iterable[SourceTable],
        reference: Reference,
        today: date,
        *,
        transactions: Callable[..., Transactions] = Transactions,
    ) -> None:
        self._bootstrap = bootstrap
        self._registry = registry
        self._dataset = dataset
        self._tables = [table for table in tables if table.dataset == dataset.id]
        self._trial = Trial(Envelopes(registry), reference, today)
        self._transactions = transactions

    def compare(self, candidate: Dataset, *, since_ms: int | None = None) -> Report:
        """What ``candidate``'s rules would make of each row, beside the installed rules. Writes nothing."""
        report = Report()
        for at in self._there():
            changes, _ = self._newest(at, since_ms)
            before = self._trial.judge(changes, at, self._dataset)
            after = self._trial.judge(changes, at, candidate)
            for old, new in zip(before, after, strict=True):
                _compare(at, old, new, report)
        return report

    def pending(self, *, since_ms: int | None = None) -> Report:
        """What the installed rules would make of each row, beside what was decided. Writes nothing."""
        report = Report()
        for at in self._there():
            for row in self._rows(at, since_ms)[0]:
                report.due += _differ(row.before, row.now)
                _compare(at, row.before, row.now, report, told=True)
        return report

    def send(self, *, since_ms: int | None = None) -> Report:
        """Send the rows that are judged otherwise now; Unavailable where changes keep coming between."""
        report = Report()
        run = uuid.uuid4().hex
        writer = self._transactions(self._bootstrap, f"dongbo-replay-{self._dataset.id}", timeout_ms=TIMEOUT_MS)
        writer.open()
        try:
            for at in self._there():
                for _ in range(ATTEMPTS):
                    if self._send_table(at, since_ms, run, writer, report):
                        break
                else:
                    raise Unavailable(f"{at.topic}: rows to be sent again kept changing.", hint="run the replay again")
        finally:
            writer.close()
        return report

    def _send_table(
        self, at: SourceTable, since_ms: int | None, run: str, writer: Transactions, report: Report
    ) -> bool:
        """Send a table's rows, a transaction each batch; False where a row changed meanwhile."""
        rows, ends = self._rows(at, since_ms)
        chosen = [row for row in rows if _differ(row.before, row.now)]
        ledger = Ledger(at.source, {at.topic: at.dataset}, self._registry.register)
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            changes = [row.change for row in part]
            writer.begin()
            writer.produce(at.topic, [_again(change, run) for change in changes])
            writer.produce(ledger.topic, ledger.entries({at.topic: len(part)}, {}, int(time.time() * 1000)))
            writer.flush()
            if self._overtaken(at.topic, ends, changes, run):
                writer.abort()
                return False
            writer.finish()
            report.sent += len(part)
            for row in part:
                _compare(at, row.before, row.now, report, told=True)
        return True

    def _overtaken(self, name: str, ends: dict[int, int], changes: Sequence[Record], run: str) -> bool:
        """Whether another change of one of these rows was written since history was read."""
        keys = {(change.partition, change.key) for change in changes}
        return any(
            (record.partition, record.key) in keys and not record.headers.get(HEADER, b"").startswith(run.encode())
            for record in appended(self._bootstrap, name, ends)
        )

    def _there(self) -> list[SourceTable]:
        known = set(topic_names(self._bootstrap))
        if not self._tables:
            raise Refused(
                f"No source has a table of {self._dataset.id}.",
                hint="register a source with dongbo.mappings, or name another dataset",
            )
        return [table for table in self._tables if table.topic in known]

    def _newest(self, at: SourceTable, since_ms: int | None) -> tuple[list[Record], dict[int, int]]:
        """Each row's newest change, those that were deleted left out; and by partition where reading ended."""
        records, ends = history(self._bootstrap, at.topic, since_ms=since_ms)
        newest = {(record.partition, record.key): record for record in records if record.key is not None}
        return [record for record in newest.values() if record.value is not None], ends

    def _rows(self, at: SourceTable, since_ms: int | None) -> tuple[list[Row], dict[int, int]]:
        """The rows of which it is known what was decided, by rules that do not look at what else came with them."""
        changes, ends = self._newest(at, since_ms)
        former = Former(self._bootstrap, self._registry, at)
        # What is judged beside the values that came with it would be judged otherwise beside those of all history.
        beside = frozenset(spec.rule for spec in self._dataset.rules.clean if spec.step == "first_of_january")
        by_column = self._dataset.mapping(at.mapping).date_format == "column"
        found = []
        for change, now in zip(changes, self._trial.judge(changes, at, self._dataset), strict=True):
            before = former.of(change, now.row)
            if before is None or (by_column and before.outcome != "rejected"):
                continue
            old, new = (Judged(one.row, one.outcome, _without(one, beside)) for one in (before, now))
            found.append(Row(change, old, new))
        return found, ends


def _without(judged: Judged, rules: frozenset[str]) -> set[tuple[str, str, str]]:
    return {one for one in judged.found if one[0].partition("@")[0] not in rules}


def _differ(old: Judged, new: Judged) -> bool:
    """Whether a row is to be told otherwise: taken, refused, held, repaired or warned about by other rules."""
    if new.outcome in ("deleted", "unreadable"):
        return False
    if old.outcome != new.outcome:
        return True
    kinds = ("FIX", "WARN") if old.outcome == "accepted" else ("ERROR", "REVIEW")
    return _of(old, kinds) != _of(new, kinds)


def _of(judged: Judged, kinds: Iterable[str]) -> set[str]:
    return {rule for rule, _, kind in judged.found if kind in kinds}


def _again(change: Record, run: str) -> tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]:
    mark = f"{run} {change.offset}".encode()
    return change.key, change.value, change.partition, [*{**change.headers, HEADER: mark}.items()]


def _compare(at: SourceTable, old: Judged, new: Judged, report: Report, *, told: bool = False) -> None:
    """Add what differs to the report, by the rule that makes the difference.

    ``told``: ``old`` is what topics tell: of a row that was not taken, why, and nothing else.
    """
    if new.outcome in ("deleted", "unreadable"):
        return
    report.rows += 1
    row = f"{at.source}.{masked(new.row or '')}"
    if old.outcome != new.outcome:
        if new.outcome == "accepted":
            causes = old.rules("ERROR") or old.rules("REVIEW")
        else:
            severity = "ERROR" if new.outcome == "rejected" else "REVIEW"
            causes = new.rules(severity) or old.rules("ERROR")
        for rule in sorted(causes):
            report.changes[rule, f"newly {new.outcome}"].append(row)
    elif new.outcome != "accepted":
        # Refused or held as before; by the same rules?
        was, now = (_of(one, ("ERROR", "REVIEW")) for one in (old, new))
        for rules, words in ((now - was, f"{new.outcome} for this too"), (was - now, f"{new.outcome} for others")):
            for rule in sorted(rules):
                report.changes[rule, words].append(row)
    if told and old.outcome != "accepted":
        return
    for kind, words in (("FIX", "fixed"), ("WARN", "warned")):
        for rule in sorted(new.rules(kind) - old.rules(kind)):
            report.changes[rule, f"newly {words}"].append(row)
        for rule in sorted(old.rules(kind) - new.rules(kind)):
            report.changes[rule, f"no longer {words}"].append(row)


def masked(row: str) -> str:
    """A row's name in which a key of more than six characters shows its ends only: it may be a personal number."""
    table, _, key = row.partition("/")
    parts = [part if len(part) <= 6 else f"{part[:3]}{'*' * (len(part) - 6)}{part[-3:]}" for part in key.split("|")]
    return f"{table}/{'|'.join(parts)}"
