"""A table's compiled transcoder: tuples of pgoutput or of COPY → the Avro bytes of its row record.

Compiled once a version of a table; the two loops here are where capture spends its time. A text column's bytes
go from the message to the datum as they are; every other column's text form is looked up in a small memory of
what was encoded before (codes, dates and coefficients repeat).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sync.errors import Refused
from sync.schema import datum
from sync.source.postgresql.column import ColumnType, Encode, Options
from sync.source.postgresql.default import default_of
from sync.source.postgresql.form import ABSENT, TEXT, Form
from sync.source.postgresql.mask import written
from sync.source.postgresql.pgoutput import Damaged
from sync.source.postgresql.table import Column, Table

_LENGTH = struct.Struct(">I").unpack_from
_SIZE = struct.Struct(">I").pack
_COUNT = struct.Struct(">H").pack
_TEXT, _NULL, _UNCHANGED = b"tnu"

_DAYS = 16_384
"""Days remembered: 45 years."""

_WIDE = frozenset({"numeric", "timestamp", "sparsevec"})
"""Types with values that their Avro types cannot hold."""

_MOSTLY_NEW = 0.6
"""Above this share of values not met before, a column's memory costs more than it saves."""

_BATCHES_WITHOUT = 20
"""Batches of such a column that the memory is then not asked for."""

_BLOCK = 8
"""Columns that are compared at once."""

_log = logging.getLogger(__name__)


class UnexpectedNullError(Exception):
    """A NULL in a column that the catalogs call NOT NULL now: the row is older than the constraint.

    The caller compiles the table again with the column nullable.
    """

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Memory(dict[bytes, bytes]):
    """Text form → Avro bytes of one column; bounded in number and size, forgets all when full."""

    _LONGEST = 256
    """Bytes of a value that is remembered at most."""

    def __init__(
        self, name: str, encode: Encode, union: bytes, failed: bytes | None, *, narrow: bool = True, limit: int = 2048
    ) -> None:
        """``failed`` stands for a value that the Avro type cannot hold; None: such a value is an error.

        ``narrow`` tells that PostgreSQL's type has such values; otherwise the message must be damaged.
        """
        super().__init__()
        self._name = name
        self._limit = limit
        self.encode = encode
        self.union = union
        self._failed = failed
        self._narrow = narrow
        self._warned = False
        self._missed = 0
        self._batches_without = 0

    def __missing__(self, value: bytes) -> bytes:
        self._missed += 1
        encoded = self.fresh(value)
        if len(value) <= self._LONGEST:
            if len(self) >= self._limit:
                self.clear()
            self[value] = encoded
        return encoded

    def column(self, values: Sequence[bytes | None], null: bytes) -> list[bytes]:
        """Return many values encoded; ``null`` is what None becomes. Remembers them while they repeat."""
        if self._batches_without:
            self._batches_without -= 1
            return [null if value is None else self.fresh(value) for value in values]
        before = self._missed
        encoded = [null if value is None else self[value] for value in values]
        if self._missed - before > _MOSTLY_NEW * len(values):
            self._batches_without = _BATCHES_WITHOUT
        return encoded

    def fresh(self, value: bytes) -> bytes:
        """Return the encoded value without remembering it. Raises as ``_refused`` says where it has no place."""
        try:
            return self.union + self.encode(value)
        except (ValueError, OverflowError):
            # As Debezium: a value that the type cannot hold (NaN as a decimal) is written as null and told.
            if self._failed is None:
                raise self._refused() from None
            if not self._warned:
                self._warned = True
                _log.warning("Column %s holds a value that its Avro type cannot; written as null.", self._name)
            return self._failed

    def _refused(self) -> Exception:
        if not self._narrow:
            return Damaged("it holds a value that is none of its column's type")
        return Refused(
            f"Column {self._name} is NOT NULL and holds a value that its Avro type cannot (NaN or an infinity as a "
            "decimal, a time out of range).",
            hint="set decimal.handling.mode=string or another time.precision.mode, or drop the NOT NULL",
        )


class _Nothing(Memory):
    """The memory of a column that is not captured: each value is nothing, and nothing is remembered."""

    def __init__(self) -> None:
        super().__init__("", bytes, b"", b"")

    def __missing__(self, value: bytes) -> bytes:
        del value
        return b""


_NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Cell:
    """How a column of many rows is encoded at once (``kernel``).

    ``union`` is the branch of a value, ``null`` what a NULL becomes (None: it has no form). A field that ``form``
    can't read is looked up in ``memory``.
    """

    union: bytes
    null: bytes | None
    form: Form
    memory: Memory | None = None

    def encoded(self, values: Sequence[bytes | None]) -> list[bytes]:
        """Return fields one by one; None is a NULL."""
        null = self.null or b""
        if self.memory is None:
            return [null if value is None else self.union + datum.text(value) for value in values]
        return self.memory.column(values, null)


Plan = list[tuple[Memory | None, datum.Heads, bytes | None]]
"""By column: memory of encoded values (None: text), heads of text by length, what a NULL becomes."""

_HEADS = datum.Heads()
_OPTIONAL_HEADS = datum.Heads(datum.SOME)
_DEFAULTED_HEADS = datum.Heads(datum.NULL)


class Transcoder:
    """Rows of one version of a table. ``rows`` and ``keys`` are plans for full and for key-only tuples.

    ``cells`` are the columns for many rows at once; ``places`` are the columns that are written. ``new``, ``old`` and
    ``key`` are how a tuple of each kind begins: its mark and its column count. ``missing`` gets the places of columns
    that a placeholder was written for; whoever reads it empties it. ``second`` is where the column count of the last
    message's second tuple stood.
    """

    def __init__(self, table: Table, options: Options) -> None:
        types = [written(column, options) for column in table.columns]
        self.rows: Plan = []
        self.keys: Plan = []
        self.cells: list[Cell] = []
        self.places: list[int] = []
        self._unavailable: list[bytes] = []
        self.missing: list[int] = []
        self.second = 0
        self._dates: dict[bytes, Memory] = {}
        for place, (column, kind) in enumerate(zip(table.columns, types, strict=True)):
            if not column.captured or kind.schema is None:
                # Its part is empty, so that a column's place among the parts is its place in the table.
                self.rows.append((_NOTHING, _HEADS, b""))
                self.keys.append((_NOTHING, _HEADS, b""))
                self.cells.append(Cell(b"", b"", ABSENT))
                self._unavailable.append(b"")
            else:
                self.places.append(place)
                self._add(f"{table.id}.{column.name}", column, kind)
        self.new, self.old, self.key = (mark + _COUNT(len(self.rows)) for mark in (b"N", b"O", b"K"))
        self._blocks = [self.rows[start : start + _BLOCK] for start in range(0, len(self.rows), _BLOCK)]

    def _add(self, name: str, column: Column, kind: ColumnType) -> None:
        default = default_of(column, kind)
        filler = kind.filler if default is None else default.encoded
        union, heads, missing = b"", _HEADS, None
        if column.optional:
            # The branch of a default's type comes first.
            union, missing = (datum.SOME, datum.NULL) if default is None else (datum.NULL, datum.SOME)
            heads = _OPTIONAL_HEADS if default is None else _DEFAULTED_HEADS
        null = missing if kind.null is None else union + kind.null
        memory = self._memory(name, column, kind, union, missing)
        self.rows.append((memory, heads, null))
        self.keys.append((memory, heads, filler if null is None else null))
        self.cells.append(Cell(union, null, TEXT if memory is None else kind.form, memory))
        if kind.unavailable is not None:
            self._unavailable.append(union + kind.unavailable)
        else:
            self._unavailable.append(filler if missing is None else missing)

    def _memory(
        self, name: str, column: Column, kind: ColumnType, union: bytes, missing: bytes | None
    ) -> Memory | None:
        if kind.encode is None:
            return None
        if column.type.name != "date" or column.type.element is not None:
            narrow = column.type.element is not None or column.type.name in _WIDE
            return Memory(name, kind.encode, union, missing, narrow=narrow)
        # Days repeat from column to column, and there are thousands of them.
        if union not in self._dates:
            self._dates[union] = Memory(name, kind.encode, union, missing, narrow=False, limit=_DAYS)
        return self._dates[union]

    def logged(self, message: bytes, place: int, plan: Plan, parts: list[bytes], old: Sequence[bytes] = ()) -> int:
        """Append a pgoutput tuple's columns to ``parts``, one part each; return the place after it.

        ``place`` is after the column count. ``parts`` holds one item, what goes before the row; so does
        ``old``, the parts of the old row, from which an unchanged TOASTed value is taken. A damaged message raises
        one of ``pgoutput.DAMAGED``, or ends elsewhere.
        """
        append = parts.append
        for memory, heads, null in plan:
            kind = message[place]
            if kind == _TEXT:
                start = place + 5
                (size,) = _LENGTH(message, place + 1)
                place = start + size
                if memory is None:
                    append(heads[size] + message[start:place])
                else:
                    append(memory[message[start:place]])
            elif kind == _NULL:
                place += 1
                if null is None:
                    raise UnexpectedNullError(len(parts) - 1)
                append(null)
            elif kind == _UNCHANGED:
                place += 1
                at = len(parts)
                append(old[at] if old else self._missing(at - 1))
            else:
                raise Damaged("it holds a column in a form that was not asked for")
        return place

    def _missing(self, place: int) -> bytes:
        self.missing.append(place)
        return self._unavailable[place]

    def encoded(self, place: int, value: bytes | None) -> bytes:
        """Return the part of one column with this text."""
        parts: list[bytes] = []
        message = b"n" if value is None else b"t" + _SIZE(len(value)) + value
        self.logged(message, 0, self.rows[place : place + 1], parts)
        return parts[0]

    def pair(self, message: bytes, place: int, old: list[bytes], new: list[bytes]) -> int:
        """Append the columns of a full old tuple to ``old``, of the new one behind it to ``new``; return the end.

        An update changes few columns of many: blocks of columns that stand there in the same bytes are not encoded
        twice.
        """
        if len(self._blocks) < 2:
            place = self._second(message, self.logged(message, place, self.rows, old))
            return self.logged(message, place, self.rows, new, old)
        starts = [place]
        for block in self._blocks:
            place = self.logged(message, place, block, old)
            starts.append(place)
        place = self._second(message, place)
        first = 1
        for start, end, block in zip(starts, starts[1:], self._blocks, strict=False):
            if message.startswith(message[start:end], place):
                new += old[first : first + _BLOCK]
                place += end - start
            else:
                place = self.logged(message, place, block, new, old)
            first += _BLOCK
        return place

    def keyed(self, message: bytes, place: int, old: list[bytes], new: list[bytes]) -> int:
        """As ``pair`` for an old tuple that holds the key only."""
        place = self._second(message, self.logged(message, place, self.keys, old))
        return self.logged(message, place, self.rows, new)

    def _second(self, message: bytes, place: int) -> int:
        end = place + len(self.new)
        self.second = place + 1
        if message[place:end] != self.new:
            raise Damaged("its second tuple is not a new row of the table")
        return end
