"""What the owner of a row is told when it can't be taken: rejected with its bytes, or in review until a person decides.

Used by the validate step, for the few changes that break a rule. No reason holds a record's value. Who tells it depends
on whether the row ever contributed to an entity: ``sync.process.told``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sync.kafka import Message
from sync.process.origin import SourceTable
from sync.process.outbox import Outbox, Subjects, tell
from sync.process.reason import messages_of
from sync.process.told import Told
from sync.schema.dataset import Dataset

Reason = dict[str, str | None]


class Found(NamedTuple):
    """A row's findings as JSON lists (``sync.process.reason.finding_lists``); null where there are none."""

    fixes: str | None = None
    warnings: str | None = None
    proposals: str | None = None


class CaseAt(NamedTuple):
    """What binds a decision to a case: where its change arrived, and the facts (``sync.process.decision``).

    ``record``: what candidates are looked for by, as JSON; None where the row's number is usable.
    """

    partition: int
    key: bytes
    facts: str
    record: str | None = None


class Refusals:
    """Puts verdicts, reviews and rejected records of one source table into a batch's outbox."""

    def __init__(self, at: SourceTable, dataset: Dataset, subjects: Subjects, outbox: Outbox, now: int) -> None:
        """``now``: the time of what is said, microseconds since 1970."""
        self._at = at
        self._dataset = dataset
        self._subjects = subjects
        self._outbox = outbox
        self._now = now

    def reason(self, rule: str, field: str | None) -> Reason:
        """A reason in the owner's words, Vietnamese and English."""
        vi, en = messages_of(self._dataset.rules, rule)
        return {"rule": self._dataset.rules.labels.get(rule, rule), "field": field, "message_vi": vi, "message_en": en}

    def withdraw_verdict(self, row: str) -> None:
        """What was said about the row stands no more."""
        tell(self._outbox, self._subjects, self._dataset, self._at.locality, self._key(row), None)

    def close_review(self, row: str) -> None:
        """Nobody needs to decide about the row any more."""
        self._outbox.add(self._subjects.review(self._dataset), self._key(row), None)

    def tell(self, told: Told) -> None:
        """Tell a refusal from here."""
        told.give(self._outbox, self._subjects, self._dataset)

    def review(self, row: str, reasons: Sequence[Reason], found: Found, at: CaseAt) -> Told:
        """What is told of a change that waits for a data steward."""
        case = {
            **self._about(row, reasons),
            "proposals": found.proposals,
            "reasons": json.dumps(reasons, ensure_ascii=False),
            "opened_at": self._now,
            "status": "open",
            "stage": "validate",
            **at._asdict(),
        }
        return Told(self._verdict(row, "REVIEW", reasons, found), case)

    def reject(self, message: Message, row: str, reasons: Sequence[Reason], found: Found, *, keyed: bool) -> Told:
        """Keep a change with its reasons and original bytes; returns what is told. ``keyed``: its key was readable."""
        at = self._at
        self._outbox.add(
            self._subjects.rejected(self._dataset),
            {"topic": at.topic, "row": row},
            {
                "source": at.source,
                "topic": at.topic,
                "partition": message.partition(),
                "offset": message.offset(),
                "row": row if keyed else None,
                "dataset": at.dataset,
                "rejected_at": self._now,
                "reasons": json.dumps(reasons, ensure_ascii=False),
                "key": message.key(),
                "value": message.value(),
            },
        )
        return Told(self._verdict(row, "REJECTED", reasons, found))

    def _verdict(self, row: str, outcome: str, reasons: Sequence[Reason], found: Found) -> dict[str, Any]:
        said = {"outcome": outcome, **found._asdict(), "decided_at": self._now}
        return {**self._about(row, reasons), **said, "reasons": json.dumps(reasons, ensure_ascii=False)}

    def _key(self, row: str) -> dict[str, str]:
        return {"source": self._at.source, "row": row}

    def _about(self, row: str, reasons: Sequence[Reason]) -> dict[str, Any]:
        at, first = self._at, reasons[0]
        return {
            "dataset": at.dataset,
            **self._key(row),
            "topic": at.topic,
            "locality": at.locality,
            "code": (first["rule"] or "").partition("@")[0],
            "rule": first["rule"],
            "message_vi": first["message_vi"],
            "message_en": first["message_en"],
        }
