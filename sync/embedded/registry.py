"""A schema registry with Confluent's REST API: ``python -m sync.embedded.registry --bootstrap-servers … --port …``.

For one machine; a deployment uses any real registry by URL. Started by the stack as a process of its own. What it
knows lies in the compacted topic ``_schemas`` (see ``subject``); one registry a topic. Avro only.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync.embedded.port import HOST
from sync.embedded.subject import (
    Problem,
    Record,
    Reference,
    Subjects,
    Version,
    read_references,
    references_json,
    version_number,
)
from sync.errors import Fenced, SyncError
from sync.kafka.client import Topic, cluster_id, ensure_topics, read_all
from sync.kafka.transaction import Transactions

TOPIC = "_schemas"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_LOG = logging.getLogger(__name__)

Endpoint = Callable[[Request, Any], Any]
"""``(request, body) -> what to answer as JSON``; runs in a thread."""


class Api:
    """The endpoints over one ``Subjects``. Each returns the JSON to answer, or raises Problem."""

    def __init__(self, subjects: Subjects, kafka_cluster: str) -> None:
        self._subjects = subjects
        self._kafka_cluster = kafka_cluster

    def routes(self) -> list[Route]:
        """All routes. Subjects may hold any character but a raw slash; servers hand them over decoded."""
        subject, version = "/subjects/{subject}", "/subjects/{subject}/versions/{version}"
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/", lambda _request, _body: {}),
            ("GET", "/v1/metadata/id", self.metadata),
            ("GET", "/subjects", self.list_subjects),
            ("POST", subject, self.lookup),
            ("DELETE", subject, self.delete_subject),
            ("GET", f"{subject}/versions", self.list_versions),
            ("POST", f"{subject}/versions", self.register),
            ("GET", version, self.get_version),
            ("DELETE", version, self.delete_version),
            ("GET", f"{version}/schema", self.get_text),
            ("GET", f"{version}/referencedby", self.referenced_by),
            ("GET", "/schemas/types", lambda _request, _body: ["AVRO"]),
            ("GET", "/schemas/ids/{id}", self.get_id),
            ("GET", "/schemas/ids/{id}/schema", self.get_id_text),
            ("GET", "/schemas/ids/{id}/subjects", self.id_subjects),
            ("GET", "/schemas/ids/{id}/versions", self.id_versions),
            ("GET", "/schemas", self.list_schemas),
            ("POST", f"/compatibility{version}", self.check_version),
            ("POST", f"/compatibility{subject}/versions", self.check_all),
        ]
        for path in ("/config", "/config/{subject}"):
            table += [("GET", path, self.get_level), ("PUT", path, self.put_level), ("DELETE", path, self.delete_level)]
        for path in ("/mode", "/mode/{subject}"):
            table += [("GET", path, self.get_mode), ("PUT", path, self.put_mode)]
        table.append(("DELETE", "/mode/{subject}", self.delete_mode))
        return [Route(path, _endpoint(work), methods=[method]) for method, path, work in table]

    def metadata(self, _request: Request, _body: Any) -> Any:
        clusters = {"kafka-cluster": self._kafka_cluster, "schema-registry-cluster": "schema-registry"}
        return {"scope": {"path": [], "clusters": clusters}}

    def list_subjects(self, request: Request, _body: Any) -> Any:
        prefix = request.query_params.get("subjectPrefix", ":*:").removeprefix(":*:")
        return self._subjects.subjects(
            prefix, deleted=_flag(request, "deleted"), deleted_only=_flag(request, "deletedOnly")
        )

    def lookup(self, request: Request, body: Any) -> Any:
        text, references = _schema(body)
        found = self._subjects.lookup(_subject(request), text, references, deleted=_flag(request, "deleted"))
        return _full(found)

    def register(self, request: Request, body: Any) -> Any:
        text, references = _schema(body)
        given_id, given_version = _positive(body, "id"), _positive(body, "version")
        made = self._subjects.register(
            _subject(request), text, references, given_id=given_id, given_version=given_version
        )
        return {"id": made.id}

    def list_versions(self, request: Request, _body: Any) -> Any:
        found = self._subjects.versions(
            _subject(request), deleted=_flag(request, "deleted"), deleted_only=_flag(request, "deletedOnly")
        )
        return [one.version for one in found]

    def _version(self, request: Request) -> Version:
        number = request.path_params["version"]
        return self._subjects.version(_subject(request), number, deleted=_flag(request, "deleted"))

    def get_version(self, request: Request, _body: Any) -> Any:
        return _full(self._version(request))

    def get_text(self, request: Request, _body: Any) -> Any:
        return json.loads(self._version(request).schema)

    def referenced_by(self, request: Request, _body: Any) -> Any:
        return self._subjects.referenced_by(self._version(request))

    def delete_version(self, request: Request, _body: Any) -> Any:
        number = request.path_params["version"]
        return self._subjects.delete_version(_subject(request), number, permanent=_flag(request, "permanent"))

    def delete_subject(self, request: Request, _body: Any) -> Any:
        return self._subjects.delete_subject(_subject(request), permanent=_flag(request, "permanent"))

    def _by_id(self, request: Request, *, deleted: bool = True) -> list[Version]:
        text = request.path_params["id"]
        if not text.isdigit():
            raise HTTPException(404, "HTTP 404 Not Found")
        return self._subjects.by_id(int(text), deleted=deleted)

    def get_id(self, request: Request, _body: Any) -> Any:
        one = self._by_id(request)[0]
        result: dict[str, Any] = {"schema": one.schema}
        if one.references:
            result["references"] = [references_json(reference) for reference in one.references]
        if _flag(request, "fetchMaxId"):
            result["maxId"] = self._subjects.last_id
        return result

    def get_id_text(self, request: Request, _body: Any) -> Any:
        return json.loads(self._by_id(request)[0].schema)

    def id_subjects(self, request: Request, _body: Any) -> Any:
        found = self._by_id(request, deleted=_flag(request, "deleted"))
        return sorted({one.subject for one in found})

    def id_versions(self, request: Request, _body: Any) -> Any:
        found = self._by_id(request, deleted=_flag(request, "deleted"))
        return [{"subject": one.subject, "version": one.version} for one in found]

    def list_schemas(self, request: Request, _body: Any) -> Any:
        deleted, latest = _flag(request, "deleted"), _flag(request, "latestOnly")
        names = self._subjects.subjects(request.query_params.get("subjectPrefix", ""), deleted=deleted)
        found = [self._subjects.versions(name, deleted=deleted) for name in names]
        return [_full(one) for versions in found for one in (versions[-1:] if latest else versions)]

    def check_version(self, request: Request, body: Any) -> Any:
        latest = version_number(request.path_params["version"]) is None
        try:
            olds = [self._version(request)]
        except Problem:
            # The first schema of a subject has nothing to break.
            if not latest:
                raise
            olds = []
        return self._check(request, body, olds)

    def check_all(self, request: Request, body: Any) -> Any:
        try:
            olds = self._subjects.versions(_subject(request))
        except Problem:
            olds = []
        return self._check(request, body, olds)

    def _check(self, request: Request, body: Any, olds: list[Version]) -> Any:
        text, references = _schema(body)
        messages = self._subjects.check(_subject(request), text, references, olds)
        result: dict[str, Any] = {"is_compatible": not messages}
        if _flag(request, "verbose"):
            result["messages"] = messages
        return result

    def get_level(self, request: Request, _body: Any) -> Any:
        subject = request.path_params.get("subject")
        inherited = subject is None or _flag(request, "defaultToGlobal")
        return {"compatibilityLevel": self._subjects.level(subject, inherited=inherited)}

    def put_level(self, request: Request, body: Any) -> Any:
        level = body.get("compatibility")
        self._subjects.set_level(request.path_params.get("subject"), level)
        return {"compatibility": level}

    def delete_level(self, request: Request, _body: Any) -> Any:
        return {"compatibilityLevel": self._subjects.delete_level(request.path_params.get("subject"))}

    def get_mode(self, request: Request, _body: Any) -> Any:
        subject = request.path_params.get("subject")
        inherited = subject is None or _flag(request, "defaultToGlobal")
        return {"mode": self._subjects.mode(subject, inherited=inherited)}

    def put_mode(self, request: Request, body: Any) -> Any:
        mode = body.get("mode")
        self._subjects.set_mode(request.path_params.get("subject"), mode, force=_flag(request, "force"))
        return {"mode": mode}

    def delete_mode(self, request: Request, _body: Any) -> Any:
        return {"mode": self._subjects.delete_mode(_subject(request))}


def application(subjects: Subjects, kafka_cluster: str) -> Starlette:
    """The REST API as an ASGI application."""
    handlers: dict[Any, Any] = {Problem: _refuse, HTTPException: _refuse_http, SyncError: _fail}
    return Starlette(routes=Api(subjects, kafka_cluster).routes(), exception_handlers=handlers)


def _endpoint(work: Endpoint) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            raise Problem(400, "Unexpected body: it is not JSON") from None
        if not isinstance(body, dict):
            raise Problem(400, "Unexpected body: it is not an object")
        try:
            return _answer(await run_in_threadpool(work, request, body))
        except Fenced:
            # Another registry wrote meanwhile; nothing of this request was. Decide again, on what it wrote.
            return _answer(await run_in_threadpool(work, request, body))

    return handle


def _answer(content: Any, status: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, media_type=MEDIA_TYPE)


async def _refuse(_request: Request, problem: Problem) -> Response:
    return _answer({"error_code": problem.code, "message": str(problem)}, problem.status)


async def _refuse_http(_request: Request, error: HTTPException) -> Response:
    return _answer(
        {"error_code": error.status_code, "message": f"HTTP {error.status_code} {error.detail}"}, error.status_code
    )


async def _fail(_request: Request, error: SyncError) -> Response:
    return _answer({"error_code": 50001, "message": f"Error in the backend data store: {error}"}, 500)


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _subject(request: Request) -> str:
    return str(request.path_params["subject"])


def _schema(body: dict[str, Any]) -> tuple[str, tuple[Reference, ...]]:
    kind = body.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise Problem(42201, f"Invalid schema: this registry takes Avro schemas, not {kind}")
    text = body.get("schema")
    if not isinstance(text, str) or not text.strip():
        raise Problem(42201, "Empty schema")
    return text, read_references(body.get("references"))


def _positive(body: dict[str, Any], key: str) -> int | None:
    value = body.get(key)
    return value if isinstance(value, int) and value > 0 else None


def _full(one: Version) -> dict[str, Any]:
    result: dict[str, Any] = {"subject": one.subject, "version": one.version, "id": one.id}
    if one.references:
        result["references"] = [references_json(reference) for reference in one.references]
    return {**result, "schema": one.schema}


class TopicLog:
    """The compacted topic that holds the registry's records: a ``subject.Log``.

    Each record is a Kafka transaction, and reading fences the writers before: of two registries by mistake at work on
    one topic, each reads what the other wrote before it writes, and no id is given twice.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._transactions = Transactions(bootstrap, "dongbo-registry", linger_ms=0)

    def records(self) -> list[Record]:
        """All records, oldest first. Raises SyncError."""
        ensure_topics(self._bootstrap, [Topic(TOPIC, compacted=True)])
        self._transactions.open()
        return [(_bytes(message.key()), _bytes(message.value())) for message in read_all(self._bootstrap, TOPIC)]

    def append(self, record: Record) -> None:
        """Write a record; returns once it is committed. Raises SyncError."""
        self._transactions.commit({TOPIC: [record]})


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def main(arguments: Sequence[str]) -> None:
    """Read the topic, then serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="registry")
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        subjects = Subjects(TopicLog(options.bootstrap_servers))
        app = application(subjects, cluster_id(options.bootstrap_servers))
    except SyncError as error:
        sys.exit(str(error))
    _LOG.info("Serving %d subjects on port %d", len(subjects.subjects()), options.port)
    uvicorn.run(app, host=HOST, port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1:])
