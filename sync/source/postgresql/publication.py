"""What the connector prepares in the source before it reads: replica identities, then the publication.

Called at a task's start; ``check`` asks the same questions and changes nothing. Slots apart, nothing else in this
package changes the source.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from psycopg import sql

from sync.errors import ConfigError, Refused
from sync.record import TableId
from sync.source.postgresql import replica
from sync.source.postgresql.catalog import Catalog
from sync.source.postgresql.session import place
from sync.source.postgresql.table import Identity, Table

_log = logging.getLogger(__name__)


def prepare(catalog: Catalog, *, keeps_slot: bool = False) -> None:
    """Set replica identities, create or alter the publication, as configured. Raises Refused with a remedy.

    ``keeps_slot``: the log is followed from where the slot is, if it is there, and not from a new snapshot on.
    """
    if keeps_slot:
        _require_older_publication(catalog)
    tables = catalog.chosen()
    for table in tables:
        _set_identity(catalog, table)
    _publish(catalog, tables)
    _tell_of_partitions(catalog)


def planned(catalog: Catalog, name: TableId) -> Table:
    """Return a table with the replica identity that ``prepare`` gives it. Raises ConfigError for no such index."""
    table = catalog.table(name, None)
    wanted = catalog.settings.identities.of(name)
    if wanted is None:
        return table
    if wanted.index is None:
        return replace(table, identity=wanted.identity)
    columns = catalog.indexed(name, wanted.index)
    if not columns:
        raise ConfigError(
            f"Table {name} of {place(catalog.settings)} has no index {wanted.index}.",
            field=replica.NAME,
            hint="check the index's name",
        )
    return replace(table, identity=Identity.INDEX, key=columns)


def _set_identity(catalog: Catalog, name: TableId) -> None:
    wanted = catalog.settings.identities.of(name)
    if wanted is None or catalog.identity(name) == (wanted.identity, wanted.index):
        return
    how = sql.SQL("using index {}").format(sql.Identifier(wanted.index)) if wanted.index else None
    statement = sql.SQL("alter table {} replica identity {}").format(
        sql.Identifier(name.schema, name.table), how or sql.SQL(wanted.identity.name)
    )
    catalog.change(statement, f"setting the replica identity of {name} (replica.identity.autoset.values)")
    _log.info("Table %s has the replica identity %s now.", name, wanted.identity.name)


def require_identities(catalog: Catalog, tables: list[TableId]) -> None:
    """Raise Refused if publishing the tables would make the server refuse their updates."""
    bare = []
    for name in tables:
        table = planned(catalog, name)
        nothing = table.identity is Identity.NOTHING
        if nothing or (table.identity is not Identity.FULL and not table.key):
            bare.append(name)
    if bare:
        raise Refused(
            f"Tables without a primary key or replica identity can't be published, as the server would then refuse "
            f"their updates: {', '.join(map(str, bare))}.",
            hint="add a primary key, ALTER TABLE … REPLICA IDENTITY FULL (or replica.identity.autoset.values), or "
            "leave them out by table.exclude.list",
        )


def _publish(catalog: Catalog, tables: list[TableId]) -> None:
    """Create or alter the publication by ``publication.autocreate.mode``."""
    mode, name = catalog.settings.autocreate, catalog.settings.publication
    everything = catalog.publication()
    if everything is None and mode == "disabled":
        raise missing(catalog)
    if mode == "no_tables":
        if everything is None:
            create = sql.SQL("create publication {} with (publish_via_partition_root = {})")
            by_root = sql.Literal(catalog.settings.by_root)
            catalog.change(create.format(sql.Identifier(name), by_root), f"creating {name}")
        return
    if mode == "disabled" or (mode == "all_tables" and everything is not None) or everything:
        return
    require_identities(catalog, tables)
    parents = _parents(catalog, tables)
    if everything is None:
        what = sql.SQL("all tables") if mode == "all_tables" else _table_list([*parents, *tables])
        statement = sql.SQL("create publication {} for {} with (publish_via_partition_root = {})").format(
            sql.Identifier(name), what, sql.Literal(catalog.settings.by_root)
        )
    elif set(tables) == set(catalog.published()) and set(parents) <= set(catalog.listed()):
        return
    else:
        _tell_of_change(catalog, tables)
        statement = sql.SQL("alter publication {} set {}").format(
            sql.Identifier(name), _table_list([*parents, *tables])
        )
    catalog.change(statement, f"preparing publication {name}")


def _require_older_publication(catalog: Catalog) -> None:
    """Raise Refused where the publication that the slot's changes are read by is to be made only now.

    The server decodes a change with the publications of the change's own time. One that was not there yet is an error
    before PostgreSQL 18; from 18 on the change is left out without a word.
    """
    settings = catalog.settings
    slot = catalog.slot()
    if slot is None or slot.lost:
        return
    if catalog.publication() is None:
        if settings.autocreate == "disabled":
            return
        raise Refused(
            f"Publication {settings.publication} does not exist in {place(settings)}, but slot {settings.slot} does: "
            "what was changed since the slot's position was not published, and would be missing.",
            hint=f"restore publication.name if it is another one; otherwise delete the connector's offsets and drop "
            f"slot {settings.slot}: the next start makes both, and with snapshot.mode=initial reads the rows; or, if "
            "no captured table was changed since the slot was made, create the publication by hand",
        )
    if catalog.publication_is_newer():
        _log.warning(
            "Publication %s was made or altered after the position of slot %s, as far as the server tells: changes "
            "from before are captured as they were published then, or not at all.",
            settings.publication,
            settings.slot,
        )


def _tell_of_change(catalog: Catalog, tables: list[TableId]) -> None:
    """Warn which tables a publication that exists gets, or no longer has."""
    before, now = set(catalog.published()), set(tables)
    if added := _names(now - before):
        _log.warning(
            "Tables are added to publication %s (publication.autocreate.mode=filtered): %s. Their changes come from "
            "now on; for rows from before, unless a snapshot is read, ask by an incremental snapshot.",
            catalog.settings.publication,
            added,
        )
    if removed := _names(before - now):
        _log.warning(
            "Tables are taken out of publication %s (publication.autocreate.mode=filtered): %s.",
            catalog.settings.publication,
            removed,
        )


def _names(tables: set[TableId]) -> str:
    return ", ".join(sorted(map(str, tables)))


def _parents(catalog: Catalog, tables: list[TableId]) -> list[TableId]:
    """Return the partitioned tables to publish besides: then partitions that are added later are published at once.

    Only those all of whose partitions are selected: the others' would be published too.
    """
    if catalog.by_root():
        return []
    return [name for name, leaves in catalog.partitioned().items() if set(leaves) <= set(tables)]


def _tell_of_partitions(catalog: Catalog) -> None:
    """Warn where a publication treats partitions otherwise than the configuration says."""
    by_root = catalog.by_root()
    if by_root != catalog.settings.by_root and catalog.partitioned():
        _log.warning(
            "Publication %s has publish_via_partition_root=%s, whatever publish.via.partition.root says: partitions "
            "are captured as %s.",
            catalog.settings.publication,
            str(by_root).lower(),
            "their root table" if by_root else "tables of their own",
        )


def missing(catalog: Catalog) -> Refused:
    """Return the error for a publication that is not there and may not be created."""
    return Refused(
        f"Publication {catalog.settings.publication} does not exist in {place(catalog.settings)}.",
        hint="create it, or set publication.autocreate.mode=filtered",
    )


def _table_list(tables: list[TableId]) -> sql.Composable:
    names = [sql.Identifier(table.schema, table.table) for table in tables]
    return sql.SQL("table {}").format(sql.SQL(", ").join(names))
