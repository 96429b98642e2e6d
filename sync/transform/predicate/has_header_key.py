"""``HasHeaderKey``: the record has a header of that name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import not_empty
from sync.transform.record import Records


class HasHeaderKey:
    """A ``record.Predicate``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._name = values["name"]

    def matches(self, records: Records) -> Sequence[bool]:
        """See ``record.Predicate``."""
        if records.headers is None:
            return [False] * len(records)
        return [any(name == self._name for name, _ in headers) for headers in records.headers]


KIND = Kind(
    f"{CONNECT}.predicates.HasHeaderKey",
    "The record has a header of that name.",
    HasHeaderKey,
    ConfigDef((Key("name", Type.STRING, "The header's name.", validator=not_empty),)),
)
