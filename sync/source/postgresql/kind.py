"""What a column becomes: an Avro type with Debezium's semantic name, an encoder and two stand-ins.

Made by ``column`` and by the modules of the families of types (``numeric``, ``moment``, ``interval``, ``binary``,
``structure``, ``array``); used when a table's schema and transcoder are compiled. Also the connector's choices about
types, which all of them read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.schema import datum
from sync.source.postgresql.form import ENCODED, Form

Encode = Callable[[bytes], bytes]
"""PostgreSQL's text form → Avro datum; ValueError where the Avro type cannot hold the value."""

UNAVAILABLE = b"__debezium_unavailable_value"
"""Debezium's placeholder for a TOASTed value that the log does not repeat."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a connector's configuration decides about types, under Debezium's names and values.

    ``unknown`` is ``include.unknown.datatypes``, ``placeholder`` ``unavailable.value.placeholder``.
    """

    decimals: str = "precise"
    times: str = "adaptive"
    intervals: str = "numeric"
    hstores: str = "json"
    binaries: str = "bytes"
    money_digits: int = 2
    unknown: bool = False
    placeholder: bytes = UNAVAILABLE


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The Avro type of a column, its encoder (None: the bytes are the string) and two stand-ins.

    ``schema`` is None for a column that records do not have. ``filler`` stands for a NOT NULL column in a key-only
    old row. ``unavailable`` stands for an unchanged TOASTed value; where it is None the type has no form for that,
    and Debezium's null is written (the filler for NOT NULL). ``null`` stands for a NULL, where that is not written as
    one. ``form`` is how texts are read many at a time; what it gives is what ``encode`` gives.
    """

    schema: Any
    encode: Encode | None
    filler: bytes
    unavailable: bytes | None = None
    null: bytes | None = None
    form: Form = ENCODED


LEFT_OUT = ColumnType(None, lambda _: b"", b"", b"")
"""A column of a type without a mapping: it is not part of the records."""


def named(base: Any, name: str, *, parameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return the Avro type of a Connect schema with a semantic name, as Confluent's converter writes it."""
    schema: dict[str, Any] = {"type": base, **more, "connect.version": 1}
    if parameters:
        schema["connect.parameters"] = parameters
    return {**schema, "connect.name": name}


def record(name: str, fields: list[dict[str, Any]], *, doc: str | None = None) -> dict[str, Any]:
    """Return the Avro record of a Connect struct with a semantic name."""
    space, _, short = name.rpartition(".")
    described = {"connect.doc": doc} if doc else {}
    return {**named("record", name), "name": short, "namespace": space, "fields": fields, **described}


def textual(options: Options, name: str | None = None, encode: Encode | None = None, filler: bytes = b"") -> ColumnType:
    """Return a string, with a semantic name if given; ``filler`` is the text that stands for a missing value."""
    schema = "string" if name is None else named("string", name)
    return ColumnType(schema, encode, datum.text(filler), datum.text(options.placeholder))


def plain(schema: Any, encode: Encode, filler: bytes = b"\x00", form: Form = ENCODED) -> ColumnType:
    """Return a type that has no form for an unavailable value: numbers, times, lists of them."""
    return ColumnType(schema, encode, filler, form=form)
