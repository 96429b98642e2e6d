"""Number and checksum of a table's rows, to be compared before a figure is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from sync.errors import Refused


@dataclass(frozen=True, slots=True)
class Content:
    """``total``: the sum of 64-bit hashes of all rows' texts, whatever their order."""

    rows: int
    total: int


def content(dsn: str, table: str, columns: Sequence[str]) -> Content:
    """Count and hash ``columns`` of ``table`` as texts; a null is told from an empty text."""
    texts = [sql.SQL("coalesce('=' || {}::text, '')").format(sql.Identifier(name)) for name in columns]
    query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(concat_ws('|', {}), 0)::numeric), 0) FROM {}")
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.format(sql.SQL(", ").join(texts), sql.Identifier(*table.split(".")))).fetchone()
    assert row is not None
    return Content(int(row[0]), int(row[1]))


def require(name: str, what: str, found: Content, wanted: Content) -> None:
    """Raise Refused where a target doesn't hold what it must."""
    if found != wanted:
        rows = "" if found.rows == wanted.rows else f" ({found.rows} rows instead of {wanted.rows})"
        raise Refused(
            f"The target of {name} differs in {what}{rows}: its figures mean nothing.",
            hint="compare both tables with psql after a run with --keep",
        )
