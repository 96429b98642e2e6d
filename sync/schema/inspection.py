"""Everything that is wrong with a dataset's folder at once: for ``dongbo dataset check`` and the tests.

Loading stops at the first mistake; here each part is looked at by itself. Nothing here does network I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sync.errors import ConfigError
from sync.rule.model import Field, Policy, Reference
from sync.schema import dataset as datasets
from sync.schema import policy, rule
from sync.schema.catalogue import FILE as CATALOGUE
from sync.schema.catalogue import entries
from sync.schema.dataset import Dataset
from sync.schema.document import Node, read
from sync.schema.example import FILE as EXAMPLES
from sync.schema.example import examples, unseen, wrong
from sync.schema.position import position

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and what to do: ``file`` below the schemas folder, ``line`` from 1."""

    file: str
    line: int
    message: str
    remedy: str


def inspect(root: Path, name: str, reference: Reference) -> list[Mistake]:
    """All mistakes in the folder of dataset ``name``, by part, each once; empty where it is right."""
    found = [_placed(root, error) for error in _Inspection(root, name, reference).errors()]
    return list(dict.fromkeys(found))


def _placed(root: Path, error: ConfigError) -> Mistake:
    """The mistake with its line, which the error names or which is looked up by the place that it names."""
    written = Exception.__str__(error)
    file, _, rest = written.partition(": ")
    path = root / file
    if not path.is_file():
        return Mistake(file, 1, rest or written, error.hint)
    told = rest if rest.startswith("line ") else position(path, error.field) if error.field != file else "line 1"
    return Mistake(file, int(told.split()[1].rstrip(",:")), rest, error.hint)


class _Inspection:
    """The parts of a folder, one after the other: each yields its own mistakes."""

    def __init__(self, root: Path, name: str, reference: Reference) -> None:
        self._root = root
        self._name = name
        self._reference = reference
        self._found: list[ConfigError] = []

    def errors(self) -> Iterator[ConfigError]:
        schema = self._try(lambda: datasets.read_schema(self._root, self._name, self._newest()))
        fields = self._fields(schema) if schema else []
        if schema and not self._found:
            merge = self._policy(schema, fields)
            self._found += self._try(lambda: self._rules(schema, fields)) or []
            if merge:
                self._mappings(schema, fields, merge)
        for error in self._catalogue(fields):
            self._found.append(error)
        if not self._found and (loaded := self._try(lambda: datasets.load_from(self._root, self._name))):
            self._examples(loaded)
        yield from self._found

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except ConfigError as error:
            self._found.append(error)
            return None

    def _newest(self) -> int:
        return datasets.versions(self._root, self._name)[-1]

    def _fields(self, schema: Node) -> list[Field]:
        catalogues = datasets.known_catalogues(self._root)
        found = []
        for node in schema.get("fields").items():
            try:
                found.append(_field(node, catalogues))
            except ConfigError as error:
                self._found.append(error)
        return found

    def _policy(self, schema: Node, fields: list[Field]) -> Policy | None:
        names = tuple(field.name for field in fields)
        folder = datasets.known_catalogues(self._root)

        def parse() -> Policy:
            found = policy.parse(
                read(self._root, f"{self._name}/policy.yaml"), names, tuple(folder), datasets.listed_codes(schema)
            )
            datasets.check_key(schema, found.entity)
            return found

        return self._try(parse)

    def _rules(self, schema: Node, fields: list[Field]) -> list[ConfigError]:
        codes, golden = datasets.listed_codes(schema), datasets.golden(self._root)
        return list(rule.mistakes(self._root, self._name, fields, codes, golden))

    def _mappings(self, schema: Node, fields: list[Field], merge: Policy) -> None:
        names, codes = tuple(field.name for field in fields), datasets.listed_codes(schema)
        for path in sorted((self._root / self._name / "mapping").glob("*.yaml")):
            file = f"{self._name}/mapping/{path.name}"
            self._try(lambda: datasets.parse_mapping(path.stem, read(self._root, file), names, merge.entity, codes))  # noqa: B023

    def _catalogue(self, fields: list[Field]) -> Iterator[ConfigError]:
        """An owner, and the class of personal data that the fields have."""
        try:
            entry = next((one for one in entries() if one.dataset == self._name), None)
        except ConfigError as error:
            yield error
            return
        file = Node(None, CATALOGUE)
        if entry is None:
            hint = "Add an entry with its owner under additional, as `dongbo dataset new` does."
            yield from _failed(file, f"dataset {self._name} has no entry.", hint)
            return
        classes = {field.cls for field in fields}
        highest = next((cls for cls in ("sensitive", "basic", "none") if cls in classes), entry.sensitivity)
        if entry.sensitivity != highest:
            problem = f"{self._name} has sensitivity {entry.sensitivity}, its fields are {highest}."
            yield from _failed(file, problem, f"Write sensitivity: {highest}.")

    def _examples(self, dataset: Dataset) -> None:
        found = self._try(lambda: examples(self._root, dataset))
        if found is None:
            return
        self._found += self._try(lambda: wrong(dataset, found, self._reference)) or []
        node = Node(None, f"{self._name}/{EXAMPLES}")
        for shown in dataset.rules.rules:
            if shown.condition is not None and shown.id not in found.hit:
                self._found += _failed(node, f"no example hits {shown.id}.", "Add a record under fail that hits it.")
        for shown in unseen(dataset, found, self._reference) if not self._found else ():
            of = f" of {', '.join(shown.fields)}" if shown.fields else ""
            problem = f"no example would miss the {shown.severity} {shown.id}{of}."
            self._found += _failed(node, problem, "Add a record under fail that hits nothing else of this id.")


def _field(node: Node, catalogues: set[str]) -> Field:
    field = datasets.parse_field(node, catalogues)
    value = node.value
    if value["doc"] != f"{value['doc.vi']} — {value['doc.en']}":
        node.fail(f"the doc of {field.name} is not its two languages.", "Write doc.vi, ' — ', doc.en.")
    return field


def _failed(node: Node, problem: str, hint: str) -> list[ConfigError]:
    try:
        node.fail(problem, hint)
    except ConfigError as error:
        return [error]
