"""What transforms of one side's fields share: a plan made once a schema, then run on each row's bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sync.config import Key, Type
from sync.errors import Unreadable
from sync.transform.piece import Row, default_piece
from sync.transform.record import Column, Records
from sync.transform.schema import Avro, Schema, default, is_optional, none, some

Change = Callable[[Row], Row]
Plan = tuple[Schema, Change | None]
"""The schema that a schema becomes, and what becomes of a row's fields; None where they stay."""

REPLACE_NULL = Key(
    "replace.null.with.default",
    Type.BOOLEAN,
    "Whether a field that is null and has a default gets the default.",
    default=True,
)


class FieldStep:
    """A transform of the fields of keys or of values: ``plan`` says how. Records without that side pass."""

    purpose = "field replacement"

    def __init__(self, values: Mapping[str, Any], side: str) -> None:
        self.side = side
        self._replace_null = bool(values.get(REPLACE_NULL.name, False))
        self._plans: dict[Schema, Plan] = {}

    def plan(self, schema: Schema) -> Plan:
        """Say what becomes of records of ``schema``. Raises Unreadable where they can't be transformed."""
        raise NotImplementedError

    def apply(self, records: Records) -> Sequence[Records]:
        """See ``record.Transform``."""
        column = records.side(self.side)
        if column.schema is None:
            return [records]
        made, change = self.planned(column.schema)
        rows = column.rows if change is None else list(map(change, column.rows))
        return [records.having(self.side, Column(made, rows=rows))]

    def planned(self, schema: Schema) -> Plan:
        """The plan for a schema, made when it is first met."""
        found = self._plans.get(schema)
        if found is None:
            require_record(schema, self.purpose)
            made, change = self.plan(schema)
            found = self._plans[schema] = made, chained(self.filled(schema), change)
        return found

    def filled(self, schema: Schema) -> Change | None:
        """What puts defaults in place of nulls; None where there is nothing to do."""
        return filled(schema) if self._replace_null else None


def require_record(schema: Schema | None, purpose: str) -> None:
    """Raise Unreadable unless it is a record's schema."""
    if schema is None or not schema.is_record:
        raise Unreadable(f"Only records can be had for {purpose}.")


def filled(schema: Schema) -> Change | None:
    """What puts defaults in place of nulls in the fields that have one; None where no field does."""
    defaults = {
        place: (none(field["type"]), default_piece(field, value))
        for place, field in enumerate(schema.fields)
        if is_optional(field["type"]) and (value := default(field)) is not None
    }
    if not defaults:
        return None

    def fill(row: Row) -> Row:
        changed = list(row)
        for place, (nothing, piece) in defaults.items():
            if changed[place] == nothing:
                changed[place] = piece
        return tuple(changed)

    return fill


def chained(first: Change | None, second: Change | None) -> Change | None:
    """One after the other; None is no change."""
    if first is None or second is None:
        return first or second
    return lambda row: second(first(row))


def picked(places: Sequence[int]) -> Change:
    """What takes fields by their places."""
    if len(places) == 1:
        place = places[0]
        return lambda row: (row[place],)
    if not places:
        return lambda _: ()
    return itemgetter(*places)


def one_changed(place: int, change: Callable[[bytes], bytes]) -> Change:
    """What changes one field."""
    return lambda row: (*row[:place], change(row[place]), *row[place + 1 :])


def loosened(was: Avro, type_: Avro) -> Callable[[bytes], bytes] | None:
    """What makes a field's bytes those of ``type_``, which may be null where ``was`` may not; None if they are."""
    if not is_optional(type_):
        return None
    branch, nothing = some(type_), none(type_)
    if not is_optional(was):
        return lambda piece: branch + piece
    former = none(was)
    if former == nothing:
        return None
    return lambda piece: nothing if piece == former else branch + piece[1:]
