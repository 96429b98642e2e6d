"""The REST API of a real worker: what its OpenAPI document allows is never a server error; offsets are really moved."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from sync.connect.openapi import document
from sync.connect.status import KafkaStatusLog
from sync.embedded.stack import Stack
from sync.kafka.client import Topic, committed_offsets, ensure_topics, producer
from sync.kafka.offset import OffsetStore
from tests.eventually import eventually
from tests.worker_process import OurWorker

Database = Callable[[str], str]
OPERATIONS = [(method, path) for path, item in document()["paths"].items() for method in item if method != "parameters"]


def test_nothing_that_the_document_allows_is_a_server_error(
    running: OurWorker, http: httpx.Client, sink: dict[str, Any]
) -> None:
    made = http.post("/connectors", json={"name": "one", "config": sink, "initial_state": "STOPPED"})
    assert made.status_code == 201, made.text
    schema = schemathesis.openapi.from_dict(document())
    asked: set[tuple[str, str]] = set()

    def play(method: str, path: str) -> None:
        @given(case=schema[path][method].as_strategy(), known=st.booleans())
        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def once(case: Any, known: bool) -> None:
            if known and "name" in (case.path_parameters or {}) and (method, path) != ("delete", "/connectors/{name}"):
                case.path_parameters["name"] = "one"
            answer = case.call(base_url=running.url)
            asked.add((method, path))
            assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
            allowed = {*schema[path][method].definition.raw["responses"], "404"}
            assert str(answer.status_code) in allowed, f"{method} {path}: {answer.status_code} {answer.text[:500]}"

        once()

    for method, path in OPERATIONS:
        play(method, path)
    assert asked == set(OPERATIONS)
    http.delete("/connectors/one")
    assert "Traceback" not in running.log()


def test_a_sinks_offsets_are_moved_in_the_target_and_in_the_group(
    running: OurWorker, http: httpx.Client, sink: dict[str, Any], stack: Stack
) -> None:
    name, topic, bootstrap = f"sink-{uuid.uuid4().hex[:8]}", sink["topics"], stack.endpoints().bootstrap
    ensure_topics(bootstrap, [Topic(topic)])
    writer = producer(bootstrap)
    for _ in range(5):
        writer.produce(topic, value=b"no record")
    writer.flush()
    target = psycopg.connect(
        sink["connection.url"].removeprefix("jdbc:"),
        user=sink["connection.username"],
        password=sink["connection.password"],
        autocommit=True,
    )
    with target:

        def held() -> list[Any]:
            found = target.execute("SELECT next_offset FROM dongbo_sink_offsets WHERE connector = %s", (name,))
            return [row[0] for row in found]

        def change(offset: Any) -> httpx.Response:
            partition = {"kafka_topic": topic, "kafka_partition": 0}
            sent = {"offsets": [{"partition": partition, "offset": offset}]}
            return http.patch(f"/connectors/{name}/offsets", json=sent)

        first = [{"partition": {"kafka_topic": topic, "kafka_partition": 0}, "offset": {"kafka_offset": 3}}]
        made = {"name": name, "config": sink, "initial_state": "STOPPED", "initial_offsets": first}
        assert http.post("/connectors", json=made).status_code == 201
        assert (held(), committed_offsets(bootstrap, f"connect-{name}")) == ([3], {(topic, 0): 3})
        assert http.get(f"/connectors/{name}/offsets").json() == {"offsets": first}
        http.put(f"/connectors/{name}/resume")
        assert eventually(lambda: held() == [5])
        assert http.get(f"/connectors/{name}/topics").json() == {name: {"topics": [topic]}}
        # What another worker of the group reads.
        statuses = KafkaStatusLog(bootstrap, "another", "0", running.status_topic)
        statuses.open()
        assert statuses.topics(name) == {topic}
        http.put(f"/connectors/{name}/topics/reset")
        assert eventually(lambda: statuses.poll() or not statuses.topics(name))
        statuses.close()
        assert change({"kafka_offset": 1}).status_code == 400
        http.put(f"/connectors/{name}/stop")
        told = change({"kafka_offset": 1})
        assert told.json() == {"message": "The offsets for this connector have been altered successfully"}
        assert (held(), committed_offsets(bootstrap, f"connect-{name}")) == ([1], {(topic, 0): 1})
        http.put(f"/connectors/{name}/resume")
        assert eventually(lambda: held() == [5])
        http.put(f"/connectors/{name}/stop")
        assert http.delete(f"/connectors/{name}/offsets").status_code == 200
        assert (held(), committed_offsets(bootstrap, f"connect-{name}")) == ([], {})
        http.delete(f"/connectors/{name}")


def test_a_sources_offsets_are_written_to_its_topic(
    running: OurWorker, http: httpx.Client, database: Database, stack: Stack
) -> None:
    dsn = database("rest_source")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    server = conninfo_to_dict(dsn)
    name = f"source_{uuid.uuid4().hex[:8]}"
    config = {
        "connector.class": "dongbo.source.PostgreSQL",
        **{f"database.{key}": server[of] for key, of in (("hostname", "host"), ("port", "port"), ("user", "user"))},
        "database.password": server["password"],
        "database.dbname": server["dbname"],
        "topic.prefix": name,
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "all_tables",
    }
    store = OffsetStore(stack.endpoints().bootstrap, running.offsets_topic)
    here = json.dumps({"server": name}, separators=(",", ":"))
    wrong = [{"partition": {"server": "another"}, "offset": {"lsn": 7}}]
    made = {"name": name, "config": config, "initial_state": "STOPPED"}
    refused = http.post("/connectors", json={**made, "initial_offsets": wrong})
    assert "the partition of this connector is" in refused.text
    assert (refused.status_code, http.get(f"/connectors/{name}").status_code) == (400, 404)
    answer = http.post("/connectors", json=made)
    assert answer.status_code == 201, answer.text
    sent = {"offsets": [{"partition": {"server": name}, "offset": {"lsn": 7, "txId": 8}}]}
    assert http.patch(f"/connectors/{name}/offsets", json=sent).status_code == 200
    assert store.load(name) == {here: {"lsn": 7, "txId": 8}}
    assert http.get(f"/connectors/{name}/offsets").json() == sent
    assert http.delete(f"/connectors/{name}/offsets").status_code == 200
    assert store.load(name) == {}
    http.delete(f"/connectors/{name}")
