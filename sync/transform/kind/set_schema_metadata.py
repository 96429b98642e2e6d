"""``SetSchemaMetadata``: another name or version of the key's or value's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError
from sync.transform.kinds import CONNECT, Kind
from sync.transform.record import Column, Records
from sync.transform.schema import Schema, called
from sync.transform.step import REPLACE_NULL, FieldStep, Plan


class SetSchemaMetadata(FieldStep):
    """A ``record.Transform``."""

    purpose = "updating schema metadata"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        super().__init__(values, side)
        self._name, self._version = values["schema.name"], values["schema.version"]
        if self._name is None and self._version is None:
            raise ConfigError("Neither schema name nor version configured", hint="set schema.name or schema.version")

    def plan(self, schema: Schema) -> Plan:
        """See ``step.FieldStep``: the fields stay."""
        type_ = dict(schema.type)
        if self._name is not None:
            # Avro's own name is made such as it allows; Connect's stays as it was given.
            type_ = {**called(type_, self._name), "connect.name": self._name}
        if self._version is not None:
            type_["connect.version"] = self._version
        return Schema(type_), None

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``. Nothing is cut into fields where no null gets a default."""
        column = records.side(self.side)
        if column.schema is None:
            return [records]
        made, fill = self.planned(column.schema)
        if fill is not None:
            return super().apply(records)
        return [records.having(self.side, Column(made, datums=column.datums))]


KIND = Kind(
    f"{CONNECT}.SetSchemaMetadata",
    "Gives the key's or value's schema another name or version.",
    SetSchemaMetadata,
    ConfigDef(
        (
            Key("schema.name", Type.STRING, "Schema name to set.", None, importance="HIGH"),
            Key("schema.version", Type.INT, "Schema version to set.", None, importance="HIGH"),
            REPLACE_NULL,
        )
    ),
    sided=True,
    differs="The version is the schema's property connect.version; the registry numbers versions of its own.",
)
