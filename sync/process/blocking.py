"""What the index of candidates holds: people of golden topics and the open cases, each by its block keys.

A ``Form`` of the state store (``sync.process.state``), for ``sync.process.candidate``. For each record three kinds of
keys: ``e`` id → the compared fields; ``b`` block, a zero byte, id → nothing; for a case also ``m`` block, which tells
by a look-up, not a scan, that cases share a block. A mark stays when the last of them is closed: it costs one scan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import polars as pl

from sync.process.entity import texts
from sync.process.reader import FRAME
from sync.process.state import Get, Items
from sync.rule import linkage
from sync.rule.linkage import BLOCKS, FIELDS

Read = Callable[[Sequence[bytes]], pl.DataFrame]
"""Values in wire format → columns (``sync.process.reader.Reader.read``)."""

ENTRY, BLOCK, MARK = b"e", b"b", b"m"

REVIEW, ALIASES = ".review", ".aliases"
"""How the topics of cases end, and of pairs of numbers, which are held as they are."""

CASE = (*FIELDS, "facts")
"""What is kept of a case: its record's compared fields, and what a decision about it is bound to."""

_BETWEEN = "\x1f"
_NOTHING = ""


class Index(Protocol):
    """The index by block keys (``sync.process.state.StateStore`` with ``Blocking``)."""

    def write(self, topic: str, partition: int, items: Items) -> Items: ...

    def scan(self, topic: str, prefixes: Iterable[bytes], most: int) -> list[bytes]: ...

    def look(self, topic: str, keys: Sequence[bytes]) -> list[bytes | None]: ...


class Blocking:
    """``Form`` of the topics of cases, and of golden topics: the registers' and the datasets' that are matched."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __call__(self, topic: str, items: Items, get: Get) -> Items:
        """Entries and blocks that the records put and delete; a record that is as it was changes nothing."""
        if topic.endswith(ALIASES):
            return items
        newest = {record_id(topic, key): value for key, value in items}
        asked = topic.endswith(REVIEW)
        names = CASE if asked else FIELDS
        values = [value for value in newest.values() if value is not None]
        given = (
            iter(_packed(_cases(self._read(values)) if asked else linkage.compared(self._read(values)), names))
            if values
            else iter(())
        )
        packed = [None if value is None else next(given) for value in newest.values()]
        ids = list(newest)
        before = get([ENTRY + one for one in ids])
        changed = [(one, old, new) for one, old, new in zip(ids, before, packed, strict=True) if old != new]
        stored: dict[bytes, bytes | None] = {}
        gone = [(one, old) for one, old, _ in changed if old is not None]
        for (one, _), blocks in zip(gone, blocks_of([old for _, old in gone], names), strict=True):
            stored[ENTRY + one] = None
            stored.update((BLOCK + block + b"\0" + one, None) for block in blocks)
        come = [(one, new) for one, _, new in changed if new is not None]
        for (one, new), blocks in zip(come, blocks_of([new for _, new in come], names), strict=True):
            stored[ENTRY + one] = new
            stored.update((BLOCK + block + b"\0" + one, b"") for block in blocks)
            if asked:
                stored.update((MARK + block, b"") for block in blocks)
        return list(stored.items())


def record_id(topic: str, key: bytes) -> bytes:
    """The id of a record in the index: a case's row key as it stands, a person's number."""
    return key if topic.endswith(REVIEW) else texts(key[FRAME:])[0].encode()


def unpacked(packed: Sequence[bytes], names: Sequence[str] = FIELDS) -> pl.DataFrame:
    """The fields of entries, columns ``names``: null where there is no value."""
    text = pl.Series("packed", [one.decode() for one in packed], dtype=pl.String)
    parts = text.str.split_exact(_BETWEEN, len(names) - 1).struct.rename_fields(list(names)).struct.unnest()
    return parts.select(pl.when(pl.col(name) != _NOTHING).then(name).alias(name) for name in names)


def blocks_of(packed: Sequence[bytes], names: Sequence[str] = FIELDS) -> list[list[bytes]]:
    """The block keys of each entry."""
    if not packed:
        return []
    keys = linkage.blocks(unpacked(packed, names))
    columns = [[None if key is None else f"{name}{key}".encode() for key in keys[name].to_list()] for name in BLOCKS]
    return [[key for key in row if key is not None] for row in zip(*columns, strict=True)]


def block_of(key: bytes) -> tuple[bytes, bytes]:
    """Block and id of a ``BLOCK`` key."""
    block, _, one = key[1:].partition(b"\0")
    return block, one


def members(index: Index, topic: str, blocks: Iterable[bytes], most: int) -> dict[bytes, list[bytes]]:
    """The ids in each block, as ``scan`` finds them: up to ``most`` a block and partition."""
    found: dict[bytes, list[bytes]] = {block: [] for block in blocks}
    for key in index.scan(topic, prefixes(found), most):
        block, one = block_of(key)
        found[block].append(one)
    return found


def prefixes(blocks: Iterable[bytes]) -> list[bytes]:
    """What the keys of each block begin with."""
    return [BLOCK + block + b"\0" for block in blocks]


def _cases(frame: pl.DataFrame) -> pl.DataFrame:
    """The compared fields of cases; all null where a case has no record to compare."""
    told = frame["record"] if "record" in frame.columns else [None] * len(frame)
    records = [json.loads(text or "{}") for text in told]
    columns = {name: [record.get(name) for record in records] for name in FIELDS}
    fields = pl.DataFrame(columns, schema=dict.fromkeys(FIELDS, pl.String))
    return fields.with_columns(frame["facts"].alias("facts"))


def _packed(frame: pl.DataFrame, names: Sequence[str]) -> list[bytes | None]:
    """Entries of rows; None for one without a field to compare."""
    texts_of = [
        pl.col(name).cast(pl.String).str.replace_all(f"[\\x00{_BETWEEN}]", " ").fill_null(_NOTHING) for name in names
    ]
    compared = pl.any_horizontal(pl.col(name).is_not_null() for name in FIELDS)
    rows = frame.select(text=pl.when(compared).then(pl.concat_str(texts_of, separator=_BETWEEN)))
    return [None if text is None else text.encode() for text in rows["text"].to_list()]
