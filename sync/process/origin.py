"""Which topic belongs to which source, dataset and mapping: learnt from the control plane's registrations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sync.errors import ConfigError
from sync.kafka.registrations import Registrations
from sync.source.identity import parse_mappings, topic_name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One mapped table of a registered source."""

    topic: str
    source: str
    table: str
    authority: str
    locality: str | None
    dataset: str
    mapping: str


def tables(properties: Mapping[str, str]) -> list[SourceTable]:
    """The mapped tables of one source connector: ``dongbo.mappings`` = ``schema.table:dataset/mapping,…``.

    An entry that can't be read is left out with a warning that names it; ``validate`` has refused it before.
    """
    prefix = properties["topic.prefix"]
    found: list[SourceTable] = []
    for entry in filter(None, (part.strip() for part in properties.get("dongbo.mappings", "").split(","))):
        try:
            mapped = parse_mappings([entry])
        except ConfigError as error:
            log.warning("source %s: %s", prefix, error)
            continue
        found += [
            SourceTable(
                topic=topic_name(prefix, *table.split(".", 1), delimiter=properties.get("topic.delimiter", ".")),
                source=prefix,
                table=table,
                authority=properties.get("dongbo.source.authority", "locality"),
                locality=properties.get("dongbo.source.locality") or None,
                dataset=target.dataset,
                mapping=target.name,
            )
            for table, target in mapped.items()
        ]
    return found


class Sources:
    """The mapped tables of all sources, by topic; ``poll`` reads what was registered since."""

    def __init__(self, bootstrap: str) -> None:
        self._registrations = Registrations(bootstrap)
        self.by_topic: dict[str, SourceTable] = {}

    def poll(self) -> dict[str, SourceTable]:
        """The tables by topic, as of now."""
        if self._registrations.poll() or not self.by_topic:
            self.by_topic = {
                table.topic: table for properties in self._registrations.sources() for table in tables(properties)
            }
        return self.by_topic

    def close(self) -> None:
        """Leave the broker."""
        self._registrations.close()
