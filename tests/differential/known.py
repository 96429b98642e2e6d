"""Where we differ from Debezium, and why.

``KNOWN`` differences stay, and stand in ``docs/debezium.md`` too. ``OPEN`` and ``MISSING`` are not built yet. All are
strict: an entry that no longer differs fails a test and has to go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.differential.types import TABLES
from tests.type_difference import DIFFERENT, DIFFERENT_SNAPSHOT


@dataclass(frozen=True, slots=True)
class Known:
    """A difference by regular expressions that must match the scenario's name and the difference's path as wholes."""

    scenario: str
    path: str
    reason: str

    def covers(self, scenario: str, path: str) -> bool:
        """Tell whether this is the difference at ``path``."""
        return bool(re.fullmatch(self.scenario, scenario) and re.fullmatch(self.path, path))


KNOWN: tuple[Known, ...] = (
    Known(
        ".*",
        r".*\.source\.(fields\.)?origin(_lsn)?",
        "we tell the replication origin of a change; Debezium 3.4 does not",
    ),
    Known("identity_index", r"P\.public\.t\[\d+\]\.key.*", "an old row of the log holds the index's columns only"),
    Known("no_primary_key", r"P\.public\.t\.records", "a tombstone without a key says nothing: we write none"),
    Known("names", r"P\..*\.records", "Debezium reads names from the log byte by byte: only ASCII survives"),
    Known(
        "partitioned",
        r"P\.public\.t\.records|P\.public\.t1\[0\]\.value\.source\.snapshot",
        "a snapshot reads rows of partitions once: Debezium reads them as their root's, too",
    ),
    Known(
        "notifications_of_signals",
        r"P\.public\.[tu]\[\d+\]\.value\.source\.lsn",
        "a row of an incremental snapshot tells at which position of the log it holds: Debezium's null",
    ),
    Known(
        "logical_message_prefixes",
        r"P\.transaction\[\d+\]\.value\.data_collections",
        "Debezium names a Java object where we name the topic's last part",
    ),
)

_ROW = r"\[\d+\]\.value\.(before|after)\."
_SCHEMA = r"\[\d+\]\.value\.schema\.fields\.(before|after)\.fields\."


def _types() -> Iterator[Known]:
    """Those of ``tests/type_difference.py`` in tables that the embedded server has."""
    for (table, what, column), reason in DIFFERENT.items():
        if table in TABLES:
            # A field that only one side has is a difference of the values, too.
            place = f"({_SCHEMA}|{_ROW})" if what == "schema" else _ROW
            yield Known("types_.*", rf"P\.public\.{table}{place}{column}(\..*)?", reason)
    for (table, column), reason in DIFFERENT_SNAPSHOT.items():
        if table in TABLES:
            yield Known("types_.*", rf"P\.public\.{table}({_SCHEMA}|{_ROW}){column}(\..*)?", reason)


KNOWN += tuple(_types())

OPEN: tuple[Known, ...] = ()
"""What is being built; an entry goes with what it names."""

MISSING: dict[str, str] = {}
"""Scenario's name → what is missing."""

REFUSED = {
    "identity_nothing": "the server would then refuse their updates",
    "no_primary_key_default_identity": "the server would then refuse their updates",
    "message_key_columns_default_identity": "a delete could not name its row",
}
"""Scenario's name → part of the error with which we stop, where Debezium goes on."""
