"""The first fields of many records as bytes, put together field by field rather than by Polars.

Pure; used by ``sync.schema.columns``. Polars writes each column as nullable: what it writes too much for a field that
isn't has to be found and cut out again. Such fields stand in front (keys, meta fields), and to write these few here
costs half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import polars as pl

from sync.schema import datum

_TRUTHS = {True: b"\x01", False: b"\x00"}
_WRITTEN: dict[Any, Callable[[Any], bytes]] = {
    pl.Int32: datum.zigzag,
    pl.Int64: datum.zigzag,
    pl.Boolean: _TRUTHS.__getitem__,
    pl.Float32: datum.single,
    pl.Float64: datum.double,
    pl.Binary: datum.text,
}
"""The datum of a value by the type of its column, as ``fitting`` leaves it; texts are made bytes before."""

_CONSTANTS = (pl.String, pl.Int32, pl.Int64)
"""Types whose values are the same bytes where they are equal (0.0 and -0.0 aren't)."""


def leading(columns: Sequence[pl.Series], nullable: Sequence[bool], prefix: bytes) -> list[bytes]:
    """The fields of each row, one behind the other, with ``prefix`` in front; there is a column at least.

    ``nullable``: by column, whether its type is a union ``["null", T]``.
    """
    parts: list[Iterable[bytes]] = []
    constant = prefix
    for column, optional in zip(columns, nullable, strict=True):
        if _same(column):
            constant += _cells(column.head(1), nullable=optional)[0]
            continue
        if constant:
            parts.append(repeat(constant))
        parts.append(_cells(column, nullable=optional))
        constant = b""
    rows = len(columns[0])
    if constant:
        parts.append(repeat(constant, rows))
    return [b"".join(cells) for cells in zip(*parts, strict=False)]


def _same(column: pl.Series) -> bool:
    """Whether all rows have one value, for certain: it is only looked for where topics have constants."""
    if column.null_count():
        return column.null_count() == len(column)
    if column.dtype not in _CONSTANTS:
        return False
    first = column[0]
    return bool(first == column[-1]) and bool((column == first).all())


def _cells(column: pl.Series, *, nullable: bool) -> list[bytes]:
    """The datum of each value."""
    if column.dtype == pl.String:
        column = column.cast(pl.Binary)
    write = _WRITTEN[column.dtype.base_type()]
    if not nullable:
        return [write(value) for value in column.to_list()]
    return [datum.NULL if value is None else datum.SOME + write(value) for value in column.to_list()]
