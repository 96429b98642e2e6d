"""The positions of a connector in the shape of ``GET /connectors/{c}/offsets``.

A source's come from the offsets topic, a sink's from its consumer group, where the sink repeats for lag tools what its
target holds.
"""

from __future__ import annotations

import json
from typing import Any

from sync.kafka.client import committed_offsets
from sync.kafka.offset import OffsetStore


def sink_group(connector: str) -> str:
    """The consumer group of a sink connector, as Connect names it."""
    return f"connect-{connector}"


def offsets(bootstrap: str, topic: str, connector: str, kind: str) -> dict[str, Any]:
    """``{"offsets": [{"partition": …, "offset": …}]}``; raises Unavailable, Refused."""
    if kind == "sink":
        committed = committed_offsets(bootstrap, sink_group(connector))
        return {
            "offsets": [
                {"partition": {"kafka_topic": name, "kafka_partition": number}, "offset": {"kafka_offset": offset}}
                for (name, number), offset in sorted(committed.items())
            ]
        }
    stored = OffsetStore(bootstrap, topic).load(connector)
    return {"offsets": [{"partition": json.loads(key), "offset": offset} for key, offset in stored.items()]}
