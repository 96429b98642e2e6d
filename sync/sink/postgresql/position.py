"""The offsets that a target holds for a sink, changed while the sink is stopped.

Called by the control plane through the plugin. A partition whose offset is set or removed here has no owner any more: a
task that still lived could write no further batch of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.sink.postgresql import statement
from sync.sink.postgresql.definition import Settings, split_name
from sync.sink.postgresql.failure import translated
from sync.sink.postgresql.target import connect, place_of

_NOBODY = "nobody"


def alter(settings: Settings, connector: str, offsets: Mapping[tuple[str, int], int | None] | None) -> None:
    """Set the next offsets of ``(topic, partition)``, in one transaction; None for one removes it, None for all all.

    Raises Refused or Unavailable; nothing is changed then.
    """
    schema, name = split_name(settings.offsets_table)
    statements = statement.Offsets(statement.qualified(schema, name))
    with connect(settings, "dongbo offsets") as connection, translated(place_of(settings.connect)):
        there = connection.execute("SELECT to_regclass(%s)", (statements.table,)).fetchone() != (None,)
        wanted = [] if offsets is None else [(at, new) for at, new in offsets.items() if new is not None]
        if not there and not wanted:
            return
        with connection.transaction():
            if not there:
                if schema and settings.create_schema:
                    connection.execute(statement.create_schema(schema).encode())
                connection.execute(statements.create.encode())
            if offsets is None:
                connection.execute(statements.forget_all.encode(), (connector,))
            for (topic, partition), new in (offsets or {}).items():
                if new is None:
                    connection.execute(statements.forget.encode(), (connector, topic, partition))
                else:
                    connection.execute(statements.place.encode(), (connector, topic, partition, new, _NOBODY))
