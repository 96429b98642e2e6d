"""Rows of a PostgreSQL table as its log has them, of each type: pairs of the text and the value that it stands for."""

from __future__ import annotations

import datetime as dt
import json
import struct
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from sync.record import TableId
from sync.source.postgresql.table import Column, PgType, Table

EPOCH = dt.datetime(1970, 1, 1)
MICROSECOND = dt.timedelta(microseconds=1)

# PostgreSQL's text never holds a zero byte, nor half of a surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300)


def integers(bits: int) -> st.SearchStrategy[tuple[str, Any]]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(lambda n: (str(n), n))


def array_text(items: list[str | None]) -> str:
    escaped = ("NULL" if item is None else json.dumps(item, ensure_ascii=False) for item in items)
    return "{" + ",".join(escaped) + "}"


# json.dumps escapes control characters differently from PostgreSQL: arrays get plain ones.
PLAIN = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20)

KINDS: dict[str, tuple[PgType, st.SearchStrategy[tuple[str, Any]]]] = {
    "bool": (PgType("bool"), st.booleans().map(lambda b: ("t" if b else "f", b))),
    "int2": (PgType("int2"), integers(16)),
    "int4": (PgType("int4"), integers(32)),
    "int8": (PgType("int8"), integers(64)),
    "float8": (PgType("float8"), st.floats(allow_nan=False).map(lambda x: (repr(x).replace("inf", "Infinity"), x))),
    "text": (PgType("text"), TEXT.map(lambda s: (s, s))),
    "varchar": (PgType("varchar", 30), TEXT.map(lambda s: (s, s))),
    "uuid": (PgType("uuid"), st.uuids().map(lambda u: (str(u), str(u)))),
    "enum": (PgType("trang_thai", -1, ("a", "b c")), st.sampled_from(["a", "b c"]).map(lambda s: (s, s))),
    "bytea": (PgType("bytea"), st.binary(max_size=300).map(lambda b: ("\\x" + b.hex(), b))),
    "date": (PgType("date"), st.dates().map(lambda d: (d.isoformat(), (d - EPOCH.date()).days))),
    "timestamp": (
        PgType("timestamp"),
        st.datetimes().map(lambda t: (t.isoformat(" "), (t - EPOCH) // MICROSECOND)),
    ),
    "numeric": (
        PgType("numeric", (9 << 16 | 2) + 4),
        st.integers(-(10**9) + 1, 10**9 - 1).map(lambda n: (f"{Decimal(n) / 100:.2f}", Decimal(n) / 100)),
    ),
    "text[]": (
        PgType("_text", element=PgType("text")),
        st.lists(st.none() | PLAIN, max_size=5).map(lambda items: (array_text(items), items)),
    ),
}

columns = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.booleans()), min_size=1, max_size=8)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Table, list[tuple[str, Any] | None]]:
    kinds = draw(columns)
    table = Table(
        TableId("nhân sự", "cán bộ"),
        tuple(Column(f"c{place}", KINDS[kind][0], optional) for place, (kind, optional) in enumerate(kinds)),
    )
    return table, [draw(st.none() | KINDS[kind][1]) if optional else draw(KINDS[kind][1]) for kind, optional in kinds]


def logged(values: list[tuple[str, Any] | None]) -> bytes:
    fields = (b"n" if v is None else b"t" + struct.pack(">I", len(v[0].encode())) + v[0].encode() for v in values)
    return b"".join(fields)
