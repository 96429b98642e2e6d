"""Which topic belongs to which source, dataset and mapping: learnt from the control plane's registrations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sync.kafka.registrations import Registrations

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
    found = []
    for entry in filter(None, (part.strip() for part in properties.get("dongbo.mappings", "").split(","))):
        table, _, target = entry.partition(":")
        dataset, _, mapping = target.partition("/")
        if not (table and dataset and mapping):
            log.warning("connector %s: dongbo.mappings has an entry that is not schema.table:dataset/mapping", prefix)
            continue
        found.append(
            SourceTable(
                topic=f"{prefix}.{table}",
                source=prefix,
                table=table,
                authority=properties.get("dongbo.source.authority", "locality"),
                locality=properties.get("dongbo.source.locality") or None,
                dataset=dataset,
                mapping=mapping,
            )
        )
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
