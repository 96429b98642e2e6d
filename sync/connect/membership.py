"""A worker's place in its group: which slots are its own, by Kafka's own group protocol.

Called by ``sync.connect.herder``, from its thread only. The slots are the partitions of a topic without records. The
cooperative protocol moves only the slots that must move; a slot is given away after its former owner has let go of it
(``released`` returned), or when the group has not heard of that owner for the session timeout (``lost``, which the
owner learns late or never: what its tasks still do must be fenced by others).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sync.connect.slot import SLOTS
from sync.errors import SyncError
from sync.kafka import Consumer, KafkaError, KafkaException, TopicPartition
from sync.kafka.client import Topic, consumer, ensure_topics, members, translate

SESSION_MS = 6000
"""After so long without a heartbeat the group gives a worker's slots to others: the least that brokers allow."""

_ANSWER = 2.0
"""How long an answer about the whole group is waited for, s: well below the session's timeout, for a worker that is cut
off from Kafka is to learn meanwhile that its slots are lost."""


class Listener(Protocol):
    """What a membership tells; called within ``poll`` and ``leave``."""

    def gained(self, slots: Collection[int]) -> None:
        """These slots are ours from now on; none may be among them."""

    def released(self, slots: Collection[int]) -> None:
        """These slots are to be given up: return when nothing of them runs any more."""

    def lost(self, slots: Collection[int]) -> None:
        """These slots may have another owner already: stop what runs, and tell nothing of it."""


class Membership(Protocol):
    """One worker's membership."""

    def join(self, listener: Listener) -> None:
        """Ask to be let in; ``poll`` tells what comes of it. Raises Unavailable, Refused."""

    def poll(self) -> None:
        """Tell the listener what has changed; does not wait. Raises Unavailable, Refused."""

    def owners(self) -> dict[int, str] | None:
        """Each slot's worker id in the whole group; None while slots move or the group can't be asked."""

    def leave(self) -> None:
        """Give everything up (``released``) so that others have it at once; never raises."""


class KafkaMembership:
    """A consumer of the slots topic in the workers' group; the worker's id is its ``client.id``."""

    def __init__(self, bootstrap: str, group: str, worker_id: str) -> None:
        """No I/O here."""
        self._bootstrap = bootstrap
        self._group = f"dongbo-worker-{group}"
        self._topic = f"{group}.connect.slots"
        self._worker_id = worker_id
        self._consumer: Consumer | None = None

    def join(self, listener: Listener) -> None:
        """See ``Membership.join``; creates the topic if it is missing."""
        ensure_topics(self._bootstrap, [Topic(self._topic, partitions=SLOTS)])
        client = consumer(
            self._bootstrap,
            self._group,
            client_id=self._worker_id,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=500,
            max_poll_interval_ms=60_000,
        )

        def assigned(_: Consumer, partitions: list[TopicPartition]) -> None:
            client.incremental_assign(partitions)
            # Nothing is ever read: a paused partition costs no request.
            client.pause(partitions)
            listener.gained({p.partition for p in partitions})

        def revoked(_: Consumer, partitions: list[TopicPartition]) -> None:
            listener.released({p.partition for p in partitions})
            client.incremental_unassign(partitions)

        def lost(_: Consumer, partitions: list[TopicPartition]) -> None:
            listener.lost({p.partition for p in partitions})
            client.incremental_unassign(partitions)

        client.subscribe([self._topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)
        self._consumer = client

    def poll(self) -> None:
        """See ``Membership.poll``."""
        if self._consumer is None:
            return
        try:
            message = self._consumer.poll(0)
        except KafkaException as error:
            raise translate(error, f"group {self._group}") from error
        event = message.error() if message is not None else None
        if event is not None and event.code() != KafkaError._MAX_POLL_EXCEEDED and not event.retriable():
            raise translate(event, f"group {self._group}")

    def owners(self) -> dict[int, str] | None:
        """See ``Membership.owners``."""
        try:
            found = members(self._bootstrap, self._group, timeout=_ANSWER)
        except SyncError:
            return None
        if found is None:
            return None
        owners = {at.partition: member for member, assigned in found for at in assigned if at.topic == self._topic}
        return owners if len(owners) == SLOTS else None

    def leave(self) -> None:
        """See ``Membership.leave``."""
        if self._consumer is None:
            return
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError):
            # The broker is away: the group forgets us when the session times out.
            pass
        self._consumer = None
