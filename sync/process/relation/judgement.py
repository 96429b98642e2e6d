"""Rules across datasets judged for records of the index: in columns, with the counts of what each record asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import polars as pl

from sync.process.relation.index import Index, numbers_of, unpacked
from sync.process.relation.layout import Kept, Layout
from sync.rule.batch import Terms
from sync.rule.condition import judge
from sync.rule.model import Field, Reference, RuleSpec
from sync.schema.derived import topic


class Judgement:
    """Judges records of the datasets of a layout."""

    def __init__(self, layout: Layout, index: Index, reference: Reference) -> None:
        self._layout = layout
        self._index = index
        self._reference = reference

    def judge(
        self, kept: Kept, entries: Sequence[bytes], today: date, active: Collection[RuleSpec]
    ) -> tuple[pl.DataFrame, dict[int, list[RuleSpec]]]:
        """The entries as columns, and by row the rules of ``active`` that it breaks, in the order of rules.yaml."""
        frame = unpacked(kept, entries)
        counts = {
            relation.column: self._counts(frame[f"_asked{number}"], self._layout.numbers[relation.target])
            for number, relation in enumerate(kept.relations)
        }
        found: dict[int, list[RuleSpec]] = {}
        rules = [rule for rule in kept.rules if rule in active]
        terms = Terms(self._fields(kept), kept.dataset.rules, self._reference, today)
        judged = judge(terms, rules, frame.with_columns(**counts))
        for rule, bad in zip(rules, judged, strict=True):
            for row in bad.arg_true():
                found.setdefault(row, []).append(rule)
        return frame, found

    def _counts(self, asked: pl.Series, number: int) -> pl.Series:
        """How many golden records there are with the value that each row asks for."""
        target = next(target for target, other in self._layout.numbers.items() if other == number)
        texts = [None if text is None else text.encode() for text in asked.to_list()]
        known = numbers_of(
            self._index, topic(target.dataset, "golden"), number, (text for text in texts if text is not None)
        )
        return pl.Series([0 if text is None else known[text] for text in texts], dtype=pl.Int64)

    def _fields(self, kept: Kept) -> Mapping[str, Field]:
        return {field.name: field for field in kept.dataset.fields}
