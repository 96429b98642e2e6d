"""The live phase: changes of source rows as the owners' own programs would make them, one transaction each.

Called by ``sync.demo.command`` once the first load is through. Each change is committed by itself and its time noted,
so that the path from this commit to the centre can be measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from sync.demo import script, unit
from sync.demo.database import KEY, Dsn, Layouts, key_columns
from sync.demo.error import Row
from sync.demo.site import returned
from sync.demo.story import Change, Stage


@dataclass(slots=True)
class Applied:
    """What the live phase did: changes by topic and by kind, and when each changed person was committed last."""

    by_topic: dict[str, int] = field(default_factory=dict)
    by_kind: dict[str, int] = field(default_factory=dict)
    committed: dict[str, float] = field(default_factory=dict)

    def note(self, kind: str, change: Change) -> None:
        """Count a change; ``committed`` is for changes that must show in the centre as a new or changed row."""
        topic = f"{change.row.site.name}.{change.row.table}"
        self.by_topic[topic] = self.by_topic.get(topic, 0) + 1
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1


MEASURED = frozenset({"phone", "salary", "edit_owned", "register"})
"""Kinds with one change that always alters the golden record: their way to the centre is measured."""


def upcoming(stage: Stage) -> Iterator[tuple[str, str, list[Change]]]:
    """(kind, citizen ID or empty, changes in order) of everything that happens."""
    for index in stage.changing():
        told = script.story(stage, index)
        if told.changes:
            yield told.live or "", told.citizen_id, told.changes
    for change in unit.changes(stage):
        yield "headcount", "", [change]


def perform(
    dsn: Dsn, stage: Stage, found: Layouts, *, per_second: float = 60.0, watch: Callable[[str], None] = lambda _: None
) -> Applied:
    """Apply all live changes at most ``per_second``, calling ``watch`` after every ten; returns what was done.

    Raises psycopg.Error on a refusal.
    """
    applied = Applied()
    with ExitStack() as stack:
        connections = {
            site.name: stack.enter_context(psycopg.connect(dsn(site.name), autocommit=True)) for site in stage.sites
        }
        started, done, told = time.monotonic(), 0, 0
        for kind, citizen_id, changes in upcoming(stage):
            for change in changes:
                # Pacing, not waiting for a result: people don't type at the speed of COPY.
                time.sleep(max(0.0, started + done / per_second - time.monotonic()))
                apply(connections[change.row.site.name], change, found)
                applied.note(kind, change)
                done += 1
            if kind in MEASURED:
                applied.committed[citizen_id] = time.time()
            if done // 10 > told:
                told = done // 10
                watch(f"{done} changes made")
    return applied


def apply(connection: psycopg.Connection[tuple[object, ...]], change: Change, found: Layouts) -> None:
    """Make one change in the database of its site."""
    layout = found.of(change.row)
    table = next(table for table in change.row.site.tables if table.name == change.row.table)
    name = sql.Identifier(*table.name.split("."))
    keys = key_columns(table, layout)
    where = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(key)) for key in keys)
    key = [change.row.key] if len(keys) == 1 else change.row.key.split(",")
    if change.after is None:
        connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(name, where), key)
        return
    values = _texts(change.after, found)
    if change.before is None:
        if keys == (KEY,):
            values = {KEY: change.after.key, **values}
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        holes = sql.SQL(", ").join([sql.SQL("%s")] * len(values))
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(name, columns, holes), list(values.values())
        )
        return
    before = _texts(change.before, found)
    changed = {column: text for column, text in values.items() if text != before[column]}
    settings = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in changed)
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(name, settings, where)
    cursor = connection.execute(statement, [*changed.values(), *key])
    if returned(table.name) and cursor.rowcount != 1:
        raise LookupError(f"A return table of {change.row.site.name} lacks a row that the model has there.")


def _texts(row: Row, found: Layouts) -> dict[str, str | None]:
    layout = found.of(row)
    return {column.name: text for column, text in zip(layout.columns, layout.texts(row.clean, row.raw), strict=True)}
