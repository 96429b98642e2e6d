"""The connector kind as the worker sees it: keys, a real check of a configuration, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef
from sync.errors import ConfigError, Refused, SyncError, Unavailable
from sync.ports import Kind, Task, TaskContext
from sync.record import TableId
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.offset import require_offset
from sync.source.postgresql.publication import missing, planned, require_identities
from sync.source.postgresql.replication import require_failover
from sync.source.postgresql.session import ConnectionRefused, connect
from sync.source.postgresql.setting import KEYS, Settings
from sync.source.postgresql.task import PostgreSQLTask

Problems = dict[str, list[str]]


class PostgreSQL:
    """``ports.Plugin`` of PostgreSQL sources."""

    class_name = "dongbo.source.PostgreSQL"
    aliases: tuple[str, ...] = ("io.debezium.connector.postgresql.PostgresConnector",)
    kind: Kind = "source"
    config: ConfigDef = KEYS

    def check(self, values: Mapping[str, Any]) -> Problems:
        """See ``ports.Plugin``: connects, and looks at what a start would need. Changes nothing."""
        try:
            settings = Settings.read(values)
        except ConfigError as error:
            return {error.field: [str(error)]}
        try:
            with connect(settings) as connection:
                return _look(settings, Catalog(settings, connection))
        except ConnectionRefused as error:
            return {error.field: [str(error)]}
        except (Refused, Unavailable) as error:
            return {"database.hostname": [str(error)]}

    def split(self, values: Mapping[str, Any], most: int) -> list[dict[str, str]]:
        """One task: a slot has one reader."""
        del values, most
        return [{}]

    def task(self, context: TaskContext, values: Mapping[str, Any]) -> Task:
        """See ``ports.Plugin``."""
        return PostgreSQLTask(context, values)

    def alter_offsets(
        self,
        connector: str,
        values: Mapping[str, Any],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]] | None,
    ) -> bool:
        """See ``ports.Plugin``. The slot stays where it is: a position before what it holds stops the next start."""
        del connector
        for given, offset in offsets or ():
            require_offset(str(values["topic.prefix"]), given, offset)
        return False


def _look(settings: Settings, catalog: Catalog) -> Problems:
    problems: Problems = {}

    def note(key: str, error: SyncError) -> None:
        problems.setdefault(key, []).append(str(error))

    try:
        catalog.require_logical()
    except Refused as error:
        note("database.user", error)
    try:
        catalog.require_encoding()
    except Refused as error:
        note("database.dbname", error)
    try:
        tables = catalog.chosen()
    except Refused as error:
        note("table.include.list", error)
        return problems
    sound = []
    for table in tables:
        try:
            settings.shape.table(planned(catalog, table))
            sound.append(table)
        except ConfigError as error:
            note(error.field, error)
    if refused := catalog.unreadable(tables):
        note("table.include.list", _unreadable(settings, refused))
    else:
        _look_at_publication(settings, catalog, sound, note)
    for name in settings.identity.mappings:
        if TableId(*name.partition(".")[::2]) not in tables:
            note(
                "dongbo.mappings",
                Refused(f"Mapped table {name} is not among the captured ones.", hint="check its name and the lists"),
            )
    try:
        require_failover(settings, catalog.server_version)
    except Refused as error:
        note("slot.failover", error)
    slot = catalog.slot()
    if slot is not None and (slot.plugin != "pgoutput" or slot.database != settings.database):
        note(
            "slot.name",
            Refused(
                f"Replication slot {settings.slot} belongs to plug-in {slot.plugin}, database {slot.database}.",
                hint="choose another slot.name",
            ),
        )
    return problems


def _look_at_publication(settings: Settings, catalog: Catalog, tables: list[TableId], note: Any) -> None:
    everything = catalog.publication()
    if everything is None and settings.autocreate == "disabled":
        note("publication.name", missing(catalog))
    elif everything is None and settings.autocreate == "no_tables":
        # The connector creates it; whoever chose the mode then adds the tables.
        return
    elif everything is None or settings.autocreate == "filtered":
        try:
            require_identities(catalog, tables)
        except Refused as error:
            note("table.include.list", error)
    else:
        try:
            catalog.tables()
        except Refused as error:
            note("publication.name", error)


def _unreadable(settings: Settings, tables: list[TableId]) -> Refused:
    user = settings.connection["user"]
    names = ", ".join(map(str, tables))
    return Refused(f"The role {user} may not read: {names}.", hint=f"GRANT SELECT ON {names} TO {user}, and USAGE")
