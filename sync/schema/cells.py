"""Where each field of many records stands in their bytes: fields are chosen and copied without being decoded.

Used by the reconcile step, which takes every field of a golden record from one of several records. The records' schemas
have plain fields only (``Layout.of`` tells); nullable ones are unions ``["null", T]``. Positions are found for all
records at once, a field at a time, by numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sync.errors import Unreadable
from sync.schema import avro

Places = NDArray[np.int32]
Rows = NDArray[np.int64]
Kind = Literal["sized", "varint", "byte"]

_KINDS: dict[str, Kind] = {"string": "sized", "bytes": "sized", "int": "varint", "long": "varint", "boolean": "byte"}
_MEANING = ("type", "logicalType", "precision", "scale")
_LONGEST = 10
"""Bytes of a varint at most (64 bits)."""


@dataclass(frozen=True)
class Cells:
    """F fields of N records: ``data[begins[f, n]:ends[f, n]]`` is the datum of field f of record n.

    ``there``: false where it is null. ``data`` begins with F bytes of zero: nulls, one after the other.
    """

    data: bytes
    begins: Places
    ends: Places
    there: NDArray[np.bool_]

    def rows(self, numbers: Sequence[int]) -> Cells:
        """These records, in this order."""
        index = np.asarray(numbers, dtype=np.int64)
        return Cells(self.data, self.begins[:, index], self.ends[:, index], self.there[:, index])

    def followed(self, other: Cells) -> Cells:
        """The records of both, with the same fields."""
        size = np.int32(len(self.data))
        return Cells(
            self.data + other.data,
            np.concatenate((self.begins, other.begins + size), axis=1),
            np.concatenate((self.ends, other.ends + size), axis=1),
            np.concatenate((self.there, other.there), axis=1),
        )

    def gathered(self, chosen: Rows) -> list[bytes]:
        """For each of E rows of ``chosen`` (E × F) the datum whose field f comes from record ``chosen[e, f]``.

        -1 is null. Fields that stand side by side in one record are copied as one.
        """
        fields = len(self.begins)
        rows = chosen.T.copy()
        for field in range(1, fields if self.there.shape[1] else 0):
            # A null that the record of the field before has too is copied along with it.
            before = rows[field - 1]
            along = (rows[field] < 0) & (before >= 0) & ~self.there[field, before]
            rows[field][along] = before[along]
        null, places = rows < 0, np.arange(fields, dtype=np.int32)[:, None]
        if self.there.shape[1]:
            begins = np.where(null, places, np.take_along_axis(self.begins, rows, axis=1)).T
            ends = np.where(null, places + np.int32(1), np.take_along_axis(self.ends, rows, axis=1)).T
        else:
            begins, ends = np.broadcast_to(places.T, chosen.shape), np.broadcast_to(places.T + 1, chosen.shape)
        first = np.ones(chosen.shape, dtype=np.bool_)
        first[:, 1:] = begins[:, 1:] != ends[:, :-1]
        last = np.ones(chosen.shape, dtype=np.bool_)
        last[:, :-1] = first[:, 1:]
        data = self.data
        pieces = [data[begin:end] for begin, end in zip(begins[first].tolist(), ends[last].tolist(), strict=True)]
        until = np.cumsum(np.count_nonzero(first, axis=1)).tolist()
        return [b"".join(pieces[start:end]) for start, end in zip([0, *until], until, strict=False)]


@dataclass(frozen=True, slots=True)
class Scan:
    """N records with the places of all their fields.

    ``numbers``: the fields by name. ``places``: where they begin in ``data``, a row a field and one more for the ends,
    a column a record.
    """

    numbers: Mapping[str, int]
    data: bytes
    places: Places
    there: NDArray[np.bool_]

    def cells(self, names: Sequence[str]) -> Cells:
        """These fields; what the records lack is null. Scanned with at least as many bytes of zero in front."""
        shape = (len(names), self.places.shape[1])
        begins, ends = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int32)
        there = np.zeros(shape, dtype=np.bool_)
        for row, name in enumerate(names):
            number = self.numbers.get(name)
            if number is None:
                begins[row], ends[row] = row, row + 1
            else:
                begins[row], ends[row], there[row] = self.places[number], self.places[number + 1], self.there[number]
        return Cells(self.data, begins, ends, there)

    def projected(self, names: Sequence[str]) -> list[bytes]:
        """The datums of records with these fields alone, which are in the schema's order."""
        numbers = [self.numbers[name] for name in names]
        starts = [number for number in numbers if number - 1 not in numbers]
        ends = [number + 1 for number in numbers if number + 1 not in numbers]
        runs = [self._run(start, end) for start, end in zip(starts, ends, strict=True)]
        return runs[0] if len(runs) == 1 else [b"".join(parts) for parts in zip(*runs, strict=True)]

    def _run(self, start: int, end: int) -> list[bytes]:
        """The fields from ``start`` to before ``end`` of each record."""
        data, places = self.data, self.places
        return [data[begin:stop] for begin, stop in zip(places[start].tolist(), places[end].tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: Kind
    nullable: bool
    meaning: tuple[Any, ...]


class Layout:
    """How the datums of one record schema are laid out."""

    def __init__(self, fields: Sequence[_Field], name: str) -> None:
        self._fields = fields
        self._name = name
        self._places = {field.name: number for number, field in enumerate(fields)}

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Layout | None:
        """The layout of ``schema``'s datums; None where a field is no plain one."""
        fields = [_field(item) for item in schema["fields"]]
        known = [field for field in fields if field is not None]
        return cls(known, avro.name(schema)) if len(known) == len(fields) else None

    @property
    def names(self) -> Sequence[str]:
        """The fields, in order."""
        return [field.name for field in self._fields]

    @property
    def needed(self) -> Sequence[str]:
        """The fields that are never null."""
        return [field.name for field in self._fields if not field.nullable]

    def gives(self, target: Layout) -> bool:
        """Whether ``target``'s fields may be copied from these: of one type, or null where there is none."""
        for field in target._fields:
            place = self._places.get(field.name)
            own = None if place is None else self._fields[place]
            if own is None and not field.nullable:
                return False
            if own is not None and (own.nullable, own.meaning) != (field.nullable, field.meaning):
                return False
        return True

    def scan(self, datums: Sequence[bytes], start: int = 0, skip: int = 0) -> Scan:
        """Find the fields of ``datums``; ``start`` bytes of zero are put first, ``skip`` bytes stand before each.

        Raises Unreadable where one isn't a record of the schema.
        """
        data = b"".join([bytes(start), *datums, bytes(2 * _LONGEST)])
        content = np.frombuffer(data, dtype=np.uint8)
        sizes = np.fromiter(map(len, datums), dtype=np.int64, count=len(datums))
        ends = start + np.cumsum(sizes)
        at = ends - sizes + skip
        found = np.empty((len(self._fields) + 1, len(datums)), dtype=np.int32)
        there = np.ones((len(self._fields), len(datums)), dtype=np.bool_)
        try:
            for number, field in enumerate(self._fields):
                found[number] = at
                if not field.nullable:
                    at = _behind(field.kind, content, at)
                    continue
                branches = content[at]
                some = branches == 2
                if np.count_nonzero(branches) != np.count_nonzero(some):
                    raise self._unreadable(len(datums))
                there[number] = some
                if some.all():
                    at = _behind(field.kind, content, at + 1)
                elif some.any():
                    at = np.where(some, _behind(field.kind, content, at + 1), at + 1)
                else:
                    at = at + 1
        except IndexError:
            raise self._unreadable(len(datums)) from None
        if not np.array_equal(at, ends):
            raise self._unreadable(len(datums))
        found[-1] = at
        return Scan(self._places, data, found, there)

    def _unreadable(self, count: int) -> Unreadable:
        return Unreadable(f"A batch of {count} isn't made of records of the Avro schema {self._name}.")


def _field(item: Mapping[str, Any]) -> _Field | None:
    """A field of a record schema; None where it is no plain one."""
    written = item["type"]
    nullable = isinstance(written, list)
    if nullable and (len(written) != 2 or written[0] != "null"):
        return None
    kind = written[1] if nullable else written
    told = kind if isinstance(kind, Mapping) else {"type": kind}
    name = told["type"]
    if not isinstance(name, str) or name not in _KINDS:
        return None
    return _Field(item["name"], _KINDS[name], nullable, tuple(told.get(part) for part in _MEANING))


def _behind(kind: Kind, content: NDArray[np.uint8], at: Rows) -> Rows:
    """Where what follows a value begins; values that are not there are read too, for nothing."""
    if kind == "byte":
        return at + 1
    first = content[at]
    long = first > 127
    if not long.any():
        return at + 1 if kind == "varint" else at + 1 + (first >> 1)
    size = (first & 0x7F).astype(np.int64)
    after = at + 1
    for shift in range(7, 7 * _LONGEST, 7):
        rows = np.flatnonzero(long)
        if not len(rows):
            break
        byte = content[after[rows]]
        size[rows] |= (byte & np.uint8(0x7F)).astype(np.int64) << shift
        after[rows] += 1
        long[rows] = byte > 127
    return after if kind == "varint" else after + (size >> 1)
