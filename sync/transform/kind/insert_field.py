"""``InsertField``: add fields that hold the topic, the partition, the offset, the time, or a given text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import Unreadable
from sync.transform.kinds import CONNECT, Kind
from sync.transform.piece import writer
from sync.transform.record import Column, Records
from sync.transform.schema import TIMESTAMP, Avro, Schema, field
from sync.transform.step import REPLACE_NULL, FieldStep, Plan

Values = Callable[[Records], Sequence[Any]]

_TIMESTAMP = {"type": "long", "connect.version": 1, "connect.name": TIMESTAMP, "logicalType": "timestamp-millis"}


def _offsets(records: Records) -> Sequence[int]:
    found = records.origin.offsets
    if found is None:
        raise Unreadable("Offset insertion is only supported for sink connectors: records of sources have none yet.")
    return [found[place] for place in records.places]


def _timestamps(records: Records) -> Sequence[int | None]:
    found = records.origin.timestamps
    return [None] * len(records) if found is None else [found[place] for place in records.places]


class InsertField(FieldStep):
    """A ``record.Transform``."""

    purpose = "field insertion"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        text = values["static.value"]
        wanted: tuple[tuple[str, Avro, Values], ...] = (
            ("topic.field", "string", lambda records: [records.topic] * len(records)),
            ("partition.field", "int", lambda records: [records.origin.partitions[i] for i in records.places]),
            ("offset.field", "long", _offsets),
            ("timestamp.field", _TIMESTAMP, _timestamps),
            ("static.field", "string", lambda records: [text] * len(records)),
        )
        self._inserted = [
            (field(name.rstrip("?!"), type_, optional=not name.endswith("!")), give)
            for key, type_, give in wanted
            if (name := values[key])
        ]
        self._writers = [writer(made["type"]) for made, _ in self._inserted]

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``."""
        for made, _ in self._inserted:
            if made["name"] in schema.places:
                raise Unreadable(f"Cannot create field because of field name duplication {made['name']}.")
        return schema.of([*schema.fields, *(made for made, _ in self._inserted)]), None

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self.side)
        if column.schema is None:
            return [records]
        made, change = self.planned(column.schema)
        rows = column.rows if change is None else list(map(change, column.rows))
        added = [self._pieces(number, records) for number in range(len(self._inserted))]
        found = [(*row, *more) for row, more in zip(rows, zip(*added, strict=True), strict=True)] if added else rows
        return [records.having(self.side, Column(made, rows=found))]

    def _pieces(self, number: int, records: Records) -> Sequence[bytes]:
        made, give = self._inserted[number]
        write = self._writers[number]
        known: dict[Any, bytes] = {}
        pieces = []
        for value in give(records):
            if value is None and not isinstance(made["type"], list):
                raise Unreadable(f"The field {made['name']} is required, and the record has no value for it.")
            piece = known.get(value)
            if piece is None:
                piece = known[value] = write(value)
            pieces.append(piece)
        return pieces


def _key(name: str, doc: str) -> Key:
    return Key(name, Type.STRING, f"{doc} ! behind the name makes it required, ? (or nothing) optional.", None)


KIND = Kind(
    f"{CONNECT}.InsertField",
    "Adds fields that hold the topic, the partition, the offset, the time, or a given text.",
    InsertField,
    ConfigDef(
        (
            _key("topic.field", "Field for the topic."),
            _key("partition.field", "Field for the partition."),
            _key("offset.field", "Field for the offset (sinks only)."),
            _key("timestamp.field", "Field for the record's time (sinks only)."),
            _key("static.field", "Field for static.value."),
            Key("static.value", Type.STRING, "The text for static.field.", None),
            REPLACE_NULL,
        )
    ),
    sided=True,
)
