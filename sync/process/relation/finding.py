"""What was found in a golden record by rules across datasets: told to its owner, counted, and taken back.

What stands is in ``<dataset>.relations``, by the record's key: the difference to it is what is told. Verdicts and cases
have keys of their own (source ``dongbo.relations``, row: the record's key), so each key has one writer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sync.process.bridge import Output
from sync.process.decision import ACCEPT, RELATION, Case, Decided, facts
from sync.process.entity import texts
from sync.process.notice import SEPARATOR
from sync.process.outbox import Outbox, Subjects, encode, partition_of, tell
from sync.process.quality import Tally
from sync.process.reader import Reader
from sync.process.relation.index import LOCALITY, UNIT
from sync.process.relation.layout import Kept
from sync.rule.model import RuleSpec
from sync.schema.avro import decode_one, split

SOURCE = "dongbo.relations"
"""What stands for a source in the key of a verdict or a case; its row is the golden record's key."""

Record = dict[str, Any]


class Found(NamedTuple):
    """What stands of a record. ``rules``: label, blamed field and the source that gave it, of each broken rule.

    ``facts``: of the case that is open; None where there is none.
    """

    locality: str | None
    unit: str
    rules: tuple[tuple[str, str, str], ...]
    facts: str | None = None


Told = tuple[bytes, Found | None, Mapping[str, Any], list[RuleSpec]]
"""A record's id, what stands of it, its columns (``index.columns_of``) and the rules that it breaks."""


class Findings:
    """Says what changed of one batch's findings."""

    def __init__(
        self,
        subjects: Subjects,
        reader: Reader,
        decisions: Decided,
        output: Output,
        outbox: Outbox,
        tally: Tally,
        at: int,
    ) -> None:
        """``at``: the time of what is said, microseconds since 1970."""
        self._subjects = subjects
        self._reader = reader
        self._decisions = decisions
        self._output = output
        self._outbox = outbox
        self._tally = tally
        self._at = at

    def known(self, value: bytes | None) -> Found | None:
        """What stands of a record, from the value of its finding."""
        if value is None:
            return None
        schema_id, datum = split(value)
        record = decode_one(self._reader.schema(schema_id), datum)
        rules = tuple((one["rule"], one["field"], one["source"]) for one in json.loads(record["found"]))
        return Found(record["locality"], record["unit"], rules, record["facts"])

    def say(self, kept: Kept, told: Sequence[Told]) -> int:
        """Bring what stands up to date; returns for how many records it changed."""
        kept_records: list[tuple[bytes, Record | None]] = []
        for one, before, row, broken in told:
            entity = SEPARATOR.join(texts(one))
            rules, case = self._open(kept, entity, row, broken)
            now = _found(kept, row, rules, case) if rules else None
            if now == before:
                continue
            self._count(kept, before, -1)
            self._count(kept, now, 1)
            self._verdict(kept, entity, row, rules, before, now)
            self._review(kept, entity, row, rules, before, now)
            kept_records.append((one, None if now is None else self._record(now)))
        self._keep(kept, kept_records)
        return len(kept_records)

    def _open(
        self, kept: Kept, entity: str, row: Mapping[str, Any], broken: list[RuleSpec]
    ) -> tuple[list[RuleSpec], str | None]:
        """The rules that are told, and the facts of the case: those that a data steward accepted are settled."""
        asking = [rule.id for rule in broken if rule.severity == "REVIEW"]
        if not asking:
            return broken, None
        labels = kept.dataset.rules.labels
        asked = [row[f"_asked{number}"] for number in range(len(kept.relations))]
        bound = facts({"rules": [labels[rule] for rule in asking], "asked": asked})
        decision = self._decisions.of(Case(kept.dataset.id, RELATION, SOURCE, entity)).decision
        if decision is not None and decision.facts == bound and decision.action == ACCEPT:
            return [rule for rule in broken if rule.severity != "REVIEW"], None
        return broken, bound

    def _count(self, kept: Kept, found: Found | None, number: int) -> None:
        for label, _, source in found.rules if found else ():
            self._tally.move(kept.dataset.id, source, found.unit if found else "", label, number)

    def _about(self, kept: Kept, entity: str, row: Mapping[str, Any], rules: Sequence[RuleSpec]) -> Record:
        """What verdict and case tell alike."""
        first = rules[0]
        place = kept.blamed.index(first.fields[0])
        return {
            "dataset": kept.dataset.id,
            "source": SOURCE,
            "row": entity,
            "topic": f"{row[f'_source{place}']}.{row[f'_table{place}']}",
            "entity": entity,
            "locality": row[LOCALITY],
            "code": first.id,
            "rule": kept.dataset.rules.labels[first.id],
            "message_vi": " ".join(rule.message_vi for rule in rules),
            "message_en": " ".join(rule.message_en for rule in rules),
        }

    def _verdict(
        self,
        kept: Kept,
        entity: str,
        row: Mapping[str, Any],
        rules: list[RuleSpec],
        before: Found | None,
        now: Found | None,
    ) -> None:
        key = {"source": SOURCE, "row": entity}
        if now is None:
            return tell(self._outbox, self._subjects, kept.dataset, before and before.locality, key, None)
        if before is not None and before.locality is not None and before.locality != now.locality:
            # Its former owner is told nothing more about it.
            self._outbox.add(self._subjects.verdict(kept.dataset, before.locality), key, None)
        warnings = [{"field": field, "rule": label} for label, field, _ in now.rules]
        verdict = {
            **self._about(kept, entity, row, rules),
            "outcome": "MATCH" if now.facts is None else "REVIEW",
            "warnings": json.dumps(warnings),
            "decided_at": self._at,
        }
        return tell(self._outbox, self._subjects, kept.dataset, now.locality, key, verdict)

    def _review(
        self,
        kept: Kept,
        entity: str,
        row: Mapping[str, Any],
        rules: list[RuleSpec],
        before: Found | None,
        now: Found | None,
    ) -> None:
        key, subject = {"source": SOURCE, "row": entity}, self._subjects.review(kept.dataset)
        if now is None or now.facts is None:
            if before is not None and before.facts is not None:
                self._outbox.add(subject, key, None)
            return
        if before is not None and before.facts == now.facts and before.locality == now.locality:
            return
        asking = [rule for rule in rules if rule.severity == "REVIEW"]
        labels = kept.dataset.rules.labels
        reasons = [
            {
                "rule": labels[rule.id],
                "field": rule.fields[0],
                "message_vi": rule.message_vi,
                "message_en": rule.message_en,
            }
            for rule in asking
        ]
        case = {"stage": RELATION, "facts": now.facts, "opened_at": self._at, "status": "open"}
        told = json.dumps(reasons, ensure_ascii=False)
        self._outbox.add(subject, key, {**self._about(kept, entity, row, asking), "reasons": told, **case})

    def _record(self, found: Found) -> Record:
        rules = [{"rule": rule, "field": field, "source": source} for rule, field, source in found.rules]
        told = json.dumps(rules, ensure_ascii=False)
        return {**found._asdict(), "found": told, "found_at": self._at}

    def _keep(self, kept: Kept, records: Sequence[tuple[bytes, Record | None]]) -> None:
        """The findings' own topic: the state to start from."""
        if not records:
            return
        subject = self._subjects.relations(kept.dataset)
        fields = subject.value.dtypes
        told = [{name: record[name] for name in fields} for _, record in records if record is not None]
        values = iter(encode(subject.value, told, subject.value_header))
        partitions = self._subjects.partitions
        self._output.keep(
            subject.topic,
            [
                (subject.key_header + one, None if record is None else next(values), partition_of(one, partitions))
                for one, record in records
            ],
        )


def _found(kept: Kept, row: Mapping[str, Any], rules: Sequence[RuleSpec], case: str | None) -> Found:
    labels = kept.dataset.rules.labels
    places = [kept.blamed.index(rule.fields[0]) for rule in rules]
    told = tuple(
        (labels[rule.id], rule.fields[0], row[f"_source{place}"] or "")
        for rule, place in zip(rules, places, strict=True)
    )
    return Found(row[LOCALITY], row[UNIT] or "", told, case)
