"""Records that a sink can't apply: a dead-letter topic, passing over, or the end of the task.

Called by sinks before they commit the offsets behind such records. Keys and headers are Kafka Connect's
(``org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter``). A crash between this topic and the target's
commit repeats a dead letter, never loses one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.errors import Refused, Unavailable, Unreadable
from sync.kafka import KafkaException, Producer
from sync.kafka.client import Topic, ensure_topics, producer, translate
from sync.metrics import SINK_ROWS
from sync.ports import TaskContext
from sync.sink.reduction import Stage

LOGGER = logging.getLogger(__name__)

_FLUSH = 30.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record as it came, and why and where it could not be applied; ``reason`` names no value."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str
    stage: Stage = Stage.TASK_PUT


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What the keys ``errors.*`` of a sink say.

    ``topic`` is empty where there is no dead letter queue; ``replication`` -1 is the broker's default.
    """

    tolerate: bool = False
    topic: str = ""
    replication: int = -1
    headers: bool = True
    log: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Tolerance:
        """Read typed configuration values; what is not there has its default."""
        return cls(
            tolerate=values.get("errors.tolerance") == "all",
            topic=str(values.get("errors.deadletterqueue.topic.name", "")),
            replication=int(values.get("errors.deadletterqueue.topic.replication.factor", -1)),
            headers=bool(values.get("errors.deadletterqueue.context.headers.enable", True)),
            log=bool(values.get("errors.log.enable", False)),
        )


class DeadLetters:
    """What happens to bad records by ``tolerance``."""

    def __init__(self, context: TaskContext, tolerance: Tolerance) -> None:
        """No I/O here: the topic is created and the producer opened with the first bad record."""
        self._context = context
        self._tolerance = tolerance
        self._producer: Producer | None = None

    def park(self, letters: Sequence[DeadLetter]) -> None:
        """Have all ``letters`` durable, or pass over them.

        Raises Refused naming the first record where errors.tolerance is none, Unavailable if Kafka doesn't answer.
        """
        if not letters:
            return
        if not self._tolerance.tolerate:
            first = letters[0]
            raise Refused(
                f"The record at {first.topic}-{first.partition}@{first.offset} can't be written ({first.reason}).",
                hint="correct the target or the producer; or set errors.tolerance=all with "
                "errors.deadletterqueue.topic.name to set such records aside",
            )
        for letter in letters:
            SINK_ROWS.labels(self._context.connector, letter.topic, "dead_letter").inc()
            if self._tolerance.log:
                place = f"{letter.topic}-{letter.partition}@{letter.offset}"
                LOGGER.error(
                    "Connector %s tolerates a bad record at %s: %s", self._context.connector, place, letter.reason
                )
        if not self._tolerance.topic:
            LOGGER.warning(
                "Connector %s passes over %d records that can't be written, the first at %s-%d@%d.",
                self._context.connector,
                len(letters),
                letters[0].topic,
                letters[0].partition,
                letters[0].offset,
            )
            return
        self._send(letters)

    def _send(self, letters: Sequence[DeadLetter]) -> None:
        if self._producer is None:
            wanted = Topic(self._tolerance.topic, replication=self._tolerance.replication)
            ensure_topics(self._context.bootstrap, [wanted])
            self._producer = producer(self._context.bootstrap)
        failures: list[str] = []
        try:
            for letter in letters:
                self._producer.produce(
                    self._tolerance.topic,
                    key=letter.key,
                    value=letter.value,
                    headers=self._headers(letter) if self._tolerance.headers else [],
                    on_delivery=lambda error, _: failures.append(error.name()) if error is not None else None,
                )
            left = self._producer.flush(_FLUSH)
        except KafkaException as error:
            raise translate(error) from error
        except BufferError as error:
            raise Unavailable("The dead-letter producer's queue is full.") from error
        if left or failures:
            raise Unavailable(
                f"Topic {self._tolerance.topic} did not take {left + len(failures)} dead letters "
                f"({', '.join(sorted(set(failures)))}).",
                hint="check that the brokers answer and that the topic takes records of this size",
            )

    def _headers(self, letter: DeadLetter) -> list[tuple[str, bytes | str | None]]:
        kind = Refused if letter.stage is Stage.TASK_PUT else Unreadable
        return [
            ("__connect.errors.topic", letter.topic),
            ("__connect.errors.partition", str(letter.partition)),
            ("__connect.errors.offset", str(letter.offset)),
            ("__connect.errors.connector.name", self._context.connector),
            ("__connect.errors.task.id", str(self._context.task)),
            ("__connect.errors.stage", letter.stage.value),
            ("__connect.errors.exception.class.name", f"{kind.__module__}.{kind.__qualname__}"),
            ("__connect.errors.exception.message", letter.reason),
        ]

    def close(self) -> None:
        """Flush; never raises."""
        if self._producer is not None:
            self._producer.flush(1.0)
