"""Where a worker's servers are, which group it belongs to and what it is called."""

from __future__ import annotations

from dataclasses import dataclass

from sync.connect.status import STATUS_TOPIC
from sync.kafka.registrations import CONFIGS_TOPIC

OFFSETS_TOPIC = "dongbo.connect.offsets"


@dataclass(frozen=True, slots=True)
class Settings:
    """``rest_port`` 0 takes a free one. ``advertised_url`` is where the other workers of the group reach this one.

    ``even_after`` is for how many seconds workers must neither come nor go before tasks are moved to even them out.
    ``show_passwords`` answers with clear passwords as they were submitted, as Kafka Connect does.
    """

    bootstrap: str
    registry_url: str
    rest_host: str = "127.0.0.1"
    rest_port: int = 8083
    advertised_url: str = ""
    worker_id: str = ""
    group: str = "dongbo"
    configs_topic: str = CONFIGS_TOPIC
    status_topic: str = STATUS_TOPIC
    offsets_topic: str = OFFSETS_TOPIC
    show_passwords: bool = False
    even_after: float = 5.0
