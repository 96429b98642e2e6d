"""What the index keeps of each golden topic: the fields that rules across datasets read, and the keys they go by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from sync.rule.model import RuleSpec
from sync.rule.relation import Relation, Target, related
from sync.schema.dataset import Dataset
from sync.schema.derived import topic

RELATIONS = ".relations"
"""How the topics of findings end."""


@dataclass(frozen=True)
class Kept:
    """Of one dataset: the rules to be judged for its records, and what others' rules look for among them.

    ``targets``: by the numbers that the index knows them by.
    """

    dataset: Dataset
    rules: tuple[RuleSpec, ...]
    targets: Mapping[int, Target]

    @cached_property
    def golden(self) -> str:
        """The topic of its golden records."""
        return topic(self.dataset.id, "golden")

    @cached_property
    def findings(self) -> str:
        """The topic of what was found in them."""
        return f"{self.dataset.id}{RELATIONS}"

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """What its rules ask, each once."""
        return tuple(dict.fromkeys(relation for rule in self.rules for relation in rule.relations))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields that its rules read, in the schema's order."""
        read = {name for rule in self.rules if rule.condition for name in rule.condition.fields}
        read |= {rule.as_of for rule in self.rules if rule.as_of}
        return tuple(field.name for field in self.dataset.fields if field.name in read)

    @cached_property
    def blamed(self) -> tuple[str, ...]:
        """The fields that its rules blame, each once."""
        return tuple(dict.fromkeys(rule.fields[0] for rule in self.rules))


class Layout:
    """What is kept of which golden topic, by topic; ``digest`` tells another layout, and other rules, apart."""

    def __init__(self, datasets: Iterable[Dataset], told: Collection[str] = ()) -> None:
        """``told``: the datasets of whose records something was told; what no rule says any more is taken back."""
        self.told = frozenset(told)
        known = {dataset.id: dataset for dataset in datasets}
        rules = {name: found for name, dataset in known.items() if (found := related(dataset.rules))}
        relations = [relation for found in rules.values() for rule in found for relation in rule.relations]
        targets = sorted({relation.target for relation in relations}, key=repr)
        self.numbers: Mapping[Target, int] = {target: number for number, target in enumerate(targets)}
        self.counted = {self.numbers[relation.target] for relation in relations if relation.counted}
        self.kept: dict[str, Kept] = {}
        for name, dataset in known.items():
            mine = {number: target for target, number in self.numbers.items() if target.dataset == name}
            if mine or name in rules or name in self.told:
                kept = Kept(dataset, rules.get(name, ()), mine)
                self.kept[kept.golden] = kept
        self.digest = _digest(self.kept.values())

    def askers(self, number: int) -> Iterable[Kept]:
        """The datasets whose rules look for the target ``number``."""
        return (
            kept
            for kept in self.kept.values()
            if any(self.numbers[relation.target] == number for relation in kept.relations)
        )


def _digest(kept: Iterable[Kept]) -> str:
    """What an index of this layout is told by: it changes with whatever its entries are made by, and with the rules."""
    told = []
    for one in kept:
        names = [field.name for field in one.dataset.fields]
        fields = [one.dataset.field(name) for name in one.fields]
        entry = [(field.name, field.type, field.precision, field.scale) for field in fields]
        blamed = [(name, names.index(name)) for name in one.blamed]
        rules = [(rule.id, rule.version, rule.severity, rule.expression, rule.relations) for rule in one.rules]
        if one.rules or one.targets:
            told.append((one.golden, entry, blamed, rules, sorted(one.targets.items()), one.dataset.policy.locality))
    return blake2b(repr(sorted(told)).encode(), digest_size=8).hexdigest()
