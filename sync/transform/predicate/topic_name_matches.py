"""``TopicNameMatches``: the topic's whole name matches a regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import valid
from sync.transform.record import Records


class TopicNameMatches:
    """A ``record.Predicate``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._pattern = re.compile(values["pattern"])

    def matches(self, records: Records) -> Sequence[bool]:
        """See ``record.Predicate``."""
        return [self._pattern.fullmatch(records.topic) is not None] * len(records)


KIND = Kind(
    f"{CONNECT}.predicates.TopicNameMatches",
    "The topic's whole name matches a regular expression.",
    TopicNameMatches,
    ConfigDef((Key("pattern", Type.STRING, "A regular expression of the names of topics.", validator=valid),)),
)
