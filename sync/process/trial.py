"""What rules would make of changes, without a trace: the validate step's mapping, cleaning and checks alone.

Called by ``dongbo replay``, which compares rules over history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Literal

import polars as pl

from sync.errors import Unreadable
from sync.kafka.history import Record
from sync.process.envelope import Envelopes
from sync.process.origin import SourceTable
from sync.process.reader import FRAME
from sync.process.reason import UNAVAILABLE
from sync.rule.cleaning import clean
from sync.rule.mapping import map_columns
from sync.rule.model import Cleaned, Reference
from sync.schema.dataset import Dataset

Outcome = Literal["accepted", "rejected", "review", "deleted", "unreadable"]


@dataclass(slots=True)
class Judged:
    """What becomes of one change: ``found`` are (rule with version, field, FIX or severity)."""

    row: str | None
    outcome: Outcome = "unreadable"
    found: set[tuple[str, str, str]] = field(default_factory=set)

    def rules(self, kind: str) -> set[str]:
        """The rules found with this kind."""
        return {rule for rule, _, found in self.found if found == kind}


class Trial:
    """Judges changes by any dataset's rules."""

    def __init__(self, envelopes: Envelopes, reference: Reference, today: date) -> None:
        self._envelopes = envelopes
        self._reference = reference
        self._today = today

    def judge(self, changes: Sequence[Record], at: SourceTable, dataset: Dataset) -> list[Judged]:
        """What becomes of each change of one source table."""
        judged = [Judged(row) for row in self._envelopes.row_keys(_Keyed.of(changes), at.table)]
        numbered = sorted(enumerate(changes), key=lambda item: (item[1].value or b"")[:FRAME])
        for _, run in groupby(numbered, key=lambda item: (item[1].value or b"")[:FRAME]):
            self._run(list(run), judged, at, dataset)
        return judged

    def _run(self, run: list[tuple[int, Record]], judged: list[Judged], at: SourceTable, dataset: Dataset) -> None:
        """Judge changes of one schema."""
        try:
            envelope = self._envelopes.of(run[0][1].value)
        except Unreadable:
            return
        good, frame, _ = envelope.columns.decode_each([(change.value or b"")[FRAME:] for _, change in run])
        upserts: list[tuple[int, Judged]] = []
        for place, (number, op) in enumerate(zip(good, frame["op"].to_list(), strict=True)):
            one = judged[run[number][0]]
            if op == "d":
                one.outcome = "deleted"
            elif one.row is not None and op in ("c", "u", "r"):
                upserts.append((place, one))
        if not upserts:
            return
        after = frame["after"].gather([place for place, _ in upserts])
        mapping = dataset.mapping(at.mapping)
        mapped = map_columns(after.struct.unnest(), mapping, envelope.semantics)
        cleaned = clean(
            mapped,
            dataset.fields,
            dataset.rules,
            self._reference,
            self._today,
            date_format=mapping.date_format,
            units=mapping.units,
        )
        _tell(cleaned, [one for _, one in upserts], dataset)
        for place, one in upserts:
            if UNAVAILABLE in (run[good[place]][1].value or b""):
                one.outcome = "rejected"
                one.found.add(("UNAVAILABLE", "", "ERROR"))


def _tell(cleaned: Cleaned, rows: Sequence[Judged], dataset: Dataset) -> None:
    labels = dataset.rules.labels
    for one in rows:
        one.outcome = "accepted"
    fixes = cleaned.fixes.with_columns(severity=pl.lit("FIX"))
    for found in (fixes, cleaned.violations):
        for row, rule, name, severity in found.select("row", "rule", "field", "severity").iter_rows():
            one = rows[row]
            one.found.add((labels.get(rule, rule), name, severity))
            if severity == "ERROR":
                one.outcome = "rejected"
            elif severity == "REVIEW" and one.outcome == "accepted":
                one.outcome = "review"


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A record as far as ``Envelopes.row_keys`` looks at it."""

    record: Record

    def key(self) -> bytes | None:
        return self.record.key

    @staticmethod
    def of(records: Iterable[Record]) -> list[_Keyed]:
        return [_Keyed(record) for record in records]
