"""The ledger read along: sums by source topic and outcome, and whether they balance.

Reads ``dongbo.ledger`` from its beginning and then what is new, committed records only. Balance (invariant 1): per
source topic captured = suppressed + applied + merged + rejected + review.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sync.kafka import Consumer, KafkaException, TopicPartition
from sync.kafka.client import Topic, consumer, ensure_topics, partitions, translate
from sync.schema.avro import decode_one, split
from sync.schema.registry import RegistryClient

LEDGER_TOPIC = "dongbo.ledger"
ENDS = ("suppressed", "applied", "merged", "rejected", "review")


class Counts:
    """Sums of ledger entries by (topic, outcome)."""

    def __init__(self) -> None:
        self.by_topic: dict[str, Counter[str]] = {}

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add one entry of the ledger."""
        self.by_topic.setdefault(entry["topic"], Counter())[entry["outcome"]] += entry["count"]

    def total(self, outcome: str, topics: Iterable[str] | None = None) -> int:
        """The sum of an outcome, of all topics or some."""
        chosen = self.by_topic if topics is None else topics
        return sum(self.by_topic.get(topic, Counter())[outcome] for topic in chosen)

    def unbalanced(self) -> dict[str, int]:
        """Topic → captured changes that have no end yet (negative: more ends than changes)."""
        found = {}
        for topic, counts in self.by_topic.items():
            open_ = counts["captured"] - sum(counts[outcome] for outcome in ENDS)
            if open_:
                found[topic] = open_
        return found

    def own(self, topic: str) -> int:
        """Captured changes of a topic that were not echoes of our own writes."""
        counts = self.by_topic.get(topic, Counter[str]())
        return counts["captured"] - counts["suppressed"]


class Tally:
    """A reader of the ledger that remembers where it was."""

    def __init__(self, bootstrap: str, registry_url: str) -> None:
        self.counts = Counts()
        self._registry = RegistryClient(registry_url)
        ensure_topics(bootstrap, [Topic(LEDGER_TOPIC)])
        self._consumer: Consumer = consumer(bootstrap, "dongbo-demo-tally")
        numbers = partitions(bootstrap, LEDGER_TOPIC)
        self._consumer.assign([TopicPartition(LEDGER_TOPIC, number, 0) for number in numbers])

    def refresh(self) -> int:
        """Read what is new; returns how many entries there were. Raises Unavailable when Kafka doesn't answer."""
        read = 0
        try:
            # A consume of many waits for many: take the first alone, then what is there already.
            while (first := self._consumer.poll(0.05)) is not None:
                for message in (first, *self._consumer.consume(5000, 0)):
                    value = message.value()
                    if message.error() is None and value is not None:
                        schema_id, datum = split(value)
                        self.counts.add(decode_one(self._registry.schema(schema_id), datum))
                        read += 1
        except KafkaException as error:
            raise translate(error) from error
        return read

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()
        self._registry.close()
