"""``rules.yaml`` of a dataset: cleaning steps, definitions and rules, with their expressions compiled.

Called by ``sync.schema.dataset``. A mistake in an expression is a ConfigError with line, column and remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast, get_args

from sync.errors import ConfigError
from sync.rule.batch import Param, checks, known_params, steps
from sync.rule.expression.compiler import compile_condition, compile_expression
from sync.rule.expression.kind import Kind, of_field
from sync.rule.expression.value import Mistake, Scope, Tables, Value
from sync.rule.model import Assignment, CleanSpec, Criterion, Field, RuleSet, RuleSpec, Severity
from sync.rule.relation import Relation
from sync.schema.document import Node, read
from sync.schema.position import position
from sync.schema.table import ReferenceTables

_KEYS = (
    "id", "version", "severity", "criterion", "fields", "expression", "check", "params", "basis", "valid_from",
    "valid_to", "as_of", "message", "set",
)  # fmt: skip

COMMON = "common.yaml"
"""Beside the datasets' folders: what rules of several datasets have in common."""


def rules(
    root: Path,
    dataset: str,
    fields: Iterable[Field],
    codes: Mapping[str, tuple[str, ...]],
    golden: Tables,
    file: Path | None = None,
) -> RuleSet:
    """The rules of a dataset; ConfigError naming file, place and remedy of the first mistake.

    ``codes``: those of enumerated fields, with which expressions may compare them. ``golden``: the datasets that they
    may ask for. ``file``: other rules to read in place of the dataset's own.
    """
    node = read(root, f"{dataset}/rules.yaml") if file is None else read(file.parent, file.name)
    folder = file.parent if file else root
    reader = _Reader(root, folder, {field.name: field for field in fields}, codes, golden)
    return reader.read(node)


def mistakes(
    root: Path, dataset: str, fields: Iterable[Field], codes: Mapping[str, tuple[str, ...]], golden: Tables
) -> Iterator[ConfigError]:
    """Every mistake in the rules of a dataset, one a part of the file, as far as one does not hide another."""
    node = read(root, f"{dataset}/rules.yaml")
    reader = _Reader(root, root, {field.name: field for field in fields}, codes, golden)
    yield from reader.mistakes(node)


class _Definitions(Mapping[str, Value]):
    """The definitions of a dataset, each compiled when first named, so that one may name others in any order."""

    def __init__(self, node: Node, compile_at: Callable[[Node], Value]) -> None:
        self._nodes = dict(node.entries()) if not node.absent else {}
        self._compile = compile_at
        self._values: dict[str, Value] = {}
        self._open: list[str] = []

    def __getitem__(self, name: str) -> Value:
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            raise Mistake(f"the definitions go in a circle: {circle}.", "Write one of them without the others.")
        if name not in self._values:
            self._open.append(name)
            value = self._compile(self._nodes[name])
            self._open.pop()
            # A column of its own, computed once for all rules that name it.
            self._values[name] = replace(
                value, build=lambda terms: terms.helper(f"_is_{name}", value.build(terms)), fails=None
            )
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


class _Reader:
    """Reads the rules of one dataset."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        fields: Mapping[str, Field],
        codes: Mapping[str, tuple[str, ...]],
        golden: Tables,
    ) -> None:
        """``folder``: what the file's path in messages is relative to."""
        self._root = root
        self._folder = folder
        self._fields = fields
        kinds = {name: of_field(field) for name, field in fields.items()}
        self._scope = Scope(kinds, ReferenceTables(root), codes=codes, golden=golden)

    def read(self, node: Node) -> RuleSet:
        node.mapping(allowed=("clean", "define", "rules"))
        definitions = _Definitions(node.get("define"), self._definition)
        self._scope = replace(self._scope, definitions=definitions)
        for name, entry in node.get("define").entries() if definitions else ():
            if name in self._fields:
                entry.fail(f"{name} is a field.", "Give the definition another name.")
            definitions[name]
        items = [*_completed(node.get("rules").items(), self._root)]
        found = RuleSet(
            clean=tuple(self._clean(item) for item in node.get("clean").items()),
            rules=tuple(self._rule(item) for item in items),
        )
        for rule, item in zip(found.rules, items, strict=True):
            first = found.by_id[rule.id]
            if rule.version != first.version:
                item.fail(f"{rule.id} has two versions.", "Give all bindings of an id one version.")
            if rule.criterion != first.criterion:
                hint = "Give all bindings of an id one criterion: it is scored once."
                item.get("criterion").fail(f"{rule.id} has criterion {first.criterion} before.", hint)
        for spec, item in zip(found.clean, node.get("clean").items(), strict=True):
            self._check_reported(spec, item, found)
        return found

    def _check_reported(self, spec: CleanSpec, node: Node, found: RuleSet) -> None:
        """What a step reports must be a rule, or its owner would be told neither severity nor reason."""
        reported = [(node.get("rule"), spec.rule)]
        holds = known_params(spec.step)
        reported += [
            (node.get("params").get(key), str(value)) for key, value in spec.params.items() if holds[key] == "rule"
        ]
        for place, rule in reported:
            if rule not in found.by_id:
                place.fail(f"there is no rule {rule}.", "Name a rule of this file or of common.yaml.")

    def mistakes(self, node: Node) -> Iterator[ConfigError]:
        """The first mistake of each cleaning step and each rule; where these are right, the first of the file."""
        found = []
        for part, read_part in (("clean", self._clean), ("rules", self._rule)):
            items = node.get(part).items()
            for item in _completed(items, self._root) if part == "rules" else items:
                if part == "rules":
                    self._scope = replace(self._scope, definitions=_Definitions(node.get("define"), self._definition))
                try:
                    read_part(item)
                except ConfigError as error:
                    found.append(error)
        if not found:
            try:
                self.read(node)
            except ConfigError as error:
                found.append(error)
        yield from found

    def _definition(self, node: Node) -> Value:
        return self._compiled(node, compile_expression)

    def _compiled(self, node: Node, compiler: Callable[[str, Scope], Value]) -> Value:
        try:
            return compiler(node.text(), self._scope)
        except Mistake as mistake:
            self._fail(node, mistake)

    def _fail(self, node: Node, mistake: Mistake) -> NoReturn:
        where = position(self._folder / node.file, node.place, mistake.start)
        raise ConfigError(
            f"{node.file}: {where}: {node.place}: {mistake.problem}", field=node.place, hint=mistake.hint
        ) from mistake

    def _known(self, node: Node, names: Iterable[str]) -> tuple[str, ...]:
        for name in names:
            if name not in self._fields:
                node.fail(f"the dataset has no field {name}.", "Use a field of its schema.")
        return tuple(names)

    def _params(self, node: Node, reader: str) -> Mapping[str, Any]:
        """The parameters of the step or check ``reader``, which must know them and can use what they hold."""
        params = node.get("params")
        if params.absent:
            return {}
        known = known_params(reader)
        if not known:
            params.fail(f"{reader} has no parameters.", "Leave params out.")
        for name, entry in params.mapping(allowed=known).entries():
            self._check_param(known[name], entry)
        return cast(Mapping[str, Any], params.value)

    def _check_param(self, holds: Param, entry: Node) -> None:
        """ConfigError where a parameter does not hold what its step or check reads."""
        match holds:
            case "field" | "fields":
                self._known(entry, entry.texts() if holds == "fields" else [entry.text()])
            case "pairs":
                for pair in entry.items():
                    if len(self._known(pair, pair.texts())) != 2:
                        pair.fail("is no pair.", "Write [province field, commune field].")
            case "number" | "numbers":
                for one in entry.items() if holds == "numbers" else [entry]:
                    if isinstance(one.value, bool) or not isinstance(one.value, int | float):
                        one.fail("is no number.", "Write a number, without quotes.")
            case "flag":
                entry.flag()
            case _:
                entry.text()

    def _clean(self, node: Node) -> CleanSpec:
        node.mapping(allowed=("step", "rule", "fields", "params"), needed=("step", "rule"))
        step = node.get("step").text()
        if step not in steps():
            node.get("step").fail(f"there is no cleaning step {step}.", f"Use one of {', '.join(steps())}.")
        return CleanSpec(
            step=step,
            rule=node.get("rule").text(),
            fields=self._known(node, node.get("fields").texts()),
            params=self._params(node, step),
        )

    def _rule(self, node: Node) -> RuleSpec:
        node.mapping(allowed=_KEYS, needed=("id", "severity", "message"))
        message = node.get("message").mapping(allowed=("vi", "en"), needed=("vi", "en"))
        criterion = node.get("criterion")
        identity, check = node.get("id").text(), node.get("check").optional_text()
        rule = RuleSpec(
            id=identity,
            severity=cast(Severity, node.get("severity").choice(get_args(Severity))),
            message_vi=message.get("vi").text(),
            message_en=message.get("en").text(),
            fields=self._known(node, node.get("fields").texts()),
            params=self._params(node, identity if check is None else check),
            check=check,
            version=_version(node.get("version")),
            criterion=None if criterion.absent else cast(Criterion, criterion.choice(get_args(Criterion))),
            basis=node.get("basis").optional_text() or "",
            valid_from=_day(node.get("valid_from")),
            valid_to=_day(node.get("valid_to")),
            as_of=node.get("as_of").optional_text(),
        )
        if rule.valid_from is not None and rule.valid_to is not None and rule.valid_to < rule.valid_from:
            node.get("valid_to").fail(f"{rule.id} ends before it begins.", "Write a day from valid_from on.")
        if rule.as_of is not None and (rule.as_of not in self._fields or self._fields[rule.as_of].type != "date"):
            node.get("as_of").fail(f"{rule.as_of} is no date field.", "Name the field with the record's date.")
        return self._with_condition(rule, node)

    def _with_condition(self, rule: RuleSpec, node: Node) -> RuleSpec:
        written = node.get("expression")
        sets = node.get("set")
        if rule.severity == "FIX" and rule.function and sets.absent:
            hint = "Write ERROR, WARN or REVIEW, or what it sets: set: {field: value}."
            node.get("severity").fail("a condition or check alone fixes nothing.", hint)
        if not sets.absent and (written.absent or rule.severity != "FIX"):
            sets.fail("stands without an expression or severity FIX.", "Write both beside it.")
        if written.absent:
            if rule.function and rule.function not in checks():
                hint = f"Write an expression, or use one of {', '.join(checks())}."
                node.get("check" if rule.check else "id").fail(f"there is no check {rule.function}.", hint)
            return rule
        if rule.check is not None or rule.params:
            node.fail("has both an expression and a check.", "Write one of them; params belong to a check.")
        condition = self._compiled(written, compile_condition)
        relations = self._relations(condition)
        if relations and rule.severity not in ("WARN", "REVIEW"):
            node.get("severity").fail(
                "reads other datasets, whose records arrive in any order: it refuses and repairs nothing.",
                "Write WARN, which tells the owner, or REVIEW, which asks a person.",
            )
        read_by = tuple(name for name in self._fields if name in condition.fields)
        if not (rule.fields or read_by):
            written.fail("reads no field.", "Name a field in the expression.")
        return replace(
            rule,
            expression=written.text(),
            condition=condition,
            fields=rule.fields or read_by,
            relations=relations,
            sets=() if sets.absent else tuple(self._assignment(*entry) for entry in sets.mapping().entries()),
        )

    def _relations(self, value: Value) -> tuple[Relation, ...]:
        """What a value reads of other datasets' golden records."""
        return tuple(relation for column, relation in self._scope.relations.items() if column in value.fields)

    def _assignment(self, name: str, node: Node) -> Assignment:
        (field,) = self._known(node, [name])
        value = self._compiled(node, compile_expression)
        if self._relations(value):
            node.fail("reads other datasets.", "Set a value that the record and reference tables tell.")
        wanted = self._scope.fields[field]
        if value.kind is not wanted and (value.kind, wanted) != (Kind.INTEGER, Kind.DECIMAL):
            self._fail(node, Mistake(f"{name} is {wanted}, the value {value.kind}.", "Set it to a value of its type."))
        codes = self._scope.codes.get(name, ())
        if codes and value.constant is not None and value.constant[0] not in codes:
            self._fail(node, Mistake(f"{name} has no such code.", f"Use one of {', '.join(codes)}."))
        return Assignment(field, node.text(), value)


def _completed(items: Iterable[Node], root: Path) -> Iterator[Node]:
    """The rules with what ``common.yaml`` has for their ids, then those of its rules that only cleaning reports."""
    shared = _common(root)
    left = dict(shared)
    for item in items:
        identity = item.mapping().get("id").optional_text() or ""
        left.pop(identity, None)
        yield replace(item, value=shared[identity].value | item.value) if identity in shared else item
    yield from (node for node in left.values() if node.value.get("check") == "")


@cache
def _common(root: Path) -> Mapping[str, Node]:
    """The rules of ``common.yaml`` by id; none where there is no such file."""
    if not (root / COMMON).exists():
        return {}
    items = read(root, COMMON).mapping(allowed=("rules",)).get("rules").items()
    return {item.mapping(allowed=_KEYS, needed=("id",)).get("id").text(): item for item in items}


def _version(node: Node) -> int:
    if node.absent:
        return 1
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
        node.fail("is no version.", "Write 1, 2, …")
    return node.value


def _day(node: Node) -> date | None:
    if node.absent:
        return None
    if type(node.value) is not date:
        node.fail("is no date.", "Write 2025-07-01.")
    return node.value
