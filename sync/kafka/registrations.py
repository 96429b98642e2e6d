"""Reads the control plane's configs topic: what is registered, and which sources there are.

The worker writes the topic (``sync.connect``); the processors, which may not import the control plane, learn here
what a source's topics mean. Beside Connect's own records (``connector-<name>``) the worker writes one record
``source-<topic.prefix>`` a source connector: its declarations resolved and without secrets, kept when the connector
is deleted, so that records still on their way find their mapping.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.kafka.record_log import RecordLog

CONFIGS_TOPIC = "dongbo.connect.configs"
CONNECTOR = "connector-"
SOURCE = "source-"


def source_declaration(config: Mapping[str, str]) -> dict[str, str] | None:
    """What the processors may know of a resolved connector configuration; None if it is no source's.

    Only ``name``, ``connector.class``, ``topic.prefix``, ``topic.delimiter`` and the keys ``dongbo.source.*``,
    ``dongbo.mappings`` and ``dongbo.origin.skip``: nothing secret.
    """
    if not config.get("topic.prefix"):
        return None
    plain = ("name", "connector.class", "topic.prefix", "topic.delimiter", "dongbo.mappings", "dongbo.origin.skip")
    return {key: value for key, value in config.items() if key in plain or key.startswith("dongbo.source.")}


class Registrations:
    """The sources that the control plane knows, kept up to date by ``poll``. Owned by one thread."""

    def __init__(self, bootstrap: str, topic: str = CONFIGS_TOPIC) -> None:
        """Open the configs topic (created if missing); raises Unavailable or Refused."""
        self._log = RecordLog(bootstrap, topic)
        self._sources: dict[str, dict[str, str]] = {}

    def poll(self, timeout: float = 0.0) -> bool:
        """Read what is new, waiting ``timeout`` seconds at most; True if the sources changed.

        The first call blocks until all is read.
        """
        before = dict(self._sources)
        for key, value in self._log.poll(timeout):
            if not key.startswith(SOURCE):
                continue
            if value is None:
                self._sources.pop(key, None)
            else:
                self._sources[key] = dict(value["properties"])
        return self._sources != before

    def sources(self) -> list[dict[str, str]]:
        """One mapping a source (see ``source_declaration``), by ``topic.prefix``; deleted connectors' included."""
        return [self._sources[key] for key in sorted(self._sources)]

    def close(self) -> None:
        """Leave the broker."""
        self._log.close()
