"""Micro-batches of Avro records to and from Polars frames, natively (DESIGN §5, "columns, not dicts").

Called by processors and sinks, for many records of one schema at a time. A batch of datums becomes an Avro object
container in memory, which ``polars.read_avro`` decodes; on the way back ``write_avro`` writes a container whose one
block is cut into datums. Marks between the records (decode) and the fields (encode) keep the two ways honest:

* Decode: a random double follows each datum as a last field. A datum that is too short or too long shifts what
  follows, so the marks no longer agree, and no neighbour is read wrongly in silence.
* Encode: the first fields, up to the last that isn't nullable, are put together by ``leading``, the others by Polars,
  which writes each column as ``["null", T]``. In front of a field that isn't nullable stands a column with a random
  mark, and the mark together with the union branches around it is cut out. A last mark ends the record.

``plan`` holds the translation of types for decoding, ``fitting`` for encoding. fastavro is the tests' oracle.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import polars as pl

from sync.errors import Incompatible, Unreadable
from sync.schema import avro, datum
from sync.schema.fitting import fitted, rows, writing
from sync.schema.leading import leading
from sync.schema.plan import reading

_MAGIC = b"Obj\x01"
_SYNC = bytes(range(16))
_END = "__dongbo_end__"
_ATTEMPTS = 3

Datum = bytes | memoryview


class Columns:
    """The translation between datums of one record schema and frames. Immutable after construction; thread-safe.

    ``dtypes`` is the frame's schema: string, enum, uuid → String; int → Int32; long → Int64; boolean, float, double;
    bytes, fixed → Binary; date; timestamp-millis/micros → Datetime with UTC, local-timestamp-* without; time-* → Time;
    decimal (up to 38 digits) → Decimal, more digits → Binary; record → Struct; array → List; map → List of
    Struct(key, value). Debezium's semantic types (``connect.name``) stay what they are on the wire.
    """

    def __init__(self, schema: dict[str, Any], only: Collection[str] | None = None) -> None:
        """Compile ``schema``. Raises Unreadable for what has no column: unions of several types, recursive records.

        ``only``: the fields that ``decode`` makes columns of; the others are passed over, which costs a fraction.
        """
        self.schema = schema
        self.name = avro.name(schema)
        self._reading = reading(schema)
        self._writing = writing(schema)
        self.dtypes = self._reading.dtypes
        self._wanted = None if only is None else [*(name for name in self.dtypes if name in only), _END]
        if only is not None:
            self.dtypes = pl.Schema({name: dtype for name, dtype in self.dtypes.items() if name in only})
        self._restore = [change for change in self._reading.restore if change.meta.output_name() in self.dtypes]
        self._end = random.uniform(1.0, 2.0)
        self.separator = struct.pack("<d", self._end)
        """Stands behind each datum of ``decode_joined``."""
        fields = [*self._reading.schema["fields"], {"name": _END, "type": "double"}]
        self._header = _header({**self._reading.schema, "fields": fields})

    def decode(self, datums: Sequence[Datum]) -> pl.DataFrame:
        """Return a frame with a row for each datum (without the 5 bytes of the wire format), in order.

        Raises Unreadable when at least one isn't a record of the schema; ``decode_each`` tells which.
        """
        return self.decode_joined(self.separator.join([*datums, b""]), len(datums))

    def decode_joined(self, body: bytes, count: int) -> pl.DataFrame:
        """Return a frame with a row for each of ``count`` datums, behind each of which stands ``separator``.

        Raises Unreadable, as ``decode``.
        """
        if not count:
            return pl.DataFrame(schema=self.dtypes)
        block = b"".join((self._header, datum.zigzag(count), datum.zigzag(len(body)), body, _SYNC))
        try:
            frame = pl.read_avro(io.BytesIO(block), columns=self._wanted)
            ends = frame.drop_in_place(_END)
            if len(ends) != count or not bool((ends == self._end).all()):
                raise self._unreadable(count)
            return frame.with_columns(self._restore) if self._restore else frame
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise self._unreadable(count) from error

    def _unreadable(self, count: int) -> Unreadable:
        return Unreadable(f"A batch of {count} isn't made of records of the Avro schema {self.name}.")

    def decode_each(self, datums: Sequence[Datum]) -> tuple[list[int], pl.DataFrame, list[tuple[int, str]]]:
        """Return ``(indices of the good, their frame, [(index of a bad one, reason)])``; never raises for garbage.

        Both lists are in order. A reason names the schema and the kind of fault, no value.
        """
        try:
            return list(range(len(datums))), self.decode(datums), []
        except Unreadable:
            pass
        bad: dict[int, str] = {}
        for index, one in enumerate(datums):
            try:
                avro.decode_one(self.schema, one)
            except Unreadable as error:
                bad[index] = str(error)
        good: list[int] = []
        frames = [pl.DataFrame(schema=self.dtypes)]
        for part, frame in self._bisect(datums, [index for index in range(len(datums)) if index not in bad]):
            if frame is None:
                bad[part[0]] = f"The bytes aren't a record of {self.name} that fits into columns."
            else:
                good.extend(part)
                frames.append(frame)
        return good, pl.concat(frames), sorted(bad.items())

    def _bisect(self, datums: Sequence[Datum], indices: list[int]) -> Iterator[tuple[list[int], pl.DataFrame | None]]:
        """Yield the readable among halves of halves with their frames, and each unreadable one with None."""
        if not indices:
            return
        try:
            yield indices, self.decode([datums[index] for index in indices])
        except Unreadable:
            if len(indices) == 1:
                yield indices, None
                return
            half = len(indices) // 2
            yield from self._bisect(datums, indices[:half])
            yield from self._bisect(datums, indices[half:])

    def encode(self, frame: pl.DataFrame, *, prefix: bytes = b"") -> list[bytes]:
        """Return a datum for each row, in order, each with ``prefix`` (``avro.header(id)``) in front.

        The frame holds the schema's fields as columns, in any order, of ``dtypes`` or of what casts to them without
        loss (timestamps are cut to the field's unit); other columns are left out. Raises Incompatible naming the
        field: missing, of another type, null where the schema allows none, out of range, not a symbol of the enum.
        """
        writing = self._writing
        if writing.targets is None:
            return [prefix + part for part in rows(frame, writing, self.name)]
        if not frame.height:
            return []
        columns, head = fitted(frame, writing, self.name), writing.head
        nullable = [target.nullable for target in writing.targets[:head]]
        front = leading(columns[:head], nullable, prefix) if head else [prefix] * frame.height
        if head == len(columns):
            return front
        return [first + rest for first, rest in zip(front, self._cut(columns[head:]), strict=True)]

    def _cut(self, columns: list[pl.Series]) -> list[bytes]:
        height, required = len(columns[0]), self._writing.required
        for _ in range(_ATTEMPTS):
            drop, end = os.urandom(8), os.urandom(8)
            out = io.BytesIO()
            self._marked(columns, drop, end).write_avro(out)
            body = _block(out.getbuffer(), height)
            cut, ends = _mark(drop) + b"\x02", _mark(end)
            # A mark that stands in the data by chance (2**-64 for each place) makes the counts differ: draw anew.
            if body.count(ends) != height or (required and body.count(cut) != height * required):
                continue
            parts = (body.replace(cut, b"") if required else body).split(ends)
            return parts[:-1]
        raise Incompatible(f"{height} rows of {self.name} couldn't be cut into as many records.")

    def _marked(self, columns: list[pl.Series], drop: bytes, end: bytes) -> pl.DataFrame:
        """The columns with a mark before each field that isn't nullable and one at the end, in one chunk."""
        height = len(columns[0])
        mark = pl.repeat(drop, height, dtype=pl.Binary, eager=True)
        marked: list[pl.Series] = []
        for target, column in zip((self._writing.targets or ())[self._writing.head :], columns, strict=True):
            if not target.nullable:
                marked.append(mark.alias(f"__mark_{len(marked)}__"))
            marked.append(column)
        marked.append(pl.repeat(end, height, dtype=pl.Binary, eager=True).alias(_END))
        return pl.DataFrame(marked).rechunk()


def _header(schema: dict[str, Any]) -> bytes:
    """The object container's header: magic, metadata, sync marker (Avro 1.12, "Object Container Files")."""
    metadata = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": b"null"}
    entries = b"".join(datum.text(k) + datum.text(v) for k, v in metadata.items())
    return _MAGIC + datum.zigzag(len(metadata)) + entries + b"\0" + _SYNC


def _block(container: memoryview, height: int) -> bytes:
    """The bytes of the container's only block, which must hold ``height`` records."""
    count, at = datum.read_long(container, len(_MAGIC))
    for _ in range(2 * count):
        size, at = datum.read_long(container, at)
        at += size
    _, at = datum.read_long(container, at)
    records, at = datum.read_long(container, at + len(_SYNC))
    size, at = datum.read_long(container, at)
    if records != height or at + size + len(_SYNC) != len(container):
        raise Incompatible(f"Polars wrote {records} of {height} records in the first block of a container.")
    return bytes(container[at : at + size])


def _mark(random_bytes: bytes) -> bytes:
    """A Binary column's bytes: the union's second branch, the length, the bytes."""
    return datum.SOME + datum.text(random_bytes)
