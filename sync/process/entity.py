"""The reconciler's state of one entity and its wire form (value of ``<dataset>.contributions``).

The codec is written by hand because it runs for every record: the bytes are Avro of
``sync.schema.derived.contributions_schema`` (a test compares it with fastavro), the values inside stay bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.schema import datum

REVIEW, VERDICT, CODE_SHIFT = 1, 2, 2

MOVED, RETRACTED = b"\x01", b"\x02"
"""How a closed contribution's ``after`` begins. No value does: wire format begins with a zero byte."""

EntryKey = bytes
"""Source and row as two Avro strings: what the state holds, so that most keys are never taken apart."""


@dataclass(slots=True)
class Entry:
    """The newest version of one contribution. An empty ``value`` is a closed contribution, kept for its version.

    ``after`` tells what came after a closed one: ``MOVED`` and the key datum of the entity that the row went to, or
    ``RETRACTED`` where the validate step has the word about the row again; empty where the row is gone.
    """

    version: int
    flags: int
    value: bytes
    after: bytes = b""


@dataclass(slots=True)
class Entity:
    """Everything known about one entity; ``values`` is empty where there is no golden record.

    ``register``, the register's golden record in wire format, is no part of the state's bytes: it stands in the
    register's own topic, once for all datasets that are matched with it.
    """

    locality: str | None = None
    values: bytes = b""
    whole: bytes = b""
    register: bytes | None = None
    entries: dict[EntryKey, Entry] = field(default_factory=dict)
    transfers: dict[EntryKey, Entry] = field(default_factory=dict)
    """Transfers of merged units that name the entity; their ``version`` is the record's revision."""
    refusals: dict[EntryKey, Entry] = field(default_factory=dict)
    """Newest versions of rows that were refused, by ``refusal_key``; ``value`` is what is told (``told.Told``)."""
    referrals: dict[EntryKey, Entry] = field(default_factory=dict)
    """Where contributions are taken that are another person's, by ``referral_key`` (``sync.process.referral``)."""


_LEAST = 8192
_SMALL = [datum.zigzag(number) for number in range(_LEAST)]
"""Avro's longs by value, up to ``_LEAST``: flags, sizes and many versions are looked up, not computed."""


def _long(number: int) -> bytes:
    return _SMALL[number] if 0 <= number < _LEAST else datum.zigzag(number)


_NULL, _SOME = b"\x00", b"\x02"


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def entry_key(source: str, row: str) -> EntryKey:
    """The key of a source row."""
    return _bytes(source.encode()) + _bytes(row.encode())


TRANSFER = "dongbo.transfer"
"""What stands for a source in the key of a transfer; its row is the plan's id."""

_TRANSFER = _bytes(TRANSFER.encode())

REFUSAL = "dongbo.refusal"
"""What stands for a source in the key of a refusal; its row is the source row's own source and row."""

_REFUSAL = _bytes(REFUSAL.encode())


REFERRAL = "dongbo.referral"
"""What stands for a source in the key of a referral; its row is the source row's own source and row."""

_REFERRAL = _bytes(REFERRAL.encode())

_OWN = (_TRANSFER, _REFUSAL, _REFERRAL)


def refusal_key(key: EntryKey) -> EntryKey:
    """The key of the refusal of the source row with this key."""
    return entry_key(REFUSAL, "|".join(texts(key)))


def referral_key(key: EntryKey) -> EntryKey:
    """The key of the referral of the source row with this key."""
    return entry_key(REFERRAL, "|".join(texts(key)))


def entity_key(parts: Iterable[str]) -> bytes:
    """The datum of an entity's key: its fields, all plain strings."""
    return b"".join(_bytes(part.encode()) for part in parts)


def source_row(key: EntryKey) -> tuple[str, str]:
    """Source and row of a key."""
    source, row = texts(key)
    return source, row


def texts(data: bytes) -> list[str]:
    """The Avro strings that ``data`` is made of: an entry's key, or the key of an entity."""
    found, position = [], 0
    while position < len(data):
        size, start = datum.read_long(data, position)
        position = start + size
        found.append(data[start:position].decode())
    return found


def encode(entity: Entity, prefix: bytes = b"") -> bytes:
    """The Avro datum of an entity's state, with ``prefix`` in front."""
    values, whole, entries, small = entity.values, entity.whole, entity.entries, _SMALL
    parts = [
        prefix,
        _NULL if entity.locality is None else _SOME + _bytes(entity.locality.encode()),
        small[len(values)],
        values,
        small[len(whole)],
        whole,
    ]
    held = entries
    if entity.transfers or entity.refusals or entity.referrals:
        held = {**entries, **entity.transfers, **entity.refusals, **entity.referrals}
    if held:
        parts.append(_long(len(held)))
        for key, entry in held.items():
            value = entry.value or entry.after
            version, flags, size = entry.version, entry.flags, len(value)
            # No calls for the small numbers: this runs for every contribution of every record.
            parts += (
                key,
                small[version] if 0 <= version < _LEAST else datum.zigzag(version),
                small[flags] if flags < _LEAST else datum.zigzag(flags),
                small[size] if size < _LEAST else datum.zigzag(size),
                value,
            )
    parts.append(_NULL)
    return b"".join(parts)


def decode(data: bytes, position: int = 0) -> Entity:
    """The state from its Avro datum (one block, as ``encode`` writes it), which begins at ``position``."""
    entity, read_long = Entity(), datum.read_long
    branch, position = data[position], position + 1
    if branch:
        size, position = read_long(data, position)
        entity.locality = data[position : position + size].decode()
        position += size
    # Digests: fewer than 64 bytes, so their size is one byte.
    end = position + 1 + (data[position] >> 1)
    entity.values = data[position + 1 : end]
    position = end + 1 + (data[end] >> 1)
    entity.whole = data[end + 1 : position]
    count, position = read_long(data, position)
    for _ in range(count):
        start = position
        size, position = read_long(data, position)
        size, position = read_long(data, position + size)
        position += size
        key = data[start:position]
        version, position = read_long(data, position)
        flags, position = read_long(data, position)
        size, position = read_long(data, position)
        end = position + size
        value = data[position:end]
        position = end
        if key.startswith(_OWN):
            _own(entity, key)[key] = Entry(version, flags, value)
        elif value[:1] > b"\0":
            entity.entries[key] = Entry(version, flags, b"", value)
        else:
            entity.entries[key] = Entry(version, flags, value)
    return entity


def _own(entity: Entity, key: EntryKey) -> dict[EntryKey, Entry]:
    """The entries of the kind of ``key``, which is no source row's."""
    if key.startswith(_TRANSFER):
        return entity.transfers
    return entity.refusals if key.startswith(_REFUSAL) else entity.referrals
