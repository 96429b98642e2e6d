"""Which datasets are in use: those that a source is mapped to, so that nothing is loaded for the others.

Called by ``sync.pipeline`` for the reconciler, which asks once a second. A dataset in use stays so until the process
ends; the registrations of deleted sources stay too, since their records may still be on their way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from sync.schema.dataset import Dataset, load


class Registered(Protocol):
    """What is registered now (``sync.process.origin.Sources``)."""

    def poll(self) -> Mapping[str, Target]: ...


class Target(Protocol):
    """A mapped table, as far as its dataset goes."""

    @property
    def dataset(self) -> str: ...

    @property
    def source(self) -> str: ...


class Usage:
    """The datasets in use. ``fresh`` tells of each once."""

    def __init__(self, sources: Registered) -> None:
        self._sources = sources
        self._known: set[str] = set()

    def fresh(self) -> Iterable[Dataset]:
        """The datasets that came into use since the last call, loaded; ConfigError where one has a mistake."""
        wanted = {table.dataset for table in self._sources.poll().values()} - self._known
        self._known |= wanted
        return [load(name) for name in sorted(wanted)]
