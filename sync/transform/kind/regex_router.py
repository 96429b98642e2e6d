"""``RegexRouter``: another topic, by a regular expression of the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.transform.kinds import CONNECT, Kind
from sync.transform.pattern import compiled, replaced, valid
from sync.transform.record import Records


class RegexRouter:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._topic = replaced(compiled(values["regex"]), values["replacement"])

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        topic = self._topic(records.topic)
        return [records if topic is None else records.renamed(topic)]


KIND = Kind(
    f"{CONNECT}.RegexRouter",
    "Sends records to another topic, by a regular expression of the topic's name.",
    RegexRouter,
    ConfigDef(
        (
            Key("regex", Type.STRING, "A regular expression of the whole name.", importance="HIGH", validator=valid),
            Key("replacement", Type.STRING, "The new name: $1 or ${name} for a group.", importance="HIGH"),
        )
    ),
)
