"""The index of what belongs together, by golden topic and partition: a ``Form`` of the state store.

Three kinds of keys: ``e`` id → the fields that rules read, packed; ``r`` target, value, zero byte, id → nothing: who
asks for a value; ``c`` target, value → how many golden records there are with it in the partition, and how many there
were before the batch that changed it. The id is the datum of the entity's key. What is stored follows from the newest
record of each key alone, so records that are read again change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import polars as pl

from sync.process.quality import unit
from sync.process.reader import FRAME
from sync.process.relation.layout import Kept, Layout
from sync.process.state import Get, Items
from sync.rule.expression.kind import notation, of_field
from sync.rule.model import Field
from sync.rule.standing import ORDINALS

Read = Callable[[Sequence[bytes]], pl.DataFrame]
"""Values in wire format → columns (``sync.process.reader.Reader.read``)."""

ENTRY, ASKED, COUNT = b"e", b"r", b"c"

LOCALITY, UNIT, LINEAGE = "_locality", "_unit", "_lineage"

_BETWEEN, _JOIN, _NULL, _END = "\x1f", "\x1e", "\x00", b"\x00"
_MARKS = f"[{_NULL}{_JOIN}{_BETWEEN}]"
_WALK = 1000
_SOURCES = pl.List(pl.Struct({"source": pl.String, "row": pl.String}))


class Index(Protocol):
    """The index (``sync.process.state.StateStore`` with ``Relating``)."""

    def write(self, topic: str, partition: int, items: Items) -> Items: ...

    def get(self, topic: str, partition: int, keys: Sequence[bytes]) -> list[bytes | None]: ...

    def parts(self, topic: str) -> list[int]: ...

    def walk(self, topic: str, partition: int, prefix: bytes, after: bytes, most: int) -> list[bytes]: ...


def looked_at(kept: Kept) -> set[str]:
    """The fields of golden records that are decoded."""
    found = {*kept.fields, *(name for target in kept.targets.values() for name in target.columns)}
    found |= {name for target in kept.targets.values() for name, _ in target.fixed}
    if kept.rules:
        locality = kept.dataset.policy.locality
        found |= {LOCALITY, LINEAGE} | ({locality.field} if locality else set())
    return found


class Relating:
    """``Form`` of the golden topics of a layout; other topics, those of findings, are held as they are."""

    def __init__(self, layout: Layout, read: Callable[[Kept], Read]) -> None:
        """``read``: how a topic's values are read, at least the fields that are ``looked_at``."""
        self._layout = layout
        self._reads = {name: read(kept) for name, kept in layout.kept.items()}

    def __call__(self, topic: str, items: Items, get: Get) -> Items:
        """Entries, askers and counts that the records put and delete."""
        kept = self._layout.kept.get(topic)
        if kept is None:
            return items
        newest = {key[FRAME:]: value for key, value in items}
        values = [value for value in newest.values() if value is not None]
        # Of a dataset that no rule asks anything of any more it is only known which records there are.
        given = iter(_packed(kept, self._reads[topic](values)) if values and columns_of(kept) else [""] * len(values))
        ids = list(newest)
        packed = [None if value is None else next(given).encode() for value in newest.values()]
        before = get([ENTRY + one for one in ids])
        stored: dict[bytes, bytes | None] = {}
        counts: Counter[bytes] = Counter()
        for one, old, new in zip(ids, before, packed, strict=True):
            if old == new:
                continue
            stored[ENTRY + one] = new
            asked, counted = self._keys(kept, old)
            asks, counting = self._keys(kept, new)
            stored.update((ASKED + key + _END + one, None) for key in asked - asks)
            stored.update((ASKED + key + _END + one, b"") for key in asks - asked)
            counts.subtract(counted)
            counts.update(counting)
        changed = [COUNT + key for key, difference in counts.items() if difference]
        for key, held in zip(changed, get(changed), strict=True):
            was = count(held)
            now = was + counts[key[1:]]
            stored[key] = b"%d %d" % (now, was) if now else None
        return list(stored.items())

    def _keys(self, kept: Kept, entry: bytes | None) -> tuple[set[bytes], set[bytes]]:
        """What a record asks for, and what it is counted for."""
        if entry is None:
            return set(), set()
        parts = entry.split(_BETWEEN.encode())
        first = len(parts) - len(kept.relations) - len(kept.targets)
        asked = [self._layout.numbers[relation.target] for relation in kept.relations]
        numbers = [*asked, *kept.targets]
        keys = [
            None if text == _END else value_key(number, text)
            for number, text in zip(numbers, parts[first:], strict=True)
        ]
        asks, counts = keys[: len(asked)], keys[len(asked) :]
        return {key for key in asks if key is not None}, {key for key in counts if key is not None}


def value_key(number: int, text: bytes) -> bytes:
    """A value of the target ``number``, as ``r`` and ``c`` keys have it behind their letter."""
    return b"%d " % number + text


def count(held: bytes | None) -> int:
    """How many a ``c`` key tells."""
    return int(held.split()[0]) if held else 0


def appeared(held: bytes | None) -> bool:
    """Whether the last change of a ``c`` key was that its value came up or went."""
    return held is None or held.endswith(b" 0")


def changed_value(key: bytes) -> tuple[int, bytes]:
    """Target and value of a ``c`` key."""
    number, _, text = key[1:].partition(b" ")
    return int(number), text


def ids(index: Index, topic: str) -> Iterator[bytes]:
    """The ids of all records of a topic."""
    return (key[1:] for key in _walked(index, topic, ENTRY))


def askers(index: Index, topic: str, number: int, text: bytes) -> Iterator[bytes]:
    """The ids of the records of ``topic`` that ask for a value."""
    prefix = ASKED + value_key(number, text) + _END
    return (key[len(prefix) :] for key in _walked(index, topic, prefix))


def told(index: Index, findings: str) -> Iterator[bytes]:
    """The ids of the records in which something was found."""
    return (key[FRAME:] for key in _walked(index, findings, b""))


def _walked(index: Index, topic: str, prefix: bytes) -> Iterator[bytes]:
    for partition in index.parts(topic):
        after = b""
        while keys := index.walk(topic, partition, prefix, after, _WALK):
            yield from keys
            after = keys[-1]


def numbers_of(index: Index, topic: str, number: int, texts: Iterable[bytes]) -> dict[bytes, int]:
    """How many golden records of ``topic`` there are with each value."""
    wanted = list(dict.fromkeys(texts))
    sums = [0] * len(wanted)
    for partition in index.parts(topic) if wanted else ():
        held = index.get(topic, partition, [COUNT + value_key(number, text) for text in wanted])
        sums = [known + count(one) for known, one in zip(sums, held, strict=True)]
    return dict(zip(wanted, sums, strict=True))


# -- entries


def columns_of(kept: Kept) -> list[str]:
    """The columns of an entry, in its order; those of relations and targets stand last."""
    blamed = [name for number in range(len(kept.blamed)) for name in (f"_source{number}", f"_table{number}")]
    meta = [LOCALITY, UNIT, *blamed] if kept.rules else []
    asked = [f"_asked{number}" for number in range(len(kept.relations))]
    return [*kept.fields, *meta, *asked, *(f"_counted{number}" for number in kept.targets)]


def unpacked(kept: Kept, entries: Sequence[bytes]) -> pl.DataFrame:
    """Entries as columns: the fields in their types, all else text; null where there is no value."""
    names = columns_of(kept)
    if not names:
        return pl.DataFrame(height=len(entries))
    text = pl.Series("packed", [one.decode() for one in entries], dtype=pl.String)
    parts = text.str.split_exact(_BETWEEN, len(names) - 1).struct.rename_fields(names).struct.unnest()
    fields = {name: kept.dataset.field(name) for name in kept.fields}
    plain = [pl.when(pl.col(name) != _NULL).then(name) for name in names]
    return parts.select(
        _typed(fields[name], value).alias(name) if name in fields else value.alias(name)
        for name, value in zip(names, plain, strict=True)
    )


def _packed(kept: Kept, frame: pl.DataFrame) -> list[str]:
    """The entry of each row."""
    absent = [name for name in looked_at(kept) if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=_dtype(kept, name)).alias(name) for name in absent)
    texts = [_plain(kept.dataset.field(name)) for name in kept.fields]
    if kept.rules:
        texts += [pl.col(LOCALITY), unit(kept.dataset.policy, pl.col(LOCALITY))]
        texts += [part for name in kept.blamed for part in _given(kept.dataset.fields, name)]
    texts += [_key(kept, relation.fields) for relation in kept.relations]
    for target in kept.targets.values():
        fits = [_notation(kept, name).is_in(values) for name, values in target.fixed]
        texts.append(pl.when(pl.all_horizontal([pl.lit(True), *fits])).then(_key(kept, target.columns)))
    joined = pl.concat_str([text.fill_null(_NULL) for text in texts], separator=_BETWEEN)
    return frame.select(joined).to_series().to_list()


def _dtype(kept: Kept, name: str) -> pl.DataType:
    return pl.String() if name in (LOCALITY, LINEAGE) else kept.dataset.field(name).dtype


def _clean(text: pl.Expr) -> pl.Expr:
    """Without the characters that stand between the parts of an entry."""
    return text.str.replace_all(_MARKS, " ")


def _plain(field: Field) -> pl.Expr:
    """A field's value as text, from which ``_typed`` makes it again."""
    column = pl.col(field.name)
    if field.type == "datetime":
        return column.cast(pl.Int64).cast(pl.String)
    return _clean(column) if field.dtype == pl.String else column.cast(pl.String)


def _typed(field: Field, text: pl.Expr) -> pl.Expr:
    match field.type:
        case "bool":
            return text == "true"
        case "date":
            return text.str.to_date("%Y-%m-%d")
        case "datetime":
            return text.cast(pl.Int64).cast(field.dtype)
        case _:
            return text.cast(field.dtype)


def _notation(kept: Kept, name: str) -> pl.Expr:
    return notation(of_field(kept.dataset.field(name)), pl.col(name))


def _key(kept: Kept, names: Sequence[str]) -> pl.Expr:
    """The values of these fields as one text; null where one is."""
    return pl.concat_str([_clean(_notation(kept, name)) for name in names], separator=_JOIN)


def _given(fields: Sequence[Field], name: str) -> tuple[pl.Expr, pl.Expr]:
    """The source that gave a field by the lineage, and its table; the first source where none gave it."""
    place = [field.name for field in fields].index(name)
    mark = pl.col(LINEAGE).str.json_path_match("$.fields").str.slice(place, 1)
    numbers: Mapping[str, int] = {letter: number for number, letter in enumerate(ORDINALS)}
    number = mark.replace_strict(numbers, default=0, return_dtype=pl.Int64).fill_null(0)
    listed = pl.col(LINEAGE).str.json_path_match("$.sources").str.json_decode(_SOURCES)
    of = listed.list.get(number, null_on_oob=True).struct
    return _clean(of.field("source")), _clean(of.field("row").str.split_exact("/", 1).struct.field("field_0"))
