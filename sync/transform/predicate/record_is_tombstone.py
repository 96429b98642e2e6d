"""``RecordIsTombstone``: the record has no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Records


class RecordIsTombstone:
    """A ``record.Predicate``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del values, side

    def matches(self, records: Records) -> Sequence[bool]:
        """See ``record.Predicate``."""
        return [records.value.schema is None] * len(records)


KIND = Kind(f"{CONNECT}.predicates.RecordIsTombstone", "The record has no value.", RecordIsTombstone)
