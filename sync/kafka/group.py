"""The committed offsets of a consumer group that nobody is in: changed or removed from outside.

Called by the control plane for sink connectors that are stopped. Kafka refuses a change while the group has members; a
static member stays one until its session times out (``session.timeout.ms``), so the group is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from sync.errors import Refused
from sync.kafka.client import committed_offsets, group_admin, translate

_ANSWER = 10.0
_LOOK = 0.2
Place = tuple[str, int]


def alter_offsets(
    bootstrap: str, group: str, offsets: Mapping[Place, int | None] | None, *, patience: float = 15.0
) -> None:
    """Set offsets of ``group``; None for one removes it, None for all removes all. Idempotent.

    Waits ``patience`` seconds at most for members to leave. Raises Refused where they don't, Unavailable.
    """
    _await_empty(bootstrap, group, patience)
    committed = committed_offsets(bootstrap, group)
    wanted = {} if offsets is None else {at: new for at, new in {**committed, **offsets}.items() if new is not None}
    client = group_admin(bootstrap, timeout=_ANSWER)
    # Kafka's protocol removes single offsets, but the driver has no call for it: the group goes and comes again.
    if committed.keys() - wanted.keys():
        _done(client.delete_consumer_groups([group], request_timeout=_ANSWER)[group])
    if wanted:
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in wanted.items()]
        request = [ConsumerGroupTopicPartitions(group, positions)]
        _done(client.alter_consumer_group_offsets(request, request_timeout=_ANSWER)[group])


def _await_empty(bootstrap: str, group: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while members := _members(bootstrap, group):
        if time.monotonic() > deadline:
            raise Refused(
                f"Consumer group {group} still has {members} members after {patience:.0f} s.",
                hint="stop what else reads with this group, or wait until its session has timed out",
            )
        time.sleep(_LOOK)


def _members(bootstrap: str, group: str) -> int:
    client = group_admin(bootstrap, timeout=_ANSWER)
    try:
        return len(client.describe_consumer_groups([group], request_timeout=_ANSWER)[group].result().members)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        raise translate(error, f"group {group}") from error


def _done(future: Any) -> None:
    try:
        future.result()
    except KafkaException as error:
        raise translate(error) from error
