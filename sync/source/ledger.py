"""The capture stage's entries of the ledger (invariant 1): how many changes went into each topic.

Used by every source kind: the entries are part of the Kafka transaction that holds what they count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sync.schema.avro import encode_one, wire
from sync.schema.derived import LEDGER_TOPIC, ledger_key_schema, ledger_schema

STAGE = "capture"
CAPTURED = "captured"
SUPPRESSED = "suppressed"


class Ledger:
    """Encodes a source's counts. ``datasets`` maps a topic to its dataset, where it has one."""

    topic = LEDGER_TOPIC

    def __init__(
        self, source: str, datasets: Mapping[str, str], register: Callable[[str, dict[str, object]], int]
    ) -> None:
        """Register the ledger's schemas: ``register(subject, schema) -> id``; raises what it raises."""
        self._source = source
        self._datasets = datasets
        self._key_schema, self._schema = ledger_key_schema(), ledger_schema()
        self._key_id = register(f"{self.topic}-key", self._key_schema)
        self._id = register(f"{self.topic}-value", self._schema)

    def entries(
        self, captured: Mapping[str, int], suppressed: Mapping[str, int], ts_ms: int
    ) -> list[tuple[bytes, bytes]]:
        """Return the records for counts by topic. ``captured`` must include what was suppressed."""
        counts = [(topic, CAPTURED, count) for topic, count in captured.items()]
        counts += [(topic, SUPPRESSED, count) for topic, count in suppressed.items()]
        return [self._entry(topic, outcome, count, ts_ms) for topic, outcome, count in counts if count]

    def _entry(self, topic: str, outcome: str, count: int, ts_ms: int) -> tuple[bytes, bytes]:
        key = encode_one(self._key_schema, {"stage": STAGE, "topic": topic})
        value = encode_one(
            self._schema,
            {
                "ts_ms": ts_ms,
                "stage": STAGE,
                "source": self._source,
                "topic": topic,
                "partition": -1,
                "dataset": self._datasets.get(topic),
                "outcome": outcome,
                "count": count,
            },
        )
        return wire(self._key_id, key), wire(self._id, value)
