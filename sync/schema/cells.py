"""Where each field of many records stands in their bytes: fields are chosen and copied without being decoded.

Used by the reconcile step, which takes every field of a golden record from one of several records. The records' schemas
have plain fields only (``Layout.of`` tells); nullable ones are unions ``["null", T]``. The loops over records and
fields are compiled (``loops``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.compiled import PIECE, Bytes
from sync.errors import Unreadable
from sync.schema import avro, loops

Places = NDArray[Any]
"""Of int32, or int64 where there are more bytes."""

Rows = NDArray[np.int64]

_KINDS = {
    "string": loops.SIZED,
    "bytes": loops.SIZED,
    "int": loops.VARINT,
    "long": loops.VARINT,
    "boolean": loops.BYTE,
}
_MEANING = ("type", "logicalType", "precision", "scale")


@dataclass(frozen=True, slots=True)
class Scan:
    """N records with the places of all their fields.

    ``numbers``: the fields by name. ``places``: where they begin in ``data``, a row a record, a column a field
    and one more for the ends.
    """

    numbers: Mapping[str, int]
    data: Bytes
    places: Places
    there: NDArray[np.bool_]

    def cells(self, names: Sequence[str]) -> Cells:
        """These fields; what the records lack is null."""
        there = np.zeros((len(names), len(self.places)), dtype=np.bool_)
        for row, name in enumerate(names):
            if name in self.numbers:
                there[row] = self.there[self.numbers[name]]
        return Cells((self,), names, np.arange(there.shape[1]), there)

    def projected(self, names: Sequence[str], separator: bytes) -> bytes:
        """The datums of records with these fields alone, in the schema's order, ``separator`` behind each."""
        numbers = [self.numbers[name] for name in names]
        starts = [number for number in numbers if number - 1 not in numbers]
        ends = [number + 1 for number in numbers if number + 1 not in numbers]
        runs = np.array([starts, ends], dtype=np.int64).T.copy()
        found = loops.project(self.data, self.places, runs, np.frombuffer(separator, dtype=np.uint8))
        return found[:-PIECE].tobytes()

    def of(self, names: Sequence[str]) -> loops.Scanned:
        """These fields, for the compiled loops."""
        fields = np.array([self.numbers.get(name, -1) for name in names], dtype=np.int64)
        return loops.Scanned(self.data, self.places, fields)


@dataclass(frozen=True, slots=True)
class Cells:
    """F fields, ``names``, of N records out of one or two scans: nothing is copied before fields are chosen.

    ``numbers``: which record each is, counted through both scans. ``there``: F × N; false where a field is null, or
    where the record has no such field.
    """

    scans: tuple[Scan, ...]
    names: Sequence[str]
    numbers: Rows
    there: NDArray[np.bool_]

    def rows(self, numbers: Sequence[int]) -> Cells:
        """These records, in this order."""
        index = np.asarray(numbers, dtype=np.int64)
        return Cells(self.scans, self.names, self.numbers[index], self.there.take(index, axis=1))

    def followed(self, other: Cells) -> Cells:
        """The records of both, of one scan each, with the same fields."""
        (first,), (second,) = self.scans, other.scans
        numbers = np.concatenate((self.numbers, other.numbers + len(first.places)))
        return Cells((first, second), self.names, numbers, np.concatenate((self.there, other.there), axis=1))

    def gathered(self, chosen: Rows) -> list[bytes]:
        """For each of E rows of ``chosen`` (E × F) the datum whose field f comes from record ``chosen[e, f]``.

        -1 is null.
        """
        first, second = (scan.of(self.names) for scan in (self.scans[0], self.scans[-1]))
        bounds = np.empty(len(chosen) + 1, dtype=np.int64)
        fields = np.ascontiguousarray(chosen.T)
        data = loops.choose(first, second, len(self.scans[0].places), self.numbers, fields, bounds).tobytes()
        starts = bounds.tolist()
        return [data[start:end] for start, end in pairwise(starts)]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: int
    nullable: bool
    meaning: tuple[Any, ...]


class Layout:
    """How the datums of one record schema are laid out."""

    def __init__(self, fields: Sequence[_Field], name: str) -> None:
        self._fields = fields
        self._name = name
        self._places = {field.name: number for number, field in enumerate(fields)}
        self._kinds = np.array([field.kind for field in fields], dtype=np.uint8)
        self._nullable = np.array([field.nullable for field in fields], dtype=np.bool_)

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

    def scan(self, datums: Sequence[bytes], skip: int = 0) -> Scan:
        """Find the fields of ``datums``; ``skip`` bytes stand before each.

        Raises Unreadable where one isn't a record of the schema.
        """
        data = np.frombuffer(b"".join([*datums, bytes(PIECE)]), dtype=np.uint8)
        sizes = np.fromiter(map(len, datums), dtype=np.int64, count=len(datums))
        ends = np.cumsum(sizes)
        places = np.empty((len(datums), len(self._fields) + 1), dtype=_number(len(data)))
        there = np.empty((len(self._fields), len(datums)), dtype=np.bool_)
        bounds = np.stack((ends - sizes + skip, ends))
        if not loops.find(data, bounds, self._kinds, self._nullable, places, there):
            raise Unreadable(f"A batch of {len(datums)} isn't made of records of the Avro schema {self._name}.")
        return Scan(self._places, data, places, there)


def _number(size: int) -> type[np.int32] | type[np.int64]:
    """What places in that many bytes are written as: half the memory, where that is enough."""
    return np.int32 if size < 2**31 else np.int64


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
