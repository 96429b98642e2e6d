"""Whether data written with one Avro schema can be read with another, and Confluent's seven levels of it.

The rules are the specification's "Schema Resolution", the kinds of mismatch and their names are those of Avro Java's
``SchemaCompatibility``, the wording of the messages is Confluent Schema Registry's. Pure; called by the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.embedded.avro_schema import NAMED, Field, Node, Schema

LEVELS = ("BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE")

_PROMOTIONS = frozenset(
    {
        ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
        ("float", "double"), ("string", "bytes"), ("bytes", "string"),
    }
)  # fmt: skip
"""``(writer, reader)``."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One reason: its kind (Avro Java's name), the place in the reader as a JSON pointer, and what is wrong there."""

    kind: str
    path: str
    info: str

    def describe(self, reader: str, writer: str) -> str:
        """The message, where ``reader`` and ``writer`` are "new" and "old" or the other way round."""
        at = f"at path '{self.path}' in the {reader} schema"
        texts = {
            "NAME_MISMATCH": f"The name of the schema has changed ({at})",
            "FIXED_SIZE_MISMATCH": f"The size of FIXED type field {at} doesn't match with the {writer} schema",
            "MISSING_ENUM_SYMBOLS": f"The {reader} schema is missing enum symbols '{self.info}' {at} "
            f"that are present in the {writer} schema",
            "READER_FIELD_MISSING_DEFAULT_VALUE": f"The field '{self.info}' {at} has no default value and is missing "
            f"in the {writer} schema",
            "TYPE_MISMATCH": f"The type (path '{self.path}') of a field in the {reader} schema does not match with "
            f"the {writer} schema",
            "MISSING_UNION_BRANCH": f"The {reader} schema is missing a type inside a union field {at} that is present "
            f"in the {writer} schema",
        }
        return f"{{errorType:'{self.kind}', description:'{texts[self.kind]}', additionalInfo:'{self.info}'}}"


def mismatches(reader: Schema, writer: Schema) -> list[Mismatch]:
    """Why data of ``writer`` can't be read with ``reader``; empty when they can."""
    return list(_compare(reader.root, writer.root, "", set()))


def check(new: Schema, olds: Sequence[tuple[int, Schema]], level: str) -> list[str]:
    """Messages that say how ``new`` breaks ``level`` against ``olds`` (version, schema; ascending); empty = fine.

    Levels: BACKWARD = new reads old data, FORWARD = old reads new data, FULL = both, against the last version;
    with _TRANSITIVE against all; NONE = anything goes (Confluent, "Schema Evolution and Compatibility").
    """
    if level == "NONE":
        return []
    compared = olds if level.endswith("_TRANSITIVE") else olds[-1:]
    for version, old in reversed(compared):
        messages: list[str] = []
        if level.startswith(("BACKWARD", "FULL")):
            messages += [found.describe("new", "old") for found in mismatches(new, old)]
        if level.startswith(("FORWARD", "FULL")):
            messages += [found.describe("old", "new") for found in mismatches(old, new)]
        if messages:
            return [
                *messages,
                f"{{oldSchemaVersion: {version}}}",
                f"{{oldSchema: '{old.text}'}}",
                f"{{compatibility: '{level}'}}",
            ]
    return []


def _compare(reader: Node, writer: Node, path: str, seen: set[tuple[int, int]]) -> Iterator[Mismatch]:
    pair = (id(reader), id(writer))
    if reader.kind in NAMED or writer.kind in NAMED:
        # A recursive type is compatible with itself unless something else in it is not.
        if pair in seen:
            return
        seen.add(pair)
    if writer.kind == "union":
        for number, branch in enumerate(writer.branches):
            if any(True for _ in _compare(reader, branch, path, set(seen))):
                if reader.kind == "union":
                    yield Mismatch("MISSING_UNION_BRANCH", f"{path}/{number}", _label(branch))
                else:
                    yield from _compare(reader, branch, path, seen)
        return
    if reader.kind == "union":
        if all(any(True for _ in _compare(branch, writer, path, set(seen))) for branch in reader.branches):
            yield Mismatch("MISSING_UNION_BRANCH", path or "/", f"reader union lacking writer type: {_label(writer)}")
        return
    if reader.kind != writer.kind:
        if (writer.kind, reader.kind) not in _PROMOTIONS:
            info = f"reader type: {reader.kind.upper()} not compatible with writer type: {writer.kind.upper()}"
            yield Mismatch("TYPE_MISMATCH", path or "/", info)
        return
    yield from _same_kind(reader, writer, path, seen)


def _same_kind(reader: Node, writer: Node, path: str, seen: set[tuple[int, int]]) -> Iterator[Mismatch]:
    if reader.kind in NAMED and reader.short_name != writer.short_name and writer.name not in reader.aliases:
        yield Mismatch("NAME_MISMATCH", f"{path}/name", f"expected: {writer.name}")
    if reader.kind == "record":
        yield from _fields(reader, writer, path, seen)
    elif reader.kind == "enum":
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
        if missing and reader.default is None:
            yield Mismatch("MISSING_ENUM_SYMBOLS", f"{path}/symbols", f"[{', '.join(missing)}]")
    elif reader.kind == "fixed":
        if reader.size != writer.size:
            yield Mismatch("FIXED_SIZE_MISMATCH", f"{path}/size", f"expected: {writer.size}, found: {reader.size}")
    elif reader.items is not None and writer.items is not None:
        inner = "items" if reader.kind == "array" else "values"
        yield from _compare(reader.items, writer.items, f"{path}/{inner}", seen)


def _fields(reader: Node, writer: Node, path: str, seen: set[tuple[int, int]]) -> Iterator[Mismatch]:
    for number, wanted in enumerate(reader.fields):
        place = f"{path}/fields/{number}"
        given = _written(wanted, writer)
        if given is not None:
            yield from _compare(wanted.schema, given.schema, f"{place}/type", seen)
        elif not wanted.has_default and not (wanted.schema.kind == "enum" and wanted.schema.default is not None):
            yield Mismatch("READER_FIELD_MISSING_DEFAULT_VALUE", place, wanted.name)


def _written(wanted: Field, writer: Node) -> Field | None:
    """The writer's field that fills the reader's: the one of the same name, else of one of its aliases."""
    for name in (wanted.name, *wanted.aliases):
        for given in writer.fields:
            if given.name == name:
                return given
    return None


def _label(node: Node) -> str:
    return node.kind.upper()
