"""``TimestampRouter``: another topic, by the record's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError, Unreadable
from sync.transform.dateformat import DateFormat
from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Records, grouped


class TimestampRouter:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._topic = values["topic.format"]
        try:
            self._format = DateFormat(values["timestamp.format"])
        except ValueError as error:
            raise ConfigError(f"timestamp.format: {error}.", hint="correct timestamp.format") from error

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        times = records.origin.timestamps
        found = [None if times is None else times[place] for place in records.places]
        if None in found:
            raise Unreadable("The record has no time before it is written.")
        texts = [self._format.format(time) for time in found if time is not None]
        return [part.renamed(self._named(records.topic, text)) for text, part in records.by(grouped(texts))]

    def _named(self, topic: str, text: str) -> str:
        return str(self._topic).replace("${topic}", topic).replace("${timestamp}", text)


KIND = Kind(
    f"{CONNECT}.TimestampRouter",
    "Sends a sink's records to another topic's table, by their time.",
    TimestampRouter,
    ConfigDef(
        (
            Key(
                "topic.format",
                Type.STRING,
                "The new name, in which ${topic} and ${timestamp} stand for the topic and the time.",
                "${topic}-${timestamp}",
                importance="HIGH",
            ),
            Key(
                "timestamp.format",
                Type.STRING,
                "The pattern of the time, as Java's SimpleDateFormat.",
                "yyyyMMdd",
                importance="HIGH",
                differs="Letters y M d D H h k K m s S a E z Z X; English names, UTC.",
            ),
        )
    ),
    differs="For sinks: a source's records have no time before they are written (Debezium's neither).",
)
