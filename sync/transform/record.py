"""What a chain works on: records of one topic, one key schema and one value schema, in order.

``Column`` holds one side of them (keys or values) as wire bytes, as datums or as rows of fields, whichever a step
made, and turns one into the next only when somebody asks: a step that looks at the topic decodes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sync.errors import Unreadable
from sync.schema.avro import header
from sync.transform.piece import Row, splitter
from sync.transform.schema import Schema

HEADER = 5
Header = tuple[str, bytes | None]


class Column:
    """Keys or values of records: all of one schema, or all absent (``schema`` None)."""

    __slots__ = ("_datums", "_rows", "_wires", "schema")

    def __init__(
        self,
        schema: Schema | None,
        *,
        wires: Sequence[bytes | None] | None = None,
        datums: Sequence[bytes] | None = None,
        rows: Sequence[Row] | None = None,
    ) -> None:
        """One of the three forms. ``wires`` are whole: 5 bytes of header, then the datum."""
        self.schema = schema
        self._wires = wires
        self._datums = datums
        self._rows = rows

    @classmethod
    def absent(cls, count: int) -> Column:
        """So many times nothing."""
        return cls(None, wires=[None] * count)

    @property
    def datums(self) -> Sequence[bytes]:
        """The bytes of each, without the wire header."""
        if self._datums is None:
            if self._rows is not None:
                self._datums = [b"".join(row) for row in self._rows]
            else:
                self._datums = [wire[HEADER:] for wire in self._wires or () if wire is not None]
        return self._datums

    @property
    def rows(self) -> Sequence[Row]:
        """The fields of each. Raises Unreadable for what isn't a record, or isn't one of the schema."""
        if self._rows is None:
            schema = self.schema
            if schema is None or not schema.is_record:
                raise Unreadable("Only records have fields, and this is none.")
            if schema.cut is None:
                schema.cut = splitter(schema)
            self._rows = list(map(schema.cut, self.datums))
        return self._rows

    def wires(self, head: bytes) -> Sequence[bytes | None]:
        """The wire form under a schema id's header; the bytes that came in where they are the same."""
        if self._wires is not None and (
            self.schema is None or not self._wires or (self._wires[0] or b"")[:HEADER] == head
        ):
            return self._wires
        return [head + datum for datum in self.datums]

    def take(self, indices: Sequence[int]) -> Column:
        """Those at ``indices``."""
        forms = (self._wires, self._datums, self._rows)
        wires, datums, rows = (None if form is None else [form[i] for i in indices] for form in forms)
        return Column(self.schema, wires=wires, datums=datums, rows=rows)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Origin:
    """What Kafka says of the records that came in, by their place; a source's have no offset and no time yet."""

    partitions: Sequence[int | None]
    offsets: Sequence[int] | None = None
    timestamps: Sequence[int | None] | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """A group. ``places`` tells which of the input each was; ``headers`` is None while no record has any."""

    topic: str
    key: Column
    value: Column
    places: Sequence[int]
    origin: Origin
    headers: Sequence[tuple[Header, ...]] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def take(self, indices: Sequence[int]) -> Records:
        """Those at ``indices``."""
        if len(indices) == len(self.places):
            return self
        return replace(
            self,
            key=self.key.take(indices),
            value=self.value.take(indices),
            places=[self.places[i] for i in indices],
            headers=None if self.headers is None else [self.headers[i] for i in indices],
        )

    def side(self, side: str) -> Column:
        """The column called ``Key`` or ``Value``."""
        return self.key if side == "Key" else self.value

    def having(self, side: str, column: Column) -> Records:
        """The same with another key or value."""
        return replace(self, key=column) if side == "Key" else replace(self, value=column)

    def renamed(self, topic: str) -> Records:
        """The same under another topic."""
        return replace(self, topic=topic)

    def by(self, groups: Mapping[Any, list[int]]) -> Iterator[tuple[Any, Records]]:
        """The group in parts: ``groups`` has each part's indices."""
        for label, indices in groups.items():
            yield label, self.take(indices)


def grouped(labels: Sequence[Any]) -> dict[Any, list[int]]:
    """The indices of equal labels, in the order in which they are first met."""
    found: dict[Any, list[int]] = {}
    for index, label in enumerate(labels):
        found.setdefault(label, []).append(index)
    return found


class Transform(Protocol):
    """One step of a chain. Made for one configuration; called by one thread with one group after another."""

    def apply(self, records: Records) -> Sequence[Records]:
        """What becomes of a group: itself, others, nothing. Groups may be split; no record becomes two.

        Raises Unreadable where a record isn't such as the step needs; then each is tried alone.
        """


class Predicate(Protocol):
    """What decides for which records a step is made."""

    def matches(self, records: Records) -> Sequence[bool]:
        """One answer for each record."""


class Schemas:
    """The schemas of what comes in, by the wire header. ``lookup`` gives the registry's by id."""

    def __init__(self, lookup: Callable[[int], dict[str, Any]]) -> None:
        self._lookup = lookup
        self._known: dict[bytes, Schema] = {}

    def column(self, data: Sequence[bytes | None], head: bytes | None) -> Column:
        """A column of what has this header. Raises Unreadable where it is none, or of no known schema."""
        if head is None:
            return Column(None, wires=data)
        schema = self._known.get(head)
        if schema is None:
            if len(head) < HEADER or head[0]:
                raise Unreadable("It isn't in Confluent's wire format (a zero byte and a schema id).")
            schema = self._known[head] = Schema.read(self._lookup(int.from_bytes(head[1:], "big")))
        return Column(schema, wires=data)


class Heads:
    """The wire headers of what goes out. ``register`` gives the id of ``(topic, side, schema)``."""

    def __init__(self, register: Callable[[str, str, Schema], int]) -> None:
        self._register = register
        self._known: dict[tuple[str, str, Schema], bytes] = {}

    def of(self, topic: str, side: str, column: Column) -> bytes:
        """The header for a column. Raises what ``register`` raises."""
        if column.schema is None:
            return b""
        key = (topic, side, column.schema)
        head = self._known.get(key)
        if head is None:
            head = self._known[key] = header(self._register(topic, side, column.schema))
        return head
