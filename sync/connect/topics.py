"""Which topics a connector's tasks have used, told by the metrics of this process (``GET /connectors/{c}/topics``).

Called by the REST API. A reset hides what was used so far until it is used again.
"""

from __future__ import annotations

from collections import defaultdict

from sync import metrics

_METRICS = (metrics.SOURCE_EVENTS, metrics.SINK_ROWS)


class Topics:
    """The topics in use, by connector; since the worker's start or the last reset."""

    def __init__(self) -> None:
        self._before: dict[str, dict[str, float]] = {}

    def used(self, connector: str) -> list[str]:
        """The topics that ``connector`` wrote or read."""
        before = self._before.get(connector, {})
        return sorted(topic for topic, count in _counts(connector).items() if count > before.get(topic, 0.0))

    def reset(self, connector: str) -> None:
        """Forget what was used until now."""
        self._before[connector] = _counts(connector)


def _counts(connector: str) -> dict[str, float]:
    counts: defaultdict[str, float] = defaultdict(float)
    for metric in _METRICS:
        for family in metric.collect():
            for sample in family.samples:
                if sample.name.endswith("_total") and sample.labels.get("connector") == connector:
                    counts[sample.labels["topic"]] += sample.value
    return dict(counts)
