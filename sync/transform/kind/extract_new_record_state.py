"""Debezium's ``ExtractNewRecordState``: of a change event, the row after it; of a delete, what the mode says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.header import rendered
from sync.transform.kinds import Kind
from sync.transform.piece import Row, reader, splitter, text
from sync.transform.record import Column, Header, Records, grouped
from sync.transform.schema import (
    NULL,
    Avro,
    Schema,
    is_envelope,
    is_optional,
    none,
    optional_field,
    required,
    some,
)
from sync.transform.step import loosened

_MODES = ("drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone")
_ROOT = ("op", "ts_ms", "ts_us", "ts_ns")
_TRANSACTION = ("id", "total_order", "data_collection_order")
_WRITTEN, _DELETED, _NEITHER = "written", "deleted", "neither"


@dataclass(frozen=True, slots=True)
class _Reference:
    """A field of the envelope: in ``struct`` (empty: of the envelope itself), and what it is called in the end."""

    struct: str
    field: str
    name: str


def _references(items: Sequence[str], prefix: str) -> list[_Reference]:
    found = []
    for item in items:
        path, _, name = item.partition(":")
        struct, dot, field = path.partition(".")
        if not dot:
            field = path
            struct = "" if field in _ROOT else "transaction" if field in _TRANSACTION else "source"
        default = f"{struct}_{field}" if dot else field
        found.append(_Reference(struct, field, prefix + (name or default)))
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    """A reference in one envelope schema: the field's type, and what takes its bytes out of a row (None: null)."""

    name: str
    type: Avro
    take: Callable[[Row], bytes | None]


class _Plan:
    """What is to be known of an envelope's schema."""

    def __init__(
        self, schema: Schema, fields: Sequence[_Reference], headers: Sequence[_Reference], *, deleted: bool
    ) -> None:
        self.after, self.before = schema.places["after"], schema.places["before"]
        types = [schema.fields[place]["type"] for place in (self.after, self.before)]
        # Which of the two may be null is told by a union; a required one never is.
        self.nothing = [none(type_) if is_optional(type_) else NULL for type_ in types]
        self.skip = [len(some(type_)) for type_ in types]
        row = Schema(required(types[0]))
        self.row, self.cut = row, splitter(row)
        added = _located(schema, fields)
        extra = [optional_field("__deleted", "string")] if deleted else []
        extra += [optional_field(one.name, required(one.type)) for one in added]
        self.value = row.of([*row.fields, *extra]) if extra else row
        self.added = [_optional(one, field["type"]) for one, field in zip(added, extra[deleted:], strict=True)]
        self.headers = [
            (one.name, one.take, rendered(required(one.type)), one.type) for one in _located(schema, headers)
        ]

    def kind(self, row: Row) -> str:
        """Which side of the event there is."""
        if row[self.after] != self.nothing[0]:
            return _WRITTEN
        return _DELETED if row[self.before] != self.nothing[1] else _NEITHER

    def datum(self, row: Row, *, deleted: bool) -> bytes:
        """The bytes of the row that the event is about."""
        return row[self.before][self.skip[1] :] if deleted else row[self.after][self.skip[0] :]


def _located(schema: Schema, references: Sequence[_Reference]) -> list[_Found]:
    """Those of the references that the schema has; Debezium passes over the others."""
    found = []
    for one in references:
        if not one.struct:
            if one.field in schema.places:
                place = schema.places[one.field]
                found.append(_Found(one.name, schema.fields[place]["type"], itemgetter(place)))
            continue
        place = schema.places.get(one.struct, -1)
        if place < 0:
            continue
        inner = Schema(required(schema.fields[place]["type"]))
        if one.field in inner.places:
            type_ = inner.fields[inner.places[one.field]]["type"]
            found.append(_Found(one.name, type_, _within(schema.fields[place]["type"], inner, place, one.field)))
    return found


def _within(outer: Avro, inner: Schema, place: int, field: str) -> Callable[[Row], bytes | None]:
    cut, index, skip = splitter(inner), inner.places[field], len(some(outer))
    nothing = none(outer) if is_optional(outer) else None

    def take(row: Row) -> bytes | None:
        piece = row[place]
        return None if piece == nothing else cut(piece[skip:])[index]

    return take


def _optional(found: _Found, type_: Avro) -> Callable[[Row], bytes]:
    change, nothing, take = loosened(found.type, type_), none(type_), found.take

    def piece(row: Row) -> bytes:
        taken = take(row)
        if taken is None:
            return nothing
        return taken if change is None else change(taken)

    return piece


class ExtractNewRecordState:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._mode = values["delete.tombstone.handling.mode"]
        self._rewrites = self._mode.startswith("rewrite")
        self._fields = _references(values["add.fields"], values["add.fields.prefix"])
        self._headers = _references(values["add.headers"], values["add.headers.prefix"])
        self._route = values["route.by.field"]
        self._plans: dict[Schema, _Plan] = {}

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``. What isn't a change event passes."""
        schema = records.value.schema
        if schema is None:
            return [records] if self._mode == "rewrite-with-tombstone" else []
        if not is_envelope(schema):
            return [records]
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = _Plan(schema, self._fields, self._headers, deleted=self._rewrites)
        made = []
        for kind, part in records.by(grouped([plan.kind(row) for row in records.value.rows])):
            if kind == _NEITHER or (kind == _DELETED and self._mode == "drop"):
                continue
            made += self._routed(plan, part, deleted=kind == _DELETED)
        return made

    def _routed(self, plan: _Plan, records: Records, *, deleted: bool) -> list[Records]:
        if not self._route:
            return [self._extracted(plan, records, deleted=deleted)]
        place = plan.row.places.get(self._route)
        if place is None:
            raise Unreadable(f"{self._route} is not a valid field name")
        read = reader(plan.row.fields[place]["type"])
        topics = [read(plan.cut(plan.datum(row, deleted=deleted))[place]) for row in records.value.rows]
        if None in topics:
            raise Unreadable(f"The field {self._route}, which names the topic, is null.")
        return [
            self._extracted(plan, part, deleted=deleted).renamed(str(topic))
            for topic, part in records.by(grouped(topics))
        ]

    def _extracted(self, plan: _Plan, records: Records, *, deleted: bool) -> Records:
        rows = records.value.rows
        if plan.headers:
            records = _headed(plan, records, rows)
        if deleted and not self._rewrites:
            return records.having("Value", Column.absent(len(rows)))
        datums = [plan.datum(row, deleted=deleted) for row in rows]
        if self._rewrites:
            mark = b"\x02" + text("true" if deleted else "false")
            datums = [datum + mark for datum in datums]
        if plan.added:
            datums = [
                datum + b"".join([take(row) for take in plan.added]) for datum, row in zip(datums, rows, strict=True)
            ]
        return records.having("Value", Column(plan.value, datums=datums))


def _headed(plan: _Plan, records: Records, rows: Sequence[Row]) -> Records:
    def of(row: Row) -> tuple[Header, ...]:
        found: list[Header] = []
        for name, take, render, type_ in plan.headers:
            piece = take(row)
            absent = piece is None or (is_optional(type_) and piece == none(type_))
            found.append((name, None if absent or piece is None else render(piece[len(some(type_)) :])))
        return tuple(found)

    former = records.headers or [()] * len(rows)
    return replace(records, headers=[(*headers, *of(row)) for headers, row in zip(former, rows, strict=True)])


def _key(name: str, type_: Type, doc: str, default: Any, **more: Any) -> Key:
    return Key(name, type_, doc, default, importance="LOW", **more)


KIND = Kind(
    "io.debezium.transforms.ExtractNewRecordState",
    "Makes of a change event the row after it; of a delete a tombstone, nothing, or the row with __deleted.",
    ExtractNewRecordState,
    ConfigDef(
        (
            _key(
                "delete.tombstone.handling.mode",
                Type.STRING,
                "drop: neither the delete nor its tombstone. tombstone, delete-to-tombstone: the delete becomes the "
                "tombstone. rewrite: the row before, with __deleted, and no tombstone. rewrite-with-tombstone: both.",
                "tombstone",
                recommended=_MODES,
            ),
            _key("add.fields", Type.LIST, "Fields of the event to add: op, source.lsn, table:name …", []),
            _key("add.fields.prefix", Type.STRING, "What their names begin with.", "__"),
            _key("add.headers", Type.LIST, "Fields of the event to add as headers.", []),
            _key("add.headers.prefix", Type.STRING, "What the headers' names begin with.", "__"),
            _key("route.by.field", Type.STRING, "The row's field that names the topic.", ""),
        ),
        unsupported={
            r"drop\.fields\..*": "no connector here writes such a header; use ReplaceField.",
            r"drop\.tombstones|delete\.handling\.mode": "Debezium 3 has delete.tombstone.handling.mode instead.",
        },
        accepted={r"replace\.null\.with\.default": "a null stays a null."},
    ),
)
