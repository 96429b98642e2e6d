"""Single-message transforms (Kafka Connect's ``transforms`` and ``predicates``) on batches of Avro records.

``chain`` runs them, ``kind`` and ``predicate`` hold one file a class. Called by sources between capture and the Kafka
transaction (``outgoing``), and by sinks between consumption and the reduction (``incoming``).
"""

from __future__ import annotations

from functools import cache

from sync.transform.kinds import Kind, discovered


@cache
def transforms() -> dict[str, Kind]:
    """Every transform, by class name."""
    from sync.transform import kind

    return discovered(kind.__path__, kind.__name__)


@cache
def predicates() -> dict[str, Kind]:
    """Every predicate, by class name."""
    from sync.transform import predicate

    return discovered(predicate.__path__, predicate.__name__)
