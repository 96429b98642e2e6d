"""Asks the real transforms of Kafka Connect and Debezium what they make of records, and writes ``transforms.json``.

    uv run --with JPype1 python -m tests.golden.renew_transforms

By hand, when a case is added to ``tests/transform_case.py`` or another Connect or Debezium is followed. Needs Java and
the jars of ``bench.connect`` (downloaded once). Each case is a chain's configuration and records in the JSON
converter's form; the file holds, by the case's name, what comes out of each record: null where it was dropped, the
class of the error where one was raised.
"""

from __future__ import annotations

import json
from typing import Any

import jpype

from bench.connect import CONNECT, DEBEZIUM, jars
from tests.transform_case import CASES, GOLDEN, SAME, Case


class Peer:
    """The JVM with Connect's and Debezium's classes."""

    def __init__(self) -> None:
        worker, plugins = jars()
        jpype.startJVM(classpath=[str(jar) for jar in (*worker, *sorted(plugins.rglob("*.jar")))])
        self._class = jpype.JClass
        self._converters = {}
        for is_key in (True, False):
            converter = self._class("org.apache.kafka.connect.json.JsonConverter")()
            options = {"schemas.enable": "true", "replace.null.with.default": "false"}
            converter.configure(self._map(options), is_key)
            self._converters[is_key] = converter

    def run(self, case: Case) -> list[Any]:
        """What the chain makes of each record."""
        steps = [self._step(case.config, alias.strip()) for alias in case.config["transforms"].split(",")]
        return [self._result(steps, case, record) for record in case.records]

    def _result(self, steps: list[Any], case: Case, record: dict[str, Any]) -> Any:
        try:
            found = self._record(case, record)
            for transform, predicate, negate in steps:
                if predicate is None or bool(predicate.test(found)) != negate:
                    found = transform.apply(found)
                if found is None:
                    return None
            told = self._told(found)
        except jpype.JException as error:
            return {"error": str(type(error).__name__).rpartition(".")[2]}
        # What stays as it was is told in one word: the file is long enough.
        told = {name: SAME if part == record.get(name) else part for name, part in told.items()}
        partition = found.kafkaPartition()
        chosen = None if partition is None else int(partition)
        return told if chosen == record.get("partition") else {**told, "partition": chosen}

    def _step(self, config: dict[str, str], alias: str) -> tuple[Any, Any, bool]:
        transform = self._configured(config, f"transforms.{alias}.")
        name = config.get(f"transforms.{alias}.predicate")
        predicate = self._configured(config, f"predicates.{name}.") if name else None
        return transform, predicate, config.get(f"transforms.{alias}.negate") == "true"

    def _configured(self, config: dict[str, str], prefix: str) -> Any:
        own = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        made = self._class(own["type"])()
        made.configure(self._map({key: value for key, value in own.items() if key not in ("predicate", "negate")}))
        return made

    def _map(self, values: dict[str, str]) -> Any:
        made = self._class("java.util.HashMap")()
        for key, value in values.items():
            made.put(key, value)
        return made

    def _record(self, case: Case, given: dict[str, Any]) -> Any:
        topic = given["topic"]
        key, value = (self._side(topic, given[side], side == "key") for side in ("key", "value"))
        headers = self._class("org.apache.kafka.connect.header.ConnectHeaders")()
        for name, text in given.get("headers", ()):
            headers.addString(name, text)
        at = given.get("timestamp")
        timestamp = None if at is None else self._class("java.lang.Long").valueOf(at)
        none = self._map({})
        parts = (key.schema(), key.value(), value.schema(), value.value())
        if not case.sink:
            kind = self._class("org.apache.kafka.connect.source.SourceRecord")
            return kind(none, none, topic, None, *parts, timestamp, headers)
        times = self._class("org.apache.kafka.common.record.TimestampType").CREATE_TIME
        kind = self._class("org.apache.kafka.connect.sink.SinkRecord")
        place = given.get("partition", 0), given.get("offset", 0)
        return kind(topic, place[0], *parts, place[1], timestamp, times, headers)

    def _side(self, topic: str, side: Any, is_key: bool) -> Any:
        data = None if side is None else json.dumps(side).encode()
        return self._converters[is_key].toConnectData(topic, data)

    def _told(self, record: Any) -> dict[str, Any]:
        topic = str(record.topic())
        found: dict[str, Any] = {"topic": topic}
        for side, schema, value in (
            ("key", record.keySchema(), record.key()),
            ("value", record.valueSchema(), record.value()),
        ):
            data = None if value is None else self._converters[side == "key"].fromConnectData(topic, schema, value)
            found[side] = None if data is None else json.loads(bytes(data))
        values = self._class("org.apache.kafka.connect.data.Values")
        found["headers"] = [
            [str(one.key()), None if one.value() is None else str(values.convertToString(one.schema(), one.value()))]
            for one in record.headers()
        ] or None
        return found


def main() -> None:
    peer = Peer()
    found = {"connect": CONNECT, "debezium": DEBEZIUM, "results": {case.name: peer.run(case) for case in CASES}}
    GOLDEN.write_text(_lines(found), encoding="utf-8")


def _lines(found: dict[str, Any]) -> str:
    """The JSON with a line for each record."""
    cases = []
    for name, results in found["results"].items():
        lines = ",\n".join(f"   {json.dumps(result, ensure_ascii=False)}" for result in results)
        cases.append(f"  {json.dumps(name)}: [\n{lines}\n  ]")
    joined = ",\n".join(cases)
    return f'{{\n "connect": "{CONNECT}",\n "debezium": "{DEBEZIUM}",\n "results": {{\n{joined}\n }}\n}}\n'


if __name__ == "__main__":
    main()
