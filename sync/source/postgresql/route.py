"""A table's way to its topic: the compiled transcoder, the registered schemas' ids and the fixed bytes.

Made by ``Router`` (which registers schemas and creates topics) for each version of a table; used by ``capture`` and
``snapshot`` on every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np

from sync.schema import datum
from sync.schema.avro import header
from sync.source.identity import topic_name
from sync.source.postgresql import envelope
from sync.source.postgresql.column import Options
from sync.source.postgresql.kernel.encoded import described
from sync.source.postgresql.table import Table
from sync.source.postgresql.transcoder import Transcoder

Register = Callable[[str, envelope.Schema], int]
"""``(subject, schema) -> id``."""


class Route:
    """Everything fixed about records of one version of a table.

    ``created``, ``updated`` and ``deleted`` are what stands before the first column: the wire header, the union
    branches of ``before`` and ``after``; ``emptied`` is all that a truncate has of them. ``key_header`` stands before
    the key's columns, which are at ``key_places``. ``names`` are schema and table of the source block. ``columns`` and
    ``key_columns`` are for the ``kernel``.
    """

    def __init__(
        self, table: Table, prefix: str, options: Options, register: Register, *, delimiter: str = "."
    ) -> None:
        """Register the schemas. Raises Refused, Incompatible, Unavailable as ``register`` does."""
        self.described = table
        self.table = table.id
        self.names = envelope.table_names(table.id)
        self.topic = topic_name(prefix, table.id.schema, table.id.table, delimiter=delimiter)
        self.rows = Transcoder(table, options)
        space = envelope.namespace(prefix, table.id, delimiter)
        value = register(f"{self.topic}-value", envelope.envelope_schema(space, table, options))
        self.created = header(value) + datum.NULL + datum.SOME
        self.emptied = header(value) + datum.NULL * 2
        self.updated = self.deleted = header(value) + datum.SOME
        self.key_places = tuple(place + 1 for place in table.indexes(table.key))
        self.columns = described(self.rows.cells)
        self.key_columns = np.array(table.indexes(table.key), np.int64)
        self.key_header = b""
        if table.key:
            self.key_header = header(register(f"{self.topic}-key", envelope.key_schema(space, table, options)))

    def key(self, parts: list[bytes]) -> bytes | None:
        """Return the wire form of the key of a row's parts (``parts[0]`` is what stands before the row).

        A column is nullable in the key if it is in the row, so its bytes there are its bytes here.
        """
        places = self.key_places
        if len(places) == 1:
            return self.key_header + parts[places[0]]
        if not places:
            return None
        return self.key_header + b"".join([parts[place] for place in places])

    def keys(self, columns: Sequence[list[bytes]]) -> Iterable[bytes | None]:
        """Return the keys of many rows, without end where the table has none; ``columns`` are the key's, encoded."""
        header = self.key_header
        if len(columns) == 1:
            return [header + value for value in columns[0]]
        if not columns:
            return repeat(None)
        return map(b"".join, zip(repeat(header), *columns, strict=False))


def loosened(table: Table, nullable: frozenset[str]) -> Table:
    """Return the table with the named columns nullable, as they were when an older row was written.

    A key column that was nullable then can't be a key: such a table's records have none.
    """
    if not nullable:
        return table
    return replace(with_nullable(table, nullable), key=() if nullable & set(table.key) else table.key)


def with_nullable(table: Table, names: frozenset[str]) -> Table:
    """Return the table with the named columns nullable in its schemas, those of the key too."""
    columns = tuple(replace(column, optional=True) if column.name in names else column for column in table.columns)
    return replace(table, columns=columns)
