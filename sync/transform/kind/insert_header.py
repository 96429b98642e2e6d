"""``InsertHeader``: add a header with a fixed value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Records


class InsertHeader:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._header = (values["header"], str(values["value.literal"]).encode())

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        former = records.headers or [()] * len(records)
        return [replace(records, headers=[(*headers, self._header) for headers in former])]


KIND = Kind(
    f"{CONNECT}.InsertHeader",
    "Adds a header with a fixed value.",
    InsertHeader,
    ConfigDef(
        (
            Key("header", Type.STRING, "The header's name.", importance="HIGH"),
            Key("value.literal", Type.STRING, "The header's value, as text.", importance="HIGH"),
        )
    ),
)
