"""The REST API in Kafka Connect's shapes: statuses, bodies, error texts."""

from __future__ import annotations

import httpx
import pytest
from connect_cluster import Cluster
from connect_fakes import WAIT, FakePlugin

from sync.connect.plugin import installed_version
from sync.connect.worker import Worker
from sync.metrics import SINK_ROWS

Config = dict[str, str | None]
JSON = {"Content-Type": "application/json"}


def running(worker: Worker, name: str) -> None:
    assert worker.wait(lambda: [t["state"] for t in worker.status(name)["tasks"]] == ["RUNNING"], WAIT)


def test_the_root_tells_version_and_cluster(http: httpx.Client) -> None:
    told = http.get("/").json()
    assert told == {"version": "4.1.1", "commit": f"dongbo-{installed_version()}", "kafka_cluster_id": "cluster-1"}
    assert told["kafka_cluster_id"] == "cluster-1"


def test_health_is_healthy_once_restored(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


def test_a_connector_lives_its_life_over_rest(http: httpx.Client, worker: Worker, config: Config) -> None:
    assert http.get("/connectors").json() == []
    created = http.post("/connectors", json={"name": "a", "config": config})
    assert created.status_code == 201
    assert created.headers["location"] == str(http.base_url.join("/connectors/a"))
    assert created.json() == {
        "name": "a",
        "config": {**config, "name": "a"},
        "tasks": [{"connector": "a", "task": 0}],
        "type": "source",
    }
    running(worker, "a")
    assert http.get("/connectors/").json() == ["a"]
    assert http.get("/connectors/a").json() == created.json()
    assert http.get("/connectors/a/config").json() == {**config, "name": "a"}
    assert http.get("/connectors/a/status").json() == {
        "name": "a",
        "connector": {"state": "RUNNING", "worker_id": "worker-1", "version": installed_version()},
        "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "worker-1", "version": installed_version()}],
        "type": "source",
    }
    assert http.get("/connectors/a/tasks").json() == [
        {"id": {"connector": "a", "task": 0}, "config": {**config, "name": "a"}}
    ]
    assert http.get("/connectors/a/tasks/0/status").json() == {
        "id": 0,
        "state": "RUNNING",
        "worker_id": "worker-1",
        "version": installed_version(),
    }
    assert http.get("/connectors/a/topics").json() == {"a": {"topics": []}}
    assert http.put("/connectors/a/topics/reset").status_code == 202
    expanded = http.get("/connectors?expand=info&expand=status&expand=other").json()
    assert set(expanded["a"]) == {"info", "status"}
    for method, path, status in (
        ("PUT", "pause", 202),
        ("PUT", "resume", 202),
        ("PUT", "stop", 204),
        ("PUT", "resume", 202),
        ("POST", "restart", 204),
        ("POST", "restart?includeTasks=true", 202),
    ):
        assert http.request(method, f"/connectors/a/{path}").status_code == status, path
    running(worker, "a")
    assert http.post("/connectors/a/tasks/0/restart").status_code == 204
    assert http.put("/connectors/a/config", json=config).status_code == 200
    assert http.patch("/connectors/a/config", json={"tasks.max": 2}).json()["config"]["tasks.max"] == "2"
    gone = http.delete("/connectors/a")
    assert (gone.status_code, gone.content) == (204, b"")
    assert http.get("/connectors").json() == []


def test_put_config_creates_what_is_missing(http: httpx.Client, config: Config) -> None:
    assert http.put("/connectors/a/config", json=config).status_code == 201


def test_an_initial_state_is_kept(http: httpx.Client, worker: Worker, config: Config) -> None:
    http.post("/connectors", json={"name": "a", "config": config, "initial_state": "STOPPED"})
    assert http.get("/connectors/a/status").json()["connector"]["state"] == "STOPPED"
    assert worker.info("a")["tasks"] == []


def test_a_name_may_hold_slashes_blanks_and_vietnamese(http: httpx.Client, config: Config) -> None:
    created = http.post("/connectors", json={"name": "Hà Nội/cán bộ", "config": config})
    location = created.headers["location"]
    assert "/connectors/H%C3%A0%20N%E1%BB%99i%2Fc" in location
    assert http.get(location).json()["name"] == "Hà Nội/cán bộ"
    assert http.delete(location).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/connectors/x", 404, "Connector x not found"),
        ("GET", "/connectors/x/config", 404, "Connector x not found"),
        ("GET", "/connectors/x/status", 404, "No status found for connector x"),
        ("GET", "/connectors/x/tasks/0/status", 404, "No status found for task x-0"),
        ("GET", "/connectors/x/offsets", 404, "Connector x not found"),
        ("DELETE", "/connectors/x", 404, "Connector x not found"),
        ("PUT", "/connectors/x/pause", 404, "Unknown connector x"),
        ("POST", "/connectors/x/restart", 404, "Unknown connector: x"),
        ("GET", "/nothing", 404, "HTTP 404 Not Found"),
        ("PATCH", "/connectors", 405, "HTTP 405 Method Not Allowed"),
        ("GET", "/connector-plugins/x/config", 404, "Unknown plugin x."),
    ],
)
def test_what_is_not_there_is_told_in_connects_words(
    http: httpx.Client, method: str, path: str, status: int, message: str
) -> None:
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()) == (status, {"error_code": status, "message": message})


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{not json", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"name": "a", "config": {"k": NaN}}', "not JSON"),
        (b'{"name": "\\ud800", "config": {}}', "not JSON"),
        (b'{"name": "a"}', "has no config"),
        (b'{"name": "a", "config": {"k": "v"}}', "Connector config {k=v, name=a} contains no connector type"),
        (b'{"config": {}}', "contains no connector type"),
        (
            b'{"config": {"connector.class": "FakeSink"}}',
            "Invalid value  for configuration name: String may not be empty",
        ),
        (b'{"name": "a\\tb", "config": {"connector.class": "FakeSink"}}', "had the following ASCII chars: 9"),
        (b'{"name": "a", "config": []}', "not a JSON object"),
        (b'{"name": "a", "config": {"k": {"deep": 1}}}', "configuration k"),
        (b'{"name": "a", "config": {"name": "b"}}', "Connector name configuration (b) doesn't match"),
        (b'{"name": "a", "config": {"connector.class": "No"}}', "available connectors are: test.FakeSink, test.Fake"),
        (
            b'{"name": "a", "config": {}, "initial_state": "ASLEEP"}',
            "initial_state is none of RUNNING, PAUSED, STOPPED",
        ),
        (b'{"name": "a", "config": {}, "initial_offsets": {}}', "initial_offsets are not a JSON array"),
        (b'{"name": "a", "other": 1}', 'Unrecognized field "other" in the request'),
    ],
)
def test_a_bad_request_says_what_is_wrong(http: httpx.Client, body: bytes, part: str) -> None:
    answer = http.post("/connectors", content=body, headers=JSON)
    assert answer.status_code == 400
    assert part in answer.json()["message"]


def test_a_body_that_is_not_called_json_is_refused(http: httpx.Client) -> None:
    answer = http.post("/connectors", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["message"]) == (415, "HTTP 415 Unsupported Media Type")


def test_the_methods_of_a_path_are_told(http: httpx.Client) -> None:
    answer = http.options("/connectors")
    assert (answer.status_code, answer.headers["allow"]) == (200, "GET, HEAD, OPTIONS, POST")
    assert http.head("/connectors").status_code == 200


def test_a_restart_tells_what_it_restarts(http: httpx.Client, worker: Worker, config: Config) -> None:
    http.post("/connectors", json={"name": "a", "config": config})
    running(worker, "a")
    only = http.post("/connectors/a/restart?includeTasks=true&onlyFailed=true").json()
    assert [only["connector"]["state"], only["tasks"][0]["state"]] == ["RUNNING", "RUNNING"]
    told = http.post("/connectors/a/restart?includeTasks=true").json()
    assert [told["connector"]["state"], told["tasks"][0]["state"]] == ["RESTARTING", "RESTARTING"]


def test_offsets_are_changed_of_a_stopped_connector_only(http: httpx.Client, config: Config) -> None:
    http.post("/connectors", json={"name": "a", "config": config})
    sent = {"offsets": [{"partition": {"server": "x"}, "offset": None}]}
    for answer in (http.patch("/connectors/a/offsets", json=sent), http.delete("/connectors/a/offsets")):
        assert answer.status_code == 400
        assert answer.json()["message"] == (
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
            "specified connector by issuing a 'PUT' request to the '/connectors/a/stop' endpoint"
        )
    assert http.patch("/connectors/x/offsets", json=sent).status_code == 404


@pytest.mark.parametrize("body", [{}, {"offsets": None}, {"offsets": []}])
def test_a_change_of_offsets_names_some(http: httpx.Client, body: dict[str, object]) -> None:
    answer = http.patch("/connectors/a/offsets", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Partitions / offsets need to be provided for an alter offsets request"


def test_a_loggers_level_is_changed_at_run_time_under_javas_name(http: httpx.Client) -> None:
    path = "/admin/loggers/org.apache.kafka.connect.runtime"
    try:
        assert "sync.connect.rest" in http.put(path, json={"level": "error"}).json()
        assert http.put(path, json={"level": "ERROR"}).json() == []
        assert http.get("/admin/loggers/sync.connect.rest").json()["level"] == "ERROR"
        assert http.get("/admin/loggers").json()["sync.connect.worker"]["last_modified"] > 0
        assert http.put(f"{path}?scope=cluster", json={"level": "WARN"}).status_code == 204
        assert http.get("/admin/loggers/sync.connect.rest").json()["level"] == "WARN"
    finally:
        http.put(path, json={"level": "INFO"})
    for sent, status, message in (
        ({}, 400, "Desired 'level' parameter was not specified in request."),
        ({"level": "LOUD"}, 404, "invalid log level 'LOUD'."),
    ):
        answer = http.put(path, json=sent)
        assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert http.get("/admin/loggers/nope").json()["message"] == "Logger nope not found."


def test_topics_are_told_from_their_first_record_and_after_a_reset_from_the_next(http: httpx.Client) -> None:
    rows = SINK_ROWS.labels("tracked", "golden", "upserted")
    path = "/connectors/tracked/topics"
    assert http.get(path).json() == {"tracked": {"topics": []}}
    rows.inc()
    assert http.get(path).json() == {"tracked": {"topics": ["golden"]}}
    assert http.put(f"{path}/reset").status_code == 202
    assert http.get(path).json() == {"tracked": {"topics": []}}
    rows.inc()
    assert http.get(path).json() == {"tracked": {"topics": ["golden"]}}


def test_a_topic_that_one_worker_uses_is_told_by_every_worker(cluster: Cluster) -> None:
    first, second = cluster.worker("worker-1"), cluster.worker("worker-2")
    # Not by this process's metrics, which both have: as another worker tells it.
    cluster.status_log("worker-3").use("shared", "golden")
    assert first.topics.used("shared") == second.topics.used("shared") == ["golden"]
    second.topics.reset("shared")
    assert first.topics.used("shared") == []


def test_numbers_and_booleans_are_kept_as_strings(http: httpx.Client, config: Config) -> None:
    sent = {**config, "tasks.max": 1, "errors.log.enable": True, "other": 1.50}
    told = http.post("/connectors", json={"name": "a", "config": sent}).json()["config"]
    assert (told["tasks.max"], told["errors.log.enable"], told["other"]) == ("1", "true", "1.5")


def test_the_plugins_are_listed_with_their_aliases(http: httpx.Client) -> None:
    listed = http.get("/connector-plugins").json()
    assert [(p["class"], p["type"]) for p in listed] == [
        ("org.example.FakeConnector", "source"),
        ("org.example.FakeSinkConnector", "sink"),
        ("test.FakeSink", "sink"),
        ("test.FakeSource", "source"),
    ]


def test_transforms_and_predicates_are_listed_where_they_are_asked_for(http: httpx.Client) -> None:
    listed = http.get("/connector-plugins?connectorsOnly=false").json()
    assert {p["type"] for p in listed} == {"source", "sink", "transformation", "predicate"}
    for plugin in listed:
        assert http.get(f"/connector-plugins/{plugin['class']}/config").status_code == 200, plugin


def test_a_plugins_keys_are_described(http: httpx.Client) -> None:
    keys = {key["name"]: key for key in http.get("/connector-plugins/FakeSource/config").json()}
    assert set(keys["topic.prefix"]) == {
        "name",
        "type",
        "required",
        "default_value",
        "importance",
        "documentation",
        "group",
        "order",
        "width",
        "display_name",
        "dependents",
    }
    assert keys["database.hostname"]["default_value"] == "localhost"
    assert "tasks.max" not in keys
    assert keys["topic.prefix"]["required"] is True


def test_validate_answers_200_with_the_errors_of_each_key(
    http: httpx.Client, source: FakePlugin, config: Config
) -> None:
    source.found = {"database.hostname": ["nobody answers there"]}
    path = "/connector-plugins/FakeSource/config/validate"
    answer = http.put(path, json={**config, "name": "a", "database.password": "clear"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["name"], body["error_count"]) == ("test.FakeSource", 1)
    values = {entry["value"]["name"]: entry["value"] for entry in body["configs"]}
    assert values["database.hostname"]["errors"] == ["nobody answers there"]
    assert values["database.password"]["value"] == "********"
    assert "clear" not in answer.text
    missing = http.put(path, json={"connector.class": "test.FakeSource"}).json()
    assert missing["error_count"] == 2
    mismatch = http.put(path, json={"connector.class": "test.FakeSink"})
    assert mismatch.status_code == 400


def test_an_unsupported_key_is_an_entry_without_definition(http: httpx.Client, config: Config) -> None:
    sent = {**config, "name": "a", "snapshot.locking": "none"}
    body = http.put("/connector-plugins/FakeSource/config/validate", json=sent).json()
    entry = body["configs"][-1]
    assert entry["definition"] is None
    assert "there are no locks" in entry["value"]["errors"][0]


def test_an_unexpected_error_tells_its_place_and_no_value(
    http: httpx.Client, source: FakePlugin, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    source.found = None  # type: ignore[assignment]
    answer = http.post("/connectors", json={"name": "a", "config": {**config, "database.hostname": "Nguyen"}})
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Unexpected ")
    assert "Nguyen" not in answer.text + caplog.text


def test_metrics_are_served(http: httpx.Client, worker: Worker, config: Config) -> None:
    worker.create("measured", config)
    running(worker, "measured")
    assert 'dongbo_task_running{connector="measured",task="0"} 1.0' in http.get("/metrics").text
