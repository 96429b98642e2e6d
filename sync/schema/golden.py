"""The datasets of a schemas folder as tables that rules of other datasets may ask for: ``golden.<dataset>``.

Called by ``sync.schema.dataset``, which reads the schemas: rules need fields and types of other datasets, not their
rules, so no dataset waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from sync.rule.expression.kind import of_field
from sync.rule.expression.value import Table
from sync.rule.model import Field

Shape = tuple[Sequence[Field], Mapping[str, tuple[str, ...]]]
"""The fields of a dataset, and the codes of enumerated ones by field."""


class GoldenTables:
    """The datasets ``names``; ``shape`` reads the schema of one when it is first asked for."""

    def __init__(self, names: Sequence[str], shape: Callable[[str], Shape]) -> None:
        self._names = names
        self._table = cache(lambda name: _table(name, *shape(name)))

    def find(self, name: str) -> Table | None:
        """The dataset, or None if there is none; ConfigError for a mistake in its schema."""
        return self._table(name) if name in self._names else None

    def known(self) -> Iterable[str]:
        """The ids of all datasets."""
        return self._names


def _table(name: str, fields: Sequence[Field], codes: Mapping[str, tuple[str, ...]]) -> Table:
    return Table(name, {field.name: of_field(field) for field in fields}, golden=True, codes=codes)
