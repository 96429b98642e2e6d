"""Makes routes: compiles a table, registers its schemas, creates its topic.

Called at a snapshot's start and whenever the log describes a table. All I/O of schemas is here.
"""

from __future__ import annotations

import logging
from typing import Any

from sync.errors import Incompatible
from sync.kafka.client import ensure_topics
from sync.record import TableId
from sync.schema.avro import branch, nullable
from sync.schema.registry import RegistryClient
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.column import mapped
from sync.source.postgresql.envelope import avro_name, namespace, value_schema
from sync.source.postgresql.pgoutput import Relation
from sync.source.postgresql.route import Route, loosened, with_nullable
from sync.source.postgresql.session import connect
from sync.source.postgresql.setting import Settings
from sync.source.postgresql.table import Identity, Table

_log = logging.getLogger(__name__)


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
            table = Catalog(self._settings, connection).described(relation, self._former_key)
        return self.route(loosened(table, columns))

    def route(self, table: Table) -> Route:
        """Return a table's route. Raises ConfigError, Refused, Incompatible (naming the subject), Unavailable."""
        settings = self._settings
        table = mapped(settings.shape.table(table), settings.options)
        topic = settings.topic(table.id)
        if topic not in self._topics:
            if not settings.transformed:
                # Otherwise the records' topics are known behind the transforms only.
                ensure_topics(self._bootstrap, [settings.creation.topic(topic)])
            self._topics.add(topic)
            if settings.skip_unchanged and table.identity is not Identity.FULL:
                _log.warning(
                    "Table %s has no REPLICA IDENTITY FULL: which of its updates change nothing can't be told, and "
                    "skip.messages.without.change leaves out none of them.",
                    table.id,
                )
            if settings.reselect and not table.key:
                _log.warning(
                    "Table %s has no key: values that the log does not repeat can't be read again "
                    "(dongbo.reselect.unavailable).",
                    table.id,
                )
        try:
            return self._compiled(table)
        except Incompatible as refused:
            # A column that is NOT NULL now but wasn't there, or was nullable, in older records: as a nullable
            # field it is a compatible change, in the row and in the key.
            loose = self._loosenable(table, topic)
            if not loose:
                raise self._explained(table, topic, refused) from refused
        table = with_nullable(table, loose)
        try:
            return self._compiled(table)
        except Incompatible as refused:
            raise self._explained(table, topic, refused) from refused

    def _compiled(self, table: Table) -> Route:
        settings = self._settings
        return Route(table, settings.prefix, settings.options, self._registry.register, delimiter=settings.delimiter)

    def _former_key(self, relation: Relation) -> tuple[str, ...]:
        """The key of a table as its topic has it: for rows older than a change of the key that the log doesn't tell."""
        topic = self._settings.topic(TableId(relation.schema, relation.table))
        names = {avro_name(column.name): column.name for column in relation.columns}
        known = self._fields(f"{topic}-key")
        return tuple(names[name] for name in known) if known.keys() <= names.keys() else ()

    def _loosenable(self, table: Table, topic: str) -> frozenset[str]:
        row, key = self._fields(f"{topic}-value"), self._fields(f"{topic}-key")
        loose = set()
        for column in table.columns:
            was = avro_name(column.name)
            in_key = column.name in table.key and bool(key)
            if column.optional or not column.captured:
                continue
            if was not in row or nullable(row[was]) or (in_key and (was not in key or nullable(key[was]))):
                loose.add(column.name)
        return frozenset(loose)

    def _fields(self, subject: str) -> dict[str, Any]:
        """The fields of a row, or of a key, in the newest schema of ``subject``: name → type."""
        latest = self._registry.latest(subject)
        if latest is None:
            return {}
        fields = latest.schema.get("fields", ())
        before = next((field for field in fields if field["name"] == "before"), None)
        if before is not None and subject.endswith("-value"):
            row: Any = branch(before["type"])
            fields = row.get("fields", ()) if isinstance(row, dict) else ()
        return {field["name"]: field["type"] for field in fields}

    def _explained(self, table: Table, topic: str, refused: Incompatible) -> Incompatible:
        """The registry's refusal, with the table's columns that it is about."""
        settings = self._settings
        space = namespace(settings.prefix, table.id, settings.delimiter)
        now = {field["name"]: field["type"] for field in value_schema(space, table, settings.options)["fields"]}
        changed = [
            f"column {name} was {_type(old)} and is {_type(now[name])}"
            for name, old in self._fields(f"{topic}-value").items()
            if name in now and _type(old) != _type(now[name])
        ]
        former = tuple(self._fields(f"{topic}-key"))
        key = tuple(map(avro_name, table.key))
        if former and former != key:
            changed.append(f"its key was ({', '.join(former)}) and is ({', '.join(key)})")
        what = "; ".join(changed) or "its columns changed"
        return Incompatible(
            f"Table {table.id} as it is now does not fit topic {topic}: {what}. {refused.args[0]}",
            hint="undo the change in the source; or let the subject take it (its compatibility NONE or FORWARD, as "
            "readers can bear) and restart the connector; or capture the table under another topic.prefix",
        )


def _type(kind: Any) -> str:
    base = branch(kind)
    return str(base.get("connect.name", base["type"])) if isinstance(base, dict) else str(base)
