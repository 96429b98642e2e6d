"""Makes routes: compiles a table, registers its schemas, creates its topic.

Called at a snapshot's start and whenever the log describes a table. All I/O of schemas is here.
"""

from __future__ import annotations

from typing import Any

from sync.errors import Incompatible
from sync.kafka.client import ensure_topics
from sync.record import TableId
from sync.schema.avro import branch, nullable
from sync.schema.registry import RegistryClient
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.column import mapped
from sync.source.postgresql.envelope import avro_name
from sync.source.postgresql.pgoutput import Relation
from sync.source.postgresql.route import Route, loosened
from sync.source.postgresql.session import connect
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.table import Table


class Router:
    """Routes of one connector. Not thread safe."""

    def __init__(self, settings: Settings, registry: RegistryClient, bootstrap: str) -> None:
        self._settings = settings
        self._registry = registry
        self._bootstrap = bootstrap
        self._topics: set[str] = set()

    def resolve(self, relation: Relation, columns: frozenset[str]) -> Route | None:
        """Return the route of a table as the log describes it; None where it isn't selected.

        ``columns`` must be nullable whatever the catalogs say. Raises Refused, Incompatible, Unavailable.
        """
        if TableId(relation.schema, relation.table) not in self._settings.selection:
            return None
        with connect(self._settings) as connection:
            table = Catalog(self._settings, connection).described(relation)
        return self.route(loosened(table, columns))

    def route(self, table: Table) -> Route:
        """Return a table's route. Raises ConfigError, Refused, Incompatible (naming the subject), Unavailable."""
        settings = self._settings
        table = mapped(settings.shape.table(table), settings.options)
        topic = settings.topic(table.id)
        if topic not in self._topics:
            ensure_topics(self._bootstrap, [settings.creation.topic(topic)])
            self._topics.add(topic)
        try:
            return self._compiled(table)
        except Incompatible:
            # A column that is NOT NULL now but wasn't there, or was nullable, in older records: as a nullable
            # field it is a compatible change.
            older = self._required_before(f"{topic}-value")
            loose = frozenset(
                column.name
                for column in table.columns
                if not column.optional and column.name not in table.key and avro_name(column.name) not in older
            )
            if not loose:
                raise
            return self._compiled(loosened(table, loose))

    def _compiled(self, table: Table) -> Route:
        settings = self._settings
        return Route(table, settings.prefix, settings.options, self._registry.register, delimiter=settings.delimiter)

    def _required_before(self, subject: str) -> set[str]:
        latest = self._registry.latest(subject)
        if latest is None:
            return set()
        before = next((field for field in latest.schema.get("fields", ()) if field["name"] == "before"), None)
        row: Any = branch(before["type"]) if before else {}
        fields = row.get("fields", ()) if isinstance(row, dict) else ()
        return {field["name"] for field in fields if not nullable(field["type"])}
