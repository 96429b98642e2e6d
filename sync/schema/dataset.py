"""Datasets: one folder under ``schemas/`` each, read into frozen dataclasses and checked against one another.

A folder holds ``v<N>.avsc`` (the highest N counts), ``rules.yaml``, ``policy.yaml``, ``mapping/<name>.yaml`` and, where
the quality score needs weights, ``scores.yaml``.
Called by the processors, the connect worker (to check ``dongbo.mappings``), the demo and tests. A mistake in a file
is a ConfigError that names the file, the place in it and the remedy; nothing here does network I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cache
from pathlib import Path
from typing import Any, cast

import fastavro
from fastavro.schema import SchemaParseException

from sync.errors import ConfigError
from sync.rule.model import (
    Code,
    Field,
    FieldMapping,
    FieldType,
    Policy,
    RuleSet,
    SourceMapping,
)
from sync.rule.score import measured
from sync.schema import policy
from sync.schema.document import Node, read
from sync.schema.golden import GoldenTables, Shape
from sync.schema.location import schemas_root
from sync.schema.rule import rules
from sync.schema.weight import weights

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"v([0-9]+)\.avsc")
_TYPES: tuple[tuple[str, FieldType], ...] = (
    (r"char\([0-9]+\)|text(\([0-9]+\))?|catalogue|enum", "string"),
    (r"partial_date", "partial_date"),
    (r"date", "date"),
    (r"datetime", "datetime"),
    (r"decimal\([0-9]+,[0-9]+\)", "decimal"),
    (r"int", "int"),
    (r"bool", "bool"),
)
"""``dongbo.type`` of a field → its type in the rules."""


@dataclass(frozen=True)
class Dataset:
    """One dataset: its Avro schema as JSON, its key, and what the rules and the merge need to know."""

    id: str
    version: int
    schema: dict[str, Any]
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    policy: Policy
    rules: RuleSet
    mappings: Mapping[str, SourceMapping]
    weights: Mapping[str, float] = dataclass_field(default_factory=dict)
    """Of rules and criteria in the quality score, those that are not 1."""

    def field(self, name: str) -> Field:
        """The field ``name``; ConfigError if the dataset has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise ConfigError(f"Dataset {self.id} has no field {name}.", field=name, hint="Use a field of its schema.")

    def mapping(self, name: str) -> SourceMapping:
        """The mapping ``name``; ConfigError naming the known ones."""
        if name not in self.mappings:
            known = ", ".join(sorted(self.mappings))
            raise ConfigError(f"Dataset {self.id} has no mapping {name}.", field=name, hint=f"Use one of {known}.")
        return self.mappings[name]


def datasets() -> tuple[str, ...]:
    """Ids of all datasets, sorted: the folders with a schema."""
    return _datasets(schemas_root())


def load(dataset: str) -> Dataset:
    """The dataset with this id, read once; ConfigError if there is none or its files have a mistake."""
    return _load(schemas_root(), dataset)


def with_rules(dataset: Dataset, file: Path) -> Dataset:
    """The dataset with the rules of another file, to try them; ConfigError if they have a mistake."""
    root = schemas_root()
    _, node = _newest(root, dataset.id)
    return replace(dataset, rules=rules(root, dataset.id, dataset.fields, listed_codes(node), golden(root), file))


def load_from(root: Path, dataset: str) -> Dataset:
    """As ``load``, from another folder of datasets, and read anew each time."""
    return _load.__wrapped__(root, dataset)


def _datasets(root: Path) -> tuple[str, ...]:
    return tuple(sorted({path.parent.name for path in root.glob("*/v*.avsc")}))


@cache
def _load(root: Path, dataset: str) -> Dataset:
    known = _datasets(root)
    if dataset not in known:
        raise ConfigError(f"There is no dataset {dataset}.", field=dataset, hint=f"Use one of {', '.join(known)}.")
    version, node = _newest(root, dataset)
    fields = _fields(node, root)
    names = tuple(field.name for field in fields)
    codes = listed_codes(node)
    merge = policy.parse(read(root, f"{dataset}/policy.yaml"), names, known, codes)
    check_key(node, merge.entity)
    found = rules(root, dataset, fields, listed_codes(node), golden(root))
    return Dataset(
        id=dataset,
        version=version,
        schema=cast(dict[str, Any], node.value),
        key=merge.entity,
        fields=fields,
        policy=merge,
        rules=found,
        mappings=_mappings(root, dataset, names, merge.entity, codes),
        weights=weights(root, dataset, measured(found, matched=merge.register is not None)),
    )


def golden(root: Path) -> GoldenTables:
    """The datasets of the folder, as rules of others may ask for them."""

    def shape(dataset: str) -> Shape:
        _, node = _newest(root, dataset)
        return _fields(node, root), listed_codes(node)

    return GoldenTables(_datasets(root), shape)


def _newest(root: Path, dataset: str) -> tuple[int, Node]:
    version = versions(root, dataset)[-1]
    return version, read_schema(root, dataset, version)


def versions(root: Path, dataset: str) -> list[int]:
    """The numbers of the schema's versions, ascending."""
    return sorted(int(match[1]) for path in (root / dataset).iterdir() if (match := _VERSION.fullmatch(path.name)))


def read_schema(root: Path, dataset: str, version: int) -> Node:
    """One version of the schema; ConfigError where it is no Avro schema of a record."""
    node = read(root, f"{dataset}/v{version}.avsc").mapping(needed=("type", "name", "namespace", "fields"))
    try:
        fastavro.parse_schema(node.value)
    except (SchemaParseException, TypeError, KeyError, ValueError) as error:
        # fastavro raises several kinds; all of them say that this is no Avro schema.
        node.fail(f"is no Avro schema ({error}).", "Correct it after the Avro specification.")
    seen: set[str] = set()
    for field in node.get("fields").items():
        name = field.value["name"]
        if name in seen:
            field.fail(f"field {name} stands here a second time.", "Give it another name, or take it out.")
        seen.add(name)
    return node


def _fields(schema: Node, root: Path) -> tuple[Field, ...]:
    catalogues = known_catalogues(root)
    return tuple(parse_field(node, catalogues) for node in schema.get("fields").items())


def known_catalogues(root: Path) -> set[str]:
    """What a field may name as its catalogue: reference tables and datasets."""
    return {path.stem for path in (root / "reference").glob("*.csv")} | set(_datasets(root))


def parse_field(node: Node, catalogues: set[str]) -> Field:
    """One field of a schema; ConfigError for a mistake in it."""
    needed = ("name", "type", "doc", "doc.vi", "doc.en", "dongbo.type", "dongbo.class", "dongbo.required")
    node.mapping(needed=needed)
    name, written = node.get("name").text(), node.get("dongbo.type").text()
    if not _NAME.fullmatch(name):
        node.fail(f"field name {name}.", "Use lower-case letters, digits and underscores, a letter first.")
    kind = next((kind for pattern, kind in _TYPES if re.fullmatch(pattern, written)), None)
    if kind is None:
        node.get("dongbo.type").fail(f"{written} is not known.", "Use char(n), text(n), date, decimal(p,s), …")
    catalogue = node.get("dongbo.catalogue").optional_text()
    if catalogue is not None and catalogue not in catalogues:
        node.fail(f"catalogue {catalogue} of {name} does not exist.", f"Add schemas/reference/{catalogue}.csv.")
    sizes = [int(size) for size in re.findall(r"[0-9]+", written)] if kind == "decimal" else [10, 0]
    _check_type(node, kind, sizes)
    return Field(
        name=name,
        type=kind,
        precision=sizes[0],
        scale=sizes[1],
        required=node.get("dongbo.required").flag(),
        catalogue=catalogue,
        cls=cast(Any, node.get("dongbo.class").choice(("basic", "sensitive", "none"))),
        codes=() if catalogue == "enumerations" else _codes(node),
    )


def listed_codes(schema: Node) -> Mapping[str, tuple[str, ...]]:
    """The codes that the schema documents, by field."""
    listed = {node.value["name"]: node.get("dongbo.values") for node in schema.get("fields").items()}
    return {name: tuple(node.mapping().value) for name, node in listed.items() if not node.absent}


def _codes(node: Node) -> tuple[Code, ...]:
    """The codes that the schema lists for a field: ``dongbo.values`` (code: "vi — en") with ``dongbo.aliases``."""
    values, others = node.get("dongbo.values"), node.get("dongbo.aliases")
    if values.absent:
        return ()
    aliases = {} if others.absent else {code: entry.texts() for code, entry in others.entries()}
    for code in aliases.keys() - values.mapping().value.keys():
        others.fail(f"code {code} is not in dongbo.values.", "Give aliases to codes of the field.")
    return tuple(
        Code(code, entry.text().partition(" — ")[0], aliases.get(code, ())) for code, entry in values.entries()
    )


def _check_type(node: Node, kind: FieldType, sizes: list[int]) -> None:
    """The Avro type must be the one that the canonical type stands for."""
    wanted: dict[FieldType, Any] = {
        "date": {"type": "int", "logicalType": "date"},
        "datetime": {"type": "long", "logicalType": "timestamp-micros"},
        "decimal": {"type": "bytes", "logicalType": "decimal", "precision": sizes[0], "scale": sizes[1]},
        "int": "int",
        "bool": "boolean",
    }
    avro = wanted.get(kind, "string")
    found = node.value["type"]
    if found not in (avro, ["null", avro]):
        node.fail(f"type {found} does not fit dongbo.type.", f'Write ["null", {avro}].')
    if isinstance(found, list) and ("default" not in node.value or node.value["default"] is not None):
        node.fail("a nullable field without default null.", 'Add "default": null, so that the schema can evolve.')


def check_key(schema: Node, key: tuple[str, ...]) -> None:
    """ConfigError where a key field may be null, or another may not."""
    for node in schema.get("fields").items():
        name = node.value["name"]
        if name in key and node.value["type"] != "string":
            node.fail(f"key field {name} is not a plain string.", 'Write "type": "string" without a default.')
        if name not in key and not isinstance(node.value["type"], list):
            node.fail(f"field {name} is not nullable.", 'Write "type": ["null", …], "default": null.')


def _known(node: Node, names: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            node.fail(f"the dataset has no field {name}.", "Use a field of its schema.")
    return tuple(names)


def _mappings(
    root: Path, dataset: str, names: tuple[str, ...], key: tuple[str, ...], codes: Mapping[str, tuple[str, ...]]
) -> Mapping[str, SourceMapping]:
    paths = sorted((root / dataset / "mapping").glob("*.yaml"))
    return {
        path.stem: parse_mapping(path.stem, read(root, f"{dataset}/mapping/{path.name}"), names, key, codes)
        for path in paths
    }


def parse_mapping(
    name: str, node: Node, names: tuple[str, ...], key: tuple[str, ...], codes: Mapping[str, tuple[str, ...]]
) -> SourceMapping:
    """One mapping file; ConfigError for a mistake in it. ``codes``: those that the schema lists, by field."""
    node.mapping(allowed=("fields", "date_format", "encoding_hint", "units"), needed=("fields", "date_format"))
    fields = node.get("fields")
    if fields.value == "same":
        entries = tuple(FieldMapping(field, column=field) for field in names)
    else:
        entries = tuple(_field_mapping(field, entry, codes.get(field, ())) for field, entry in fields.entries())
    mapped = _known(fields, [entry.field for entry in entries], names)
    missing = [field for field in key if field not in mapped]
    if missing:
        fields.fail(f"key field {missing[0]} is not mapped.", f"Say which column holds {missing[0]}.")
    hint, units = node.get("encoding_hint"), node.get("units")
    return SourceMapping(
        name=name,
        fields=entries,
        date_format=cast(Any, node.get("date_format").choice(("dmy", "mdy", "iso", "column"))),
        encoding_hint=None if hint.absent else hint.choice(("tcvn3", "vni")),
        units=None if units.absent else cast(Any, units.choice(("GSO2004", "QD19_2025"))),
    )


def _field_mapping(field: str, node: Node, codes: tuple[str, ...]) -> FieldMapping:
    if isinstance(node.value, str):
        return FieldMapping(field, column=node.value)
    node.mapping(allowed=("column", "values", "constant"))
    values = node.get("values")
    recode = {} if values.absent else {found: _code(entry, field, codes) for found, entry in values.entries()}
    column = node.get("column").optional_text()
    constant = None if node.get("constant").absent else _code(node.get("constant"), field, codes)
    if (column is None) == (constant is None):
        node.fail("neither or both of column and constant.", "Write exactly one of them.")
    return FieldMapping(field, column=column, values=recode, constant=constant)


def _code(node: Node, field: str, codes: tuple[str, ...]) -> str:
    """What a value becomes: a code of the field, where its schema lists them."""
    text = node.text()
    if codes and text not in codes:
        node.fail(f"{text} is no code of {field}.", f"Use one of {', '.join(codes)}.")
    return text
