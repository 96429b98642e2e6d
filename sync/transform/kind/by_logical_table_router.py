"""Debezium's ``ByLogicalTableRouter``: several tables into one topic, told apart by a field of the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import REQUIRED, ConfigDef, Key, Type
from sync.errors import ConfigError, Unreadable
from sync.transform.kinds import Kind
from sync.transform.pattern import compiled, replaced, valid
from sync.transform.piece import text
from sync.transform.record import Column, Records
from sync.transform.schema import Field, Schema, called, is_envelope, is_optional, required

_ROW = ("before", "after")


class ByLogicalTableRouter:
    """A ``record.Transform``."""

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        del side
        self._topic = replaced(compiled(values["topic.regex"]), values["topic.replacement"])
        self._unique = values["key.enforce.uniqueness"]
        self._name = values["key.field.name"]
        self._table = None
        if bool(values["key.field.regex"]) != bool(values["key.field.replacement"]):
            raise ConfigError(
                "key.field.regex and key.field.replacement are set together or not at all.", hint="set both, or none"
            )
        if values["key.field.regex"]:
            self._table = replaced(compiled(values["key.field.regex"]), values["key.field.replacement"])
        self._made: dict[tuple[str, Schema], Schema] = {}

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        topic = self._topic(records.topic)
        if not topic:
            return [records]
        key, value = self._keys(records, topic), records.value
        if value.schema is not None and is_envelope(value.schema):
            value = _under(value, self._once(f"{topic}.Envelope", value.schema, _envelope, topic))
        return [records.having("Key", key).having("Value", value).renamed(topic)]

    def _keys(self, records: Records, topic: str) -> Column:
        column = records.key
        if column.schema is None:
            return column
        if not column.schema.is_record:
            raise Unreadable("Only a key that is a record can be given a field for the table.")
        made = self._once(f"{topic}.Key", column.schema, self._key, topic)
        if not self._unique:
            return _under(column, made)
        table = self._table(records.topic) if self._table else None
        piece = text(records.topic if table is None else table)
        return Column(made, rows=[(*row, piece) for row in column.rows])

    def _once(self, name: str, schema: Schema, make: Any, topic: str) -> Schema:
        found = self._made.get((name, schema))
        if found is None:
            found = self._made[name, schema] = make(schema, topic)
        return found

    def _key(self, schema: Schema, topic: str) -> Schema:
        fields = [*schema.fields, *([{"name": self._name, "type": "string"}] if self._unique else ())]
        return Schema({**called(schema.type, f"{topic}.Key"), "fields": fields})


def _envelope(schema: Schema, topic: str) -> Schema:
    fields: list[Field] = []
    row = None
    for field in schema.fields:
        if field["name"] in _ROW:
            row = row or called(required(field["type"]), f"{topic}.Value")
            fields.append({**field, "type": ["null", row] if is_optional(field["type"]) else row})
        else:
            fields.append(field)
    return Schema({**called(schema.type, f"{topic}.Envelope"), "fields": fields})


def _under(column: Column, schema: Schema) -> Column:
    """The same bytes under another schema."""
    return Column(schema, datums=column.datums)


def _key(name: str, type_: Type, doc: str, default: Any = REQUIRED, **more: Any) -> Key:
    return Key(name, type_, doc, default, importance="LOW", **more)


KIND = Kind(
    "io.debezium.transforms.ByLogicalTableRouter",
    "Sends the changes of several tables to one topic, and tells them apart by a field of the key.",
    ByLogicalTableRouter,
    ConfigDef(
        (
            _key("topic.regex", Type.STRING, "A regular expression of topics' whole names.", validator=valid),
            _key("topic.replacement", Type.STRING, "The new name: $1 or ${name} for a group."),
            _key("key.enforce.uniqueness", Type.BOOLEAN, "Whether the key gets a field for the table.", True),
            _key("key.field.name", Type.STRING, "That field's name.", "__dbz__physicalTableIdentifier"),
            _key("key.field.regex", Type.STRING, "A regular expression of topics, for that field's value.", None),
            _key("key.field.replacement", Type.STRING, "That field's value; the topic's name by default.", None),
        ),
        accepted={
            r"logical\.table\.cache\.size": "schemas are kept for as long as the task runs.",
            r"schema\.name\.adjustment\.mode": "names are always such as Avro allows.",
        },
    ),
)
