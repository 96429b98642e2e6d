"""What is captured: tables and rows before the snapshot, statements after it, and the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MARKER = "moc"
"""The table whose row ends a scenario's phase: when its record is there, all before it are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``before``: SQL before the connectors start. ``after``: SQL while they stream, each statement a transaction.

    A statement may hold several with semicolons between: then they are one transaction. With ``step`` each one is
    captured before the next is run: Debezium asks the catalogs what a table looks like when it reads of it.
    ``{prefix}`` in a value of ``config`` is the side's topic.prefix. ``compatibility`` is what the registry asks of new
    schemas.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    step: bool = False
    compatibility: str = "BACKWARD"


BASE = "create table t (id int primary key, ten text, so int not null default 7)"
"""The plain table of most scenarios."""
