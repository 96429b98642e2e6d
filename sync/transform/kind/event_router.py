"""Debezium's outbox ``EventRouter``: rows inserted into an outbox table become events in topics of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.header import rendered
from sync.transform.kinds import Kind
from sync.transform.pattern import compiled, replaced, valid
from sync.transform.piece import Row, reader, splitter
from sync.transform.record import Column, Header, Origin, Records, grouped
from sync.transform.schema import (
    Avro,
    Schema,
    called,
    connect_name,
    is_envelope,
    is_optional,
    kind,
    none,
    required,
    some,
)

LOGGER = logging.getLogger(__name__)

_PLACES = ("header", "envelope", "partition")


def _placement(name: str, value: Any) -> str | None:
    for item in value:
        parts = item.split(":")
        if len(parts) not in (2, 3) or parts[1].strip().lower() not in _PLACES:
            return (
                f"Invalid value {item} for configuration {name}: must be column:header or column:envelope, "
                "with :alias, or column:partition."
            )
    return None


@dataclass(frozen=True, slots=True)
class _Placed:
    field: str
    place: str
    name: str


class _Plan:
    """The places of an outbox row's columns. Raises Unreadable for one that isn't there."""

    def __init__(self, schema: Schema) -> None:
        after = schema.fields[schema.places["after"]]["type"]
        self.operation, self.after = schema.places["op"], schema.places["after"]
        self.read = reader(schema.fields[self.operation]["type"])
        self.skip, self.row = len(some(after)), Schema(required(after))
        self._cut = splitter(self.row)
        self._made: dict[Any, Schema] = {}

    def rows(self, records: Records) -> list[Row]:
        """The rows after the changes."""
        return [self._cut(row[self.after][self.skip :]) for row in records.value.rows]

    def column(self, name: str) -> tuple[int, Avro]:
        """A column's place and type."""
        place = self.row.places.get(name)
        if place is None:
            raise Unreadable(f"{name} is not a valid field name")
        return place, self.row.fields[place]["type"]

    def once(self, label: Any, make: Callable[[], Schema]) -> Schema:
        """A schema that is made when it is first asked for."""
        if label not in self._made:
            self._made[label] = make()
        return self._made[label]

    def plain(self, name: str) -> Schema:
        """The schema of a column alone."""
        return self.once(name, lambda: Schema(required(self.column(name)[1])))


class EventRouter:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._id, self._key = values["table.field.event.id"], values["table.field.event.key"]
        self._payload, self._by = values["table.field.event.payload"], values["route.by.field"]
        self._invalid = values["table.op.invalid.behavior"]
        self._topic = replaced(compiled(values["route.topic.regex"]), values["route.topic.replacement"])
        placed = [[part.strip() for part in item.split(":")] for item in values["table.fields.additional.placement"]]
        found = [_Placed(parts[0], parts[1].lower(), parts[-1] if len(parts) == 3 else parts[0]) for parts in placed]
        self._strict = values["table.fields.additional.error.on.missing"]
        self._headers = [_Placed(self._id, "header", "id"), *(one for one in found if one.place == "header")]
        self._body = [one for one in found if one.place == "envelope"]
        self._partition = [one for one in found if one.place == "partition"]
        self._plans: dict[Schema, _Plan] = {}

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``. What isn't a change event passes; tombstones and deletes are left out."""
        schema = records.value.schema
        if schema is None:
            return []
        if not is_envelope(schema):
            return [records]
        plan = self._plans.get(schema)
        if plan is None:
            plan = self._plans[schema] = _Plan(schema)
        operations = [plan.read(row[plan.operation]) for row in records.value.rows]
        self._look(operations)
        events = records.take([i for i, operation in enumerate(operations) if operation in ("c", "r")])
        return self._events(plan, events) if len(events) else []

    def _look(self, operations: Sequence[str]) -> None:
        """Tell of operations that an outbox table shouldn't see."""
        if not (unexpected := sum(operation not in ("c", "r", "d") for operation in operations)):
            return
        if self._invalid == "fatal":
            raise Unreadable("An outbox table had an operation other than insert and delete.")
        level = logging.ERROR if self._invalid == "error" else logging.WARNING
        LOGGER.log(
            level, "%d changes of an outbox table that are neither inserts nor deletes are left out.", unexpected
        )

    def _events(self, plan: _Plan, records: Records) -> list[Records]:
        rows = plan.rows(records)
        place, type_ = plan.column(self._by)
        read = reader(type_)
        key_place, key_type = plan.column(self._key)
        payload_place, payload_type = plan.column(self._payload)
        records = replace(records, headers=self._headed(plan, records, rows), origin=self._placed(plan, records, rows))
        labels = []
        for row in rows:
            routed = read(row[place])
            if routed is None:
                raise Unreadable(f"The column {self._by}, which names the topic, is null.")
            labels.append((str(routed), _null(row[key_place], key_type), _null(row[payload_place], payload_type)))
        found = []
        for (routed, keyless, empty), indices in grouped(labels).items():
            part = records.take(indices).renamed(self._topic(routed) or routed)
            mine = [rows[i] for i in indices]
            if not keyless:
                part = part.having("Key", _column(plan.plain(self._key), mine, key_place, key_type))
            found.append(part.having("Value", self._value(plan, mine, routed, empty=empty)))
        return found

    def _value(self, plan: _Plan, rows: Sequence[Row], routed: str, *, empty: bool) -> Column:
        place, type_ = plan.column(self._payload)
        if not self._body:
            return Column.absent(len(rows)) if empty else _column(plan.plain(self._payload), rows, place, type_)
        body = self._there(plan, self._body)
        places = [place, *(plan.column(one.field)[0] for one in body)]

        def make() -> Schema:
            names = ["payload", *(one.name for one in body)]
            fields = [{**plan.row.fields[at], "name": name} for at, name in zip(places, names, strict=True)]
            table = connect_name(plan.row).removesuffix(".Value")
            return Schema({**called({"type": "record"}, f"{table}.{routed}.Value"), "fields": fields})

        made = plan.once(("body", routed), make)
        return Column(made, rows=[tuple(row[at] for at in places) for row in rows])

    def _there(self, plan: _Plan, placed: Sequence[_Placed]) -> list[_Placed]:
        """Those whose column the table has; where all are asked for, ``column`` raises for another."""
        return [one for one in placed if self._strict or one.field in plan.row.places]

    def _placed(self, plan: _Plan, records: Records, rows: Sequence[Row]) -> Origin:
        """Where the records come from, with the partitions that a column says; null is nobody's choice."""
        partitions = list(records.origin.partitions)
        for one in self._there(plan, self._partition):
            at, type_ = plan.column(one.field)
            if kind(type_) != "INT32":
                raise Unreadable(f"The column {one.field}, which names the partition, is no int32.")
            read = reader(type_)
            for place, row in zip(records.places, rows, strict=True):
                partitions[place] = read(row[at])
        return replace(records.origin, partitions=partitions)

    def _headed(self, plan: _Plan, records: Records, rows: Sequence[Row]) -> list[tuple[Header, ...]]:
        found = []
        for one in self._there(plan, self._headers):
            place, type_ = plan.column(one.field)
            found.append((one.name, place, type_, len(some(type_)), rendered(required(type_))))
        former = records.headers or [()] * len(rows)
        return [
            (
                *headers,
                *(
                    (name, None if _null(row[place], type_) else render(row[place][skip:]))
                    for name, place, type_, skip, render in found
                ),
            )
            for headers, row in zip(former, rows, strict=True)
        ]


def _null(piece: bytes, type_: Avro) -> bool:
    return is_optional(type_) and piece == none(type_)


def _column(schema: Schema, rows: Sequence[Row], place: int, type_: Avro) -> Column:
    skip = len(some(type_))
    return Column(schema, datums=[row[place][skip:] for row in rows])


def _key(name: str, type_: Type, doc: str, default: Any, **more: Any) -> Key:
    return Key(name, type_, doc, default, **more)


KIND = Kind(
    "io.debezium.transforms.outbox.EventRouter",
    "Makes of rows inserted into an outbox table events in topics of their own.",
    EventRouter,
    ConfigDef(
        (
            _key("table.field.event.id", Type.STRING, "The column of the event's id, for the header id.", "id"),
            _key("table.field.event.key", Type.STRING, "The column of the key.", "aggregateid"),
            _key("table.field.event.payload", Type.STRING, "The column of the value.", "payload"),
            _key(
                "table.fields.additional.placement",
                Type.LIST,
                "column:header or column:envelope, with :alias behind, or column:partition; with commas between.",
                [],
                importance="HIGH",
                validator=_placement,
            ),
            _key(
                "table.fields.additional.error.on.missing", Type.BOOLEAN, "Whether those columns must be there.", True
            ),
            _key("route.by.field", Type.STRING, "The column that names the topic.", "aggregatetype", importance="HIGH"),
            _key(
                "route.topic.regex",
                Type.STRING,
                "A regular expression of that name as a whole.",
                "(?<routedByValue>.*)",
                validator=valid,
            ),
            _key(
                "route.topic.replacement", Type.STRING, "The topic.", "outbox.event.${routedByValue}", importance="HIGH"
            ),
            _key(
                "table.op.invalid.behavior",
                Type.STRING,
                "What to do about updates: leave them out with a warning or an error in the log, or fail.",
                "warn",
                recommended=("warn", "error", "fatal"),
            ),
        ),
        unsupported={
            r"table\.field\.event\.timestamp": "a record's time is that of its writing; see placement.",
            r"table\.field\.event\.schema\.version": "the registry keeps schemas' versions.",
            r"table\.(expand\.json\.payload|json\.payload\.null\.behavior)": "a payload is written as it is.",
        },
        accepted={
            r"table\.field\.event\.type": "place the column by table.fields.additional.placement.",
            r"route\.tombstone\.on\.empty\.payload": "a record whose payload is null has no value anyway.",
            r"tracing\..*": "spans are not written.",
        },
    ),
    differs="An event's value is Avro too: a text or bytes behind the wire header.",
)
