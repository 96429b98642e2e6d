"""The embedded registry against the documented behaviour of Confluent Schema Registry's REST API.

The suite runs on the application with its records in a list, and on the running registry with its topic.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from sync.embedded.registry import MEDIA_TYPE, TOPIC, TopicLog, application
from sync.embedded.stack import Stack
from sync.embedded.subject import Record, Subjects
from sync.errors import Unavailable
from sync.kafka.client import read_all

Records = list[Record]


class InProcess(httpx.BaseTransport):
    """Hands requests to an application of this process."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._transport.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(ask())


class ListLog:
    """A ``subject.Log`` over a list. ``failing`` appends fail: with True the record is written all the same."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.failing: list[bool] = []

    def records(self) -> Records:
        return list(self._records)

    def append(self, record: Record) -> None:
        fails = bool(self.failing)
        if not fails or self.failing.pop(0):
            self._records.append(record)
        if fails:
            raise Unavailable("the log does not answer")


def memory(records: Records, log: ListLog | None = None) -> httpx.Client:
    """The application over ``records``: what they hold is read, what it writes is appended."""
    subjects = Subjects(log or ListLog(records))
    return httpx.Client(transport=InProcess(application(subjects, "cluster")), base_url="http://registry")


@pytest.fixture
def records() -> Records:
    return []


@pytest.fixture(params=["memory", "process"])
def registry(request: pytest.FixtureRequest, records: Records) -> Iterator[httpx.Client]:
    if request.param == "memory":
        yield memory(records)
        return
    url = request.getfixturevalue("registry_url")
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def subject() -> str:
    return f"test-{uuid.uuid4().hex}-value"


def schema(*fields: tuple[str, Any], name: str = "R", **defaults: Any) -> dict[str, str]:
    """The body of a request: a record schema with these fields."""
    made = [
        {"name": field, "type": kind, **({"default": defaults[field]} if field in defaults else {})}
        for field, kind in fields
    ]
    return {"schema": json.dumps({"type": "record", "name": name, "fields": made})}


def unique(body_field: str = "a") -> dict[str, str]:
    """A schema that no other test has registered."""
    return schema((body_field, "string"), name=f"R{uuid.uuid4().hex}")


def error(answer: httpx.Response) -> tuple[int, int]:
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    assert answer.json()["message"]
    return answer.status_code, answer.json()["error_code"]


def test_a_schema_gets_an_id_and_is_found_by_it_by_version_and_by_content(registry: httpx.Client, subject: str) -> None:
    body = unique()
    answer = registry.post(f"/subjects/{subject}/versions", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    number = answer.json()["id"]
    text = json.dumps(json.loads(body["schema"]), separators=(",", ":"))
    whole = {"subject": subject, "version": 1, "id": number, "schema": text}

    assert answer.json() == {"id": number}
    assert registry.get(f"/schemas/ids/{number}").json() == {"schema": text}
    assert registry.get(f"/schemas/ids/{number}/schema").json() == json.loads(text)
    assert registry.get(f"/schemas/ids/{number}/subjects").json() == [subject]
    assert registry.get(f"/schemas/ids/{number}/versions").json() == [{"subject": subject, "version": 1}]
    for version in ("1", "latest", "-1"):
        assert registry.get(f"/subjects/{subject}/versions/{version}").json() == whole
    assert registry.get(f"/subjects/{subject}/versions/1/schema").json() == json.loads(text)
    assert registry.get(f"/subjects/{subject}/versions").json() == [1]
    assert registry.post(f"/subjects/{subject}", json=body).json() == whole
    assert subject in registry.get("/subjects").json()
    assert registry.get("/subjects", params={"subjectPrefix": subject}).json() == [subject]


def test_the_same_schema_has_the_same_id_everywhere_however_it_is_written(registry: httpx.Client, subject: str) -> None:
    name = f"R{uuid.uuid4().hex}"
    first = {"schema": f'{{"type":"record","name":"{name}","fields":[{{"name":"a","type":"string"}}]}}'}
    second = {
        "schema": f'{{ "name": "{name}", "fields": [ {{"type": {{"type":"string"}}, "name":"a"}} ], "type":"record" }}'
    }
    one = registry.post(f"/subjects/{subject}/versions", json=first).json()
    assert registry.post(f"/subjects/{subject}/versions", json=second).json() == one
    assert registry.post(f"/subjects/{subject}-2/versions", json=second).json() == one
    assert registry.get(f"/subjects/{subject}/versions").json() == [1]
    assert registry.get(f"/schemas/ids/{one['id']}/subjects").json() == [subject, f"{subject}-2"]


def test_an_incompatible_schema_is_refused_with_409_and_the_reason(registry: httpx.Client, subject: str) -> None:
    registry.post(f"/subjects/{subject}/versions", json=schema(("a", "string")))
    answer = registry.post(f"/subjects/{subject}/versions", json=schema(("a", "int")))
    assert error(answer) == (409, 409)
    assert "TYPE_MISMATCH" in answer.json()["message"]
    assert subject in answer.json()["message"]
    assert registry.get(f"/subjects/{subject}/versions").json() == [1]
    compatible = schema(("a", "string"), ("b", ["null", "int"]), b=None)
    assert registry.post(f"/subjects/{subject}/versions", json=compatible).status_code == 200
    assert registry.get(f"/subjects/{subject}/versions").json() == [1, 2]


def test_a_compatibility_check_answers_and_registers_nothing(registry: httpx.Client, subject: str) -> None:
    path = f"/compatibility/subjects/{subject}/versions"
    good, bad = schema(("a", "string"), ("b", "string"), b=""), schema(("a", "string"), ("b", "string"))
    assert registry.post(f"{path}/latest", json=bad).json() == {"is_compatible": True}, "nothing to break yet"
    assert registry.post(path, json=bad).json() == {"is_compatible": True}
    assert error(registry.post(f"{path}/1", json=bad)) == (404, 40401)
    registry.post(f"/subjects/{subject}/versions", json=schema(("a", "string")))
    assert registry.post(f"{path}/latest", json=good).json() == {"is_compatible": True}
    assert registry.post(f"{path}/1", json=bad).json() == {"is_compatible": False}
    verbose = registry.post(f"{path}/latest", params={"verbose": "true"}, json=bad).json()
    assert verbose["is_compatible"] is False
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in verbose["messages"][0]
    assert error(registry.post(f"{path}/7", json=good)) == (404, 40402)
    assert registry.get(f"/subjects/{subject}/versions").json() == [1]


def test_what_is_not_there_is_answered_with_confluents_codes(registry: httpx.Client, subject: str) -> None:
    assert error(registry.get(f"/subjects/{subject}/versions")) == (404, 40401)
    assert error(registry.get(f"/subjects/{subject}/versions/1")) == (404, 40401)
    assert error(registry.delete(f"/subjects/{subject}")) == (404, 40401)
    assert error(registry.post(f"/subjects/{subject}", json=unique())) == (404, 40401)
    registry.post(f"/subjects/{subject}/versions", json=unique())
    assert error(registry.get(f"/subjects/{subject}/versions/2")) == (404, 40402)
    assert error(registry.delete(f"/subjects/{subject}/versions/2")) == (404, 40402)
    assert error(registry.post(f"/subjects/{subject}", json=unique())) == (404, 40403)
    assert error(registry.get("/schemas/ids/2000000000")) == (404, 40403)
    assert error(registry.get("/nowhere")) == (404, 404)
    assert error(registry.get("/schemas/ids/abc")) == (404, 404)


@pytest.mark.parametrize("version", ["0", "-2", "first", "1.5", "99999999999"])
def test_a_version_that_is_none_is_42202(registry: httpx.Client, subject: str, version: str) -> None:
    assert error(registry.get(f"/subjects/{subject}/versions/{version}")) == (422, 42202)


@pytest.mark.parametrize(
    "body",
    [
        {"schema": "{}"},
        {"schema": ""},
        {"schema": '{"type":"record","name":"R","fields":[{"name":"a","type":"nosuch"}]}'},
        {"schema": '"string"', "schemaType": "PROTOBUF"},
        {"schema": '"string"', "references": [{"name": "x"}]},
        {"schema": '"string"', "references": [{"name": "x", "subject": "no-such-subject", "version": 1}]},
        {},
    ],
)
def test_a_schema_that_is_none_is_42201(registry: httpx.Client, subject: str, body: dict[str, Any]) -> None:
    assert error(registry.post(f"/subjects/{subject}/versions", json=body)) == (422, 42201)
    assert error(registry.get(f"/subjects/{subject}/versions")) == (404, 40401)


def test_a_body_that_is_not_a_json_object_is_400(registry: httpx.Client, subject: str) -> None:
    assert registry.post(f"/subjects/{subject}/versions", content=b"{").status_code == 400
    assert registry.post(f"/subjects/{subject}/versions", content=b"[1]").status_code == 400


def test_levels_are_set_inherited_and_taken_back(registry: httpx.Client, subject: str) -> None:
    assert registry.get("/config").json()["compatibilityLevel"] == "BACKWARD"
    assert error(registry.get(f"/config/{subject}")) == (404, 40408)
    inherited = registry.get(f"/config/{subject}", params={"defaultToGlobal": "true"})
    assert inherited.json() == {"compatibilityLevel": "BACKWARD"}
    for level in ("NONE", "FULL_TRANSITIVE", "FORWARD"):
        put = registry.put(f"/config/{subject}", json={"compatibility": level})
        assert put.json() == {"compatibility": level}
        assert registry.get(f"/config/{subject}").json() == {"compatibilityLevel": level}
    assert error(registry.put(f"/config/{subject}", json={"compatibility": "SOMETIMES"})) == (422, 42203)
    assert registry.delete(f"/config/{subject}").json() == {"compatibilityLevel": "FORWARD"}
    assert error(registry.delete(f"/config/{subject}")) == (404, 40408)


def test_the_level_of_a_subject_decides_what_it_takes(registry: httpx.Client, subject: str) -> None:
    registry.put(f"/config/{subject}", json={"compatibility": "NONE"})
    for kind in ("string", "int", "boolean"):
        assert registry.post(f"/subjects/{subject}/versions", json=schema(("a", kind))).status_code == 200
    registry.put(f"/config/{subject}", json={"compatibility": "FORWARD"})
    added = schema(("a", "boolean"), ("b", "string"))
    assert registry.post(f"/subjects/{subject}/versions", json=added).status_code == 200
    assert registry.post(f"/subjects/{subject}/versions", json=schema(("b", "string"))).status_code == 409


def test_a_read_only_subject_takes_nothing(registry: httpx.Client, subject: str) -> None:
    registry.post(f"/subjects/{subject}/versions", json=unique())
    assert error(registry.get(f"/mode/{subject}")) == (404, 40409)
    assert error(registry.put(f"/mode/{subject}", json={"mode": "ASLEEP"})) == (422, 42204)
    assert registry.put(f"/mode/{subject}", json={"mode": "READONLY"}).json() == {"mode": "READONLY"}
    assert error(registry.post(f"/subjects/{subject}/versions", json=unique())) == (422, 42205)
    assert error(registry.delete(f"/subjects/{subject}")) == (422, 42205)
    assert registry.delete(f"/mode/{subject}").json() == {"mode": "READONLY"}
    assert registry.delete(f"/subjects/{subject}").json() == [1]


def test_an_import_keeps_the_given_id_and_version(registry: httpx.Client, subject: str) -> None:
    given = 1_000_000 + uuid.uuid4().int % 1_000_000_000
    body = {**unique(), "id": given, "version": 5}
    assert error(registry.post(f"/subjects/{subject}/versions", json=body)) == (422, 42205)
    registry.put(f"/mode/{subject}", json={"mode": "IMPORT"})
    assert registry.post(f"/subjects/{subject}/versions", json=body).json() == {"id": given}
    assert registry.get(f"/subjects/{subject}/versions").json() == [5]
    assert error(registry.post(f"/subjects/{subject}-2/versions", json={**unique(), "id": given}))[0] == 422


def test_a_subject_is_deleted_softly_then_for_good(registry: httpx.Client, subject: str) -> None:
    body = unique()
    number = registry.post(f"/subjects/{subject}/versions", json=body).json()["id"]
    registry.put(f"/config/{subject}", json={"compatibility": "NONE"})
    assert error(registry.delete(f"/subjects/{subject}", params={"permanent": "true"})) == (404, 40405)
    assert registry.delete(f"/subjects/{subject}").json() == [1]
    assert subject not in registry.get("/subjects").json()
    assert subject in registry.get("/subjects", params={"deleted": "true"}).json()
    assert subject in registry.get("/subjects", params={"deletedOnly": "true"}).json()
    assert error(registry.get(f"/subjects/{subject}/versions/1")) == (404, 40401)
    assert registry.get(f"/subjects/{subject}/versions/1", params={"deleted": "true"}).json()["id"] == number
    assert registry.get(f"/schemas/ids/{number}").status_code == 200, "data written with it stay readable"
    assert registry.get(f"/schemas/ids/{number}/subjects").json() == []
    assert error(registry.get(f"/config/{subject}")) == (404, 40408)
    assert error(registry.delete(f"/subjects/{subject}")) == (404, 40404)
    assert registry.delete(f"/subjects/{subject}", params={"permanent": "true"}).json() == [1]
    assert error(registry.delete(f"/subjects/{subject}", params={"permanent": "true"})) == (404, 40401)
    assert error(registry.get(f"/schemas/ids/{number}")) == (404, 40403)


def test_a_schema_registered_again_after_a_soft_deletion_gets_a_new_version_and_its_old_id(
    registry: httpx.Client, subject: str
) -> None:
    body = unique()
    number = registry.post(f"/subjects/{subject}/versions", json=body).json()["id"]
    registry.delete(f"/subjects/{subject}")
    assert registry.post(f"/subjects/{subject}/versions", json=body).json() == {"id": number}
    assert registry.get(f"/subjects/{subject}/versions").json() == [2]


def test_a_version_is_deleted_softly_then_for_good(registry: httpx.Client, subject: str) -> None:
    registry.put(f"/config/{subject}", json={"compatibility": "NONE"})
    for field in ("a", "b"):
        registry.post(f"/subjects/{subject}/versions", json=unique(field))
    path = f"/subjects/{subject}/versions"
    assert error(registry.delete(f"{path}/1", params={"permanent": "true"})) == (404, 40407)
    assert registry.delete(f"{path}/1").json() == 1
    assert registry.get(path).json() == [2]
    assert registry.get(path, params={"deleted": "true"}).json() == [1, 2]
    assert registry.get(path, params={"deletedOnly": "true"}).json() == [1]
    assert error(registry.get(f"{path}/1")) == (404, 40402)
    assert error(registry.delete(f"{path}/1")) == (404, 40406)
    assert registry.delete(f"{path}/1", params={"permanent": "true"}).json() == 1
    assert registry.get(path, params={"deleted": "true"}).json() == [2]
    assert registry.delete(f"{path}/latest").json() == 2


def test_a_schema_may_refer_to_others_which_then_cannot_be_deleted(registry: httpx.Client, subject: str) -> None:
    name = f"A{uuid.uuid4().hex}"
    registry.post(f"/subjects/{subject}-a/versions", json=schema(("street", "string"), name=name))
    reference = {"name": name, "subject": f"{subject}-a", "version": 1}
    body = {**schema(("home", name), name=f"P{uuid.uuid4().hex}"), "references": [reference]}
    number = registry.post(f"/subjects/{subject}/versions", json=body).json()["id"]
    assert registry.get(f"/schemas/ids/{number}").json()["references"] == [reference]
    assert registry.get(f"/subjects/{subject}/versions/1").json()["references"] == [reference]
    assert registry.get(f"/subjects/{subject}-a/versions/1/referencedby").json() == [number]
    assert error(registry.delete(f"/subjects/{subject}-a")) == (422, 42206)
    assert error(registry.delete(f"/subjects/{subject}-a/versions/1")) == (422, 42206)
    registry.delete(f"/subjects/{subject}")
    assert registry.delete(f"/subjects/{subject}-a").json() == [1]


def test_subjects_may_have_names_that_need_quoting_in_a_url(registry: httpx.Client, subject: str) -> None:
    quoted = f"{subject}%20%C4%90%E1%BB%93ng"
    assert registry.post(f"/subjects/{quoted}/versions", json=unique()).status_code == 200
    assert f"{subject} Đồng" in registry.get("/subjects").json()


def test_the_registry_tells_its_types_and_its_kafka(registry: httpx.Client) -> None:
    assert registry.get("/").json() == {}
    assert registry.get("/schemas/types").json() == ["AVRO"]
    assert registry.get("/v1/metadata/id").json()["scope"]["clusters"]["kafka-cluster"]
    assert registry.get("/mode").json() == {"mode": "READWRITE"}


def test_the_global_level_and_mode_hold_where_a_subject_has_none_of_its_own(records: Records, subject: str) -> None:
    registry = memory(records)
    registry.put("/config", json={"compatibility": "NONE"})
    for kind in ("string", "int"):
        assert registry.post(f"/subjects/{subject}/versions", json=schema(("a", kind))).status_code == 200
    registry.put("/mode", json={"mode": "READONLY"})
    assert registry.get(f"/mode/{subject}", params={"defaultToGlobal": "true"}).json() == {"mode": "READONLY"}
    assert error(registry.post("/subjects/other/versions", json=unique())) == (422, 42205)
    registry.put("/mode", json={"mode": "READWRITE"})
    assert registry.delete("/config").json() == {"compatibilityLevel": "NONE"}
    assert registry.get("/config").json() == {"compatibilityLevel": "BACKWARD"}


def test_records_are_confluents_own(records: Records) -> None:
    registry = memory(records)
    registry.post("/subjects/s/versions", json={"schema": '"string"'})
    registry.put("/config/s", json={"compatibility": "FULL"})
    registry.put("/mode", json={"mode": "READWRITE"})
    registry.delete("/subjects/s")
    registry.delete("/subjects/s", params={"permanent": "true"})
    assert records == [
        (
            b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
            b'{"subject":"s","version":1,"id":1,"schema":"\\"string\\"","deleted":false}',
        ),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', b'{"compatibilityLevel":"FULL"}'),
        (b'{"keytype":"MODE","subject":null,"magic":0}', b'{"mode":"READWRITE"}'),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}', b'{"subject":"s","version":1}'),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', None),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', None),
    ]


def test_records_of_kinds_that_are_unknown_here_are_passed_over(records: Records) -> None:
    records += [(b'{"keytype":"NOOP","magic":0}', None), (b'{"keytype":"CONTEXT","magic":0}', b"{}"), (None, b"x")]
    assert memory(records).get("/subjects").json() == []


def test_a_restart_and_a_compaction_change_nothing(records: Records) -> None:
    before = memory(records)
    before.put("/config", json={"compatibility": "NONE"})
    for number in range(5):
        before.post(f"/subjects/s{number % 2}/versions", json=schema((f"f{number}", "string")))
    before.delete("/subjects/s0/versions/1")
    before.delete("/subjects/s1")
    before.put("/config/s0", json={"compatibility": "FULL"})
    asked = ["/subjects?deleted=true", "/schemas?deleted=true", "/config", "/config/s0", "/subjects/s0/versions"]
    answers = [before.get(path).json() for path in asked]

    def same(kept: Records) -> None:
        after = memory(kept)
        assert [after.get(path).json() for path in asked] == answers
        assert after.post("/subjects/new/versions", json=unique()).json() == {"id": 6}

    compacted = list(dict(records).items())
    same(list(records))
    last = {key: index for index, (key, _) in enumerate(records)}
    same([records[index] for index in sorted(last.values())])
    assert len(compacted) == len(last)


@pytest.mark.parametrize("written", [True, False])
def test_a_write_whose_outcome_is_unknown_never_leads_to_an_id_given_twice(records: Records, written: bool) -> None:
    log = ListLog(records)
    registry = memory(records, log)
    one, two = unique(), unique()
    log.failing = [written]
    assert error(registry.post("/subjects/one/versions", json=one)) == (500, 50001)
    second = registry.post("/subjects/two/versions", json=two).json()["id"]
    first = registry.post("/subjects/one/versions", json=one).json()["id"]
    assert (first, second) == ((1, 2) if written else (2, 1))
    assert memory(records).get("/subjects/one/versions").json() == [1]


def test_a_second_registry_on_the_same_topic_gives_no_id_twice(registry_url: str, kafka: str, subject: str) -> None:
    rival = httpx.Client(transport=InProcess(application(Subjects(TopicLog(kafka)), "cluster")), base_url="http://r")
    ids = []
    with rival, httpx.Client(base_url=registry_url, trust_env=False, timeout=30) as registry:
        for number in range(6):
            answer = (rival, registry)[number % 2].post(f"/subjects/{subject}-{number}/versions", json=unique())
            assert answer.status_code == 200
            ids.append(answer.json()["id"])
    assert len(set(ids)) == 6


def test_a_killed_registry_comes_back_with_everything_it_had_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    stack = Stack(tmp_path_factory.mktemp("registry"), lifetime="parent")
    url = stack.up().registry_url
    try:
        ids = [
            httpx.post(f"{url}/subjects/s{number}/versions", json=schema((f"f{number}", "string"))).json()["id"]
            for number in range(20)
        ]
        stack.kill("registry")
        stack.restart("registry")
        assert [httpx.get(f"{url}/subjects/s{n}/versions/1").json()["id"] for n in range(20)] == ids
        assert httpx.post(f"{url}/subjects/more/versions", json=schema(("x", "int"))).json()["id"] == max(ids) + 1
        assert len(list(read_all(stack.endpoints().bootstrap, TOPIC))) == 21
    finally:
        stack.reset()
