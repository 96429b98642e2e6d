"""What rules ask of other datasets: which of their golden records belong to a record, and how many there are.

Pure. ``sync.rule.expression`` makes a ``Relation`` of each query on ``golden.<dataset>``; the relations step
(``sync.process.relation``) keeps the counts and judges the rules. In an expression a relation is the column
``Relation.column`` of whole numbers, never null.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.rule.model import RuleSet, RuleSpec


@dataclass(frozen=True, slots=True)
class Target:
    """Golden records of ``dataset`` by the values of ``columns``, of those whose columns have one of ``fixed``'s texts.

    Texts are in ``sync.rule.expression.kind.notation``.
    """

    dataset: str
    columns: tuple[str, ...]
    fixed: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """The records of ``target`` whose columns equal ``fields`` of a record: none where one of these is null.

    ``counted``: it matters how many there are, not only whether there is one.
    """

    target: Target
    fields: tuple[str, ...]
    counted: bool = False

    @property
    def column(self) -> str:
        """Its name among the columns that an expression reads; no field has such a name."""
        pairs = [f"{column} = {field}" for column, field in zip(self.target.columns, self.fields, strict=True)]
        fixed = [f"{name} IN {values}" for name, values in self.target.fixed]
        return f"golden.{self.target.dataset} {'count' if self.counted else 'any'} {' AND '.join([*pairs, *fixed])}"


def related(rules: RuleSet) -> tuple[RuleSpec, ...]:
    """The rules that read other datasets' golden records, which the relations step judges; no other step does."""
    return tuple(rule for rule in rules.rules if rule.relations)
