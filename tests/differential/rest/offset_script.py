"""Requests about positions: those of a source that is stopped, and of a sink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.differential.rest.place import Places, gone, state
from tests.differential.rest.plugin_script import wrong_topics
from tests.differential.rest.side import told
from tests.differential.rest.step import Step, get, put, send


def source_offsets(places: Places) -> Iterator[Step]:
    """Positions of a source that is stopped."""
    one = "/connectors/TAG-o/offsets"
    yield send("POST", "/connectors", {"name": "TAG-o", "config": places.source("o"), "initial_state": "STOPPED"})
    yield get("/connectors/TAG-o/status", until=state("STOPPED"))
    here = {"server": "TAG_o"}
    yield get(one)
    yield send("DELETE", one)
    for pairs in (
        [(here, {"lsn": 5})],
        [(here, {"lsn": 6, "txId": 7, "ts_usec": 8})],
        [(here, {"lsn": 1}), (here, {"lsn": 2})],
        [(here, None)],
        [(here, {"lsn": 9})],
        [({"server": "another"}, {"lsn": 1})],
        [(here, {"lsn": "x"})],
        [(here, {})],
        [(None, {"lsn": 1})],
    ):
        yield send("PATCH", one, {"offsets": [{"partition": p, "offset": o} for p, o in pairs]})
        # What both sides took; a refused change leaves it.
        if pairs[0][0] == here and (pairs[0][1] is None or isinstance(pairs[0][1].get("lsn"), int)):
            yield get(one)
    yield send("DELETE", one)
    yield get(one)
    yield send("DELETE", "/connectors/TAG-o")
    yield get("/connectors/TAG-o/status", until=gone)


def sink(places: Places) -> Iterator[Step]:
    """A sink: its positions while stopped, then running to its topic's end."""
    one, topic = "/connectors/TAG-s", places.topic
    path = f"{one}/offsets"
    yield send("POST", "/connectors", {"name": "TAG-s", "config": places.sink(), "initial_state": "STOPPED"})
    yield get(f"{one}/status", until=state("STOPPED"))
    yield get(path, view=_sorted)
    yield send("DELETE", path)
    first, second = ({"kafka_topic": topic, "kafka_partition": number} for number in (0, 1))
    for partition, offset in (
        (first, {"kafka_offset": 2}),
        ({**second, "kafka_partition": "1"}, {"kafka_offset": "1"}),
        (first, {"kafka_offset": 1, "more": 2}),
        ({}, {"kafka_offset": 2}),
        (None, {"kafka_offset": 2}),
        ({"kafka_topic": topic}, {"kafka_offset": 2}),
        ({**first, "kafka_topic": None}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": None}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": "x"}, {"kafka_offset": 2}),
        ({**first, "kafka_partition": 1.5}, {"kafka_offset": 2}),
        (first, {}),
        (first, {"kafka_offset": "x"}),
        (first, {"kafka_offset": None}),
        (first, {"kafka_offset": -1}),
        ({**first, "kafka_partition": 9}, {"kafka_offset": 1}),
        ({**first, "kafka_topic": "TAG-no-topic"}, {"kafka_offset": 1}),
        (second, None),
    ):
        yield send("PATCH", path, {"offsets": [{"partition": partition, "offset": offset}]})
        yield get(path, view=_sorted)
    yield send("DELETE", path)
    yield get(path, view=_sorted)
    yield send("PATCH", path, {"offsets": [{"partition": first, "offset": {"kafka_offset": 1}}]})
    yield put(f"{one}/resume")
    yield get(f"{one}/status", until=state("RUNNING", "RUNNING"))
    yield get(
        path, view=_sorted, until=lambda answer: sum(o["offset"]["kafka_offset"] for o in answer.body["offsets"]) == 5
    )
    yield get(f"{one}/tasks")
    yield send("DELETE", path)
    yield put(f"{one}/stop")
    yield get(f"{one}/status", until=state("STOPPED"))
    for changes in wrong_topics(topic)[:3]:
        yield put(f"{one}/config", told(places.sink(), **changes))
    yield send("DELETE", path)
    yield send("DELETE", one)
    yield get(f"{one}/status", until=gone)


def _sorted(body: Any) -> Any:
    return sorted(body["offsets"], key=str) if "offsets" in body else body
