"""``DropHeaders``: take headers away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import not_empty
from sync.transform.record import Records


class DropHeaders:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._names = set(values["headers"])

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        if records.headers is None:
            return [records]
        kept = [tuple(one for one in headers if one[0] not in self._names) for headers in records.headers]
        return [replace(records, headers=kept)]


KIND = Kind(
    f"{CONNECT}.DropHeaders",
    "Takes headers away.",
    DropHeaders,
    ConfigDef((Key("headers", Type.LIST, "Names of headers.", importance="HIGH", validator=not_empty),)),
)
