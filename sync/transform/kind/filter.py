"""``Filter``: drop records; a predicate says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Records


class Filter:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del values, side

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        del records
        return []


KIND = Kind(f"{CONNECT}.Filter", "Drops records: all, or those that its predicate chooses.", Filter)
