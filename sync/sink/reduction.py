"""A micro-batch of one topic's messages, reduced to what a target has to do: rows to write, keys to delete.

Called by sinks. Pure but for the registry's look-up of a schema id not met before. Flat records and Debezium's
envelopes are both read; of each key only the last change counts, because a batch is applied in one transaction. What
can't be read is found one by one (``unreadable``) and never stops its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

import polars as pl

from sync.errors import ConfigError, Unreadable
from sync.schema.avro import branch
from sync.schema.columns import Columns

Schemas = Callable[[int], dict[str, Any]]
"""A schema id → its schema; Unreadable where the registry has none (``RegistryClient.schema``)."""

_ENVELOPE = {"before", "after", "source", "op"}
_WRITES = ("c", "r", "u")
_WITHOUT_ROW = ("t", "m")
"""Debezium's truncate and message events: they carry no key and no row."""

_HEADER = 5
_DELETE = b""
"""Stands for the schema header of a message without a value."""


@dataclass(frozen=True, slots=True)
class Details:
    """What transforms may ask of a message besides, and what it was before them."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(slots=True)
class Block:
    """Messages of one topic in the order of arrival; all lists have the same length.

    ``details`` is empty in a sink without transforms; with them ``topic``, ``keys`` and ``values`` are what they made.
    """

    topic: str
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    details: list[Details] = field(default_factory=list)


class Stage(Enum):
    """Where a message failed, under Kafka Connect's names (``org.apache.kafka.connect.runtime.errors.Stage``)."""

    KEY_CONVERTER = "KEY_CONVERTER"
    VALUE_CONVERTER = "VALUE_CONVERTER"
    TRANSFORMATION = "TRANSFORMATION"
    TASK_PUT = "TASK_PUT"


@dataclass(frozen=True, slots=True)
class Bad:
    """A message that can't be applied: its index in the block, why (without any value of it), and where it failed."""

    index: int
    reason: str
    stage: Stage = Stage.TASK_PUT


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to write or keys to delete, of one key schema and one value schema.

    ``keys`` and ``values`` have equal heights (``values`` is None for deletes); ``indices`` are the messages they came
    from, in the same order. Fields as in the schemas, with the decoder's types.
    """

    keys: pl.DataFrame
    values: pl.DataFrame | None
    key_fields: Sequence[Mapping[str, Any]]
    value_fields: Sequence[Mapping[str, Any]]
    indices: Sequence[int]
    value_id: bytes
    key_id: bytes


class Reduction:
    """Reads blocks of messages. Keeps a decoder for each schema id; may be used by several threads."""

    def __init__(self, schemas: Schemas, *, deletes: bool, key_fields: Sequence[str] = ()) -> None:
        """``deletes``: whether delete events count. ``key_fields``: the fields of the key that identify a row."""
        self._schemas = schemas
        self._deletes = deletes
        self._key_fields = tuple(key_fields)
        self._readers: dict[tuple[bytes, bool], _Reader] = {}

    def reduce(self, block: Block, without: Collection[int] = ()) -> list[Rows]:
        """The rows to write and delete; no key twice in the whole answer. ``without``: messages to leave out.

        Raises Unreadable if any message that counts can't be read (``unreadable`` then tells which), ConfigError where
        ``key_fields`` don't fit the key, Unavailable where the registry doesn't answer.
        """
        live = [i for i in range(len(block.keys)) if i not in without] if without else range(len(block.keys))
        if not self._deletes:
            live = self._without_deletes(block, live)
        keys = block.keys
        last = {keys[i]: i for i in live}
        if None in last:
            last.pop(None)
            for i in live:
                if keys[i] is None:
                    self._check_keyless(block, i)
        return self._distinct(list(self._groups(block, sorted(last.values()))))

    def unreadable(self, block: Block) -> list[Bad]:
        """Every message of the block that can't be read, with the reason, in order."""
        bad: dict[int, Bad] = {}
        for is_key, column in ((True, block.keys), (False, block.values)):
            groups: dict[bytes, list[int]] = {}
            for i, data in enumerate(column):
                if data is not None:
                    groups.setdefault(data[:_HEADER], []).append(i)
                elif is_key:
                    try:
                        self._check_keyless(block, i)
                    except Unreadable as error:
                        bad.setdefault(i, Bad(i, str(error)))
            for head, indices in groups.items():
                for i, reason in self._bad_of(head, is_key, column, indices):
                    side, stage = ("key", Stage.KEY_CONVERTER) if is_key else ("value", Stage.VALUE_CONVERTER)
                    bad.setdefault(i, Bad(i, f"{side}: {reason}", stage))
        return [bad[i] for i in sorted(bad)]

    def _bad_of(
        self, head: bytes, is_key: bool, column: Sequence[bytes | None], indices: list[int]
    ) -> Iterator[tuple[int, str]]:
        try:
            reader = self._reader(head, is_key)
        except Unreadable as error:
            yield from ((i, str(error)) for i in indices)
            return
        good, frame, bad = reader.columns.decode_each([(column[i] or b"")[_HEADER:] for i in indices])
        yield from ((indices[i], reason) for i, reason in bad)
        if reader.envelope:
            empty = frame.select(pl.col("op").is_in(_WRITES) & pl.col("after").is_null()).to_series()
            yield from ((indices[good[i]], "a change without the row after it") for i in empty.arg_true())

    def _check_keyless(self, block: Block, index: int) -> None:
        """A message without a key is fine only where it has no row either."""
        value = block.values[index]
        if value is not None:
            reader = self._reader(value[:_HEADER], False)
            if reader.envelope and reader.columns.decode([value[_HEADER:]])["op"][0] in _WITHOUT_ROW:
                return
        raise Unreadable("The record has no key, so its row can't be told.", hint="produce it with a key")

    def _without_deletes(self, block: Block, live: Sequence[int]) -> list[int]:
        """Leave deletes out before reducing: an ignored delete must not hide the change before it."""
        groups: dict[bytes, list[int]] = {}
        for i in live:
            value = block.values[i]
            if value is not None:
                groups.setdefault(value[:_HEADER], []).append(i)
        kept: list[int] = []
        for head, indices in groups.items():
            reader = self._reader(head, False)
            if reader.envelope:
                ops = reader.decode(block.values, indices)["op"]
                indices = [indices[i] for i in (ops != "d").arg_true()]
            kept += indices
        return sorted(kept)

    def _groups(self, block: Block, indices: Sequence[int]) -> Iterator[Rows]:
        groups: dict[tuple[bytes, bytes], list[int]] = {}
        for i in indices:
            key, value = block.keys[i], block.values[i]
            assert key is not None
            head = (key[:_HEADER], _DELETE if value is None else value[:_HEADER])
            groups.setdefault(head, []).append(i)
        for (key_head, value_head), members in groups.items():
            yield from self._rows(block, key_head, value_head, members)

    def _rows(self, block: Block, key_head: bytes, value_head: bytes, members: list[int]) -> Iterator[Rows]:
        key_reader = self._reader(key_head, True)
        keys = key_reader.decode(block.keys, members)
        if self._key_fields and not key_reader.single:
            keys = _select(keys, self._key_fields)
        key_fields = [f for f in key_reader.fields if f["name"] in keys.columns]
        if value_head == _DELETE:
            yield Rows(keys, None, key_fields, (), members, value_head, key_head)
            return
        reader = self._reader(value_head, False)
        values = reader.decode(block.values, members)
        if not reader.envelope:
            yield Rows(keys, values, key_fields, reader.fields, members, value_head, key_head)
            return
        op = values["op"]
        gone = op == "d"
        if gone.any():
            yield Rows(keys.filter(gone), None, key_fields, (), _pick(members, gone), _DELETE, key_head)
        kept = op.is_in(_WRITES)
        if not kept.any():
            return
        after = values["after"]
        if not kept.all():
            after, keys, members = after.filter(kept), keys.filter(kept), _pick(members, kept)
        if after.has_nulls():
            _broken("A change event has no row after the change.")
        yield Rows(keys, after.struct.unnest(), key_fields, reader.fields, members, value_head, key_head)

    def _distinct(self, groups: list[Rows]) -> list[Rows]:
        """Where equal keys may have different bytes (two key schemas, or a part of the key), compare their values."""
        if len({rows.key_id for rows in groups}) < 2 and not self._key_fields:
            return groups
        last: dict[tuple[Any, ...], int] = {}
        for rows in groups:
            for key, index in zip(rows.keys.iter_rows(), rows.indices, strict=True):
                last[key] = max(index, last.get(key, -1))
        kept = set(last.values())
        return [part for rows in groups if (part := _only(rows, kept)) is not None]

    def _reader(self, head: bytes, is_key: bool) -> _Reader:
        reader = self._readers.get((head, is_key))
        if reader is None:
            if len(head) < _HEADER or head[0] != 0:
                _broken("It isn't in Confluent's wire format (a zero byte and a schema id).")
            schema = self._schemas(struct.unpack(">I", head[1:])[0])
            if not is_key and schema.get("type") != "record":
                _broken("Its schema isn't a record's, so it has no columns.")
            reader = self._readers[head, is_key] = _Reader(schema, self._key_fields)
        return reader


class _Reader:
    """The decoder of one schema id, and which of its fields are a row's columns."""

    def __init__(self, schema: dict[str, Any], key_fields: Sequence[str]) -> None:
        self.single = schema.get("type") != "record"
        if self.single:
            # A single value has the same bytes as a record with one field.
            if len(key_fields) != 1:
                raise ConfigError(
                    "The records' key is a single value, so its column has no name.",
                    field="primary.key.fields",
                    hint="set primary.key.fields to the column's name",
                )
            value = schema if isinstance(schema["type"], str) and len(schema) > 1 else schema["type"]
            schema = {"type": "record", "name": "Single", "fields": [{"name": key_fields[0], "type": value}]}
        fields = schema["fields"]
        self.envelope = {f["name"] for f in fields} >= _ENVELOPE
        self.columns = Columns(schema)
        self.fields: Sequence[Mapping[str, Any]] = fields
        if self.envelope:
            row = next((r for f in fields if isinstance(r := branch(f["type"]), dict) and f["name"] == "before"), None)
            row = row or next(branch(f["type"]) for f in fields if f["name"] == "after")
            self.fields = row["fields"]

    def decode(self, column: Sequence[bytes | None], indices: Sequence[int]) -> pl.DataFrame:
        return self.columns.decode([column[i][_HEADER:] for i in indices])  # type: ignore[index]


def _broken(message: str) -> NoReturn:
    raise Unreadable(message)


def _select(keys: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    missing = [name for name in names if name not in keys.columns]
    if missing:
        raise ConfigError(
            f"The records' key has no field {', '.join(missing)}.",
            field="primary.key.fields",
            hint="name fields of the records' key in primary.key.fields, or leave it empty",
        )
    return keys.select(names)


def _pick(members: Sequence[int], mask: pl.Series) -> list[int]:
    return [members[i] for i in mask.arg_true()]


def _only(rows: Rows, kept: Collection[int]) -> Rows | None:
    mask = pl.Series([i in kept for i in rows.indices], dtype=pl.Boolean)
    if mask.all():
        return rows
    if not mask.any():
        return None
    return Rows(
        rows.keys.filter(mask),
        None if rows.values is None else rows.values.filter(mask),
        rows.key_fields,
        rows.value_fields,
        _pick(rows.indices, mask),
        rows.value_id,
        rows.key_id,
    )
