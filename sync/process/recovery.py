"""How far Faust has to read a table's changelog before its stock app may go on: the broker's answer.

With transactions Faust takes the last stable offset that its consumer happened to see in a fetch: after a start usually
none at all. Then it takes up work with empty tables, or ends with a ConsistencyError once retention has deleted the
changelog's first records (faust-streaming 0.15). Used by the indicators' app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP

from sync.kafka.client import end_offsets


class _Consumer(aiokafka.Consumer):
    """Faust's consumer, which asks the broker where changelogs end."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The offsets after the last committed records."""
        servers = ",".join(f"{url.host}:{url.port}" for url in self.app.conf.broker_consumer)
        topics = {partition.topic for partition in partitions}
        ends = await asyncio.to_thread(end_offsets, servers, topics, read_committed=True)
        return {partition: ends[partition.topic, partition.partition] for partition in partitions}


class RecoveringApp(faust.App):
    """A stock app whose tables are whole after every start."""

    def _new_transport(self) -> Any:
        transport: Any = super()._new_transport()
        transport.Consumer = _Consumer
        return transport
