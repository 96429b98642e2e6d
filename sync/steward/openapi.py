"""The data stewards' REST API described as OpenAPI 3.1; a test holds the document against the routes."""

from __future__ import annotations

from functools import cache
from typing import Any

from sync.connect.plugin import installed_version

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_OR_NULL: Schema = {"type": ["string", "null"]}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, *optional: str) -> Schema:
    return {"type": "object", "properties": properties, "required": [key for key in properties if key not in optional]}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_CASE: Schema = {
    "id": _TEXT,
    "dataset": _TEXT,
    "source": _TEXT,
    "row": _TEXT,
    "topic": _TEXT,
    "entity": _OR_NULL,
    "locality": _OR_NULL,
    "code": _OR_NULL,
    "message_vi": _OR_NULL,
    "message_en": _OR_NULL,
    "stage": {"type": ["string", "null"], "enum": ["validate", "reconcile", "transfer", "alias", "relation", None]},
    "facts": {**_OR_NULL, "description": "Digest of what is decided on; send it back with the decision."},
    "reasons": _array({"type": "object"}),
    "proposals": _array({"type": "object"}),
    "record": {"type": ["object", "null"], "description": "What the record says, by which candidates are looked for."},
    "mismatches": {**_array({"type": "object"}), "description": "{field, code, message_vi, message_en}."},
    "candidates": {
        "type": ["array", "null"],
        "items": {"type": "object"},
        "description": "{id, number (masked), score, levels}, best first; null where nobody has looked yet.",
    },
    "opened_at": _TIME,
    "assignee": _OR_NULL,
}

SCHEMAS: dict[str, Schema] = {
    "Error": _object({"error_code": {"type": "integer"}, "message": _TEXT}),
    "Case": _object(_CASE),
    "Cases": _object({"total": {"type": "integer"}, "cases": _array(_ref("Case"))}),
    "CaseWithHistory": _object({**_CASE, "decisions": _array(_ref("Decision"))}),
    "Decision": _object(
        {
            "id": _TEXT,
            "case": _TEXT,
            "dataset": _TEXT,
            "source": _TEXT,
            "row": _TEXT,
            "action": {"type": "string", "enum": ["accept", "reject", "set", "choose", "merge", "assign", "undo"]},
            "changes": {"type": "object", "additionalProperties": _TEXT},
            "assignee": _OR_NULL,
            "undoes": _OR_NULL,
            "by": _TEXT,
            "at": _TIME,
            "why": _TEXT,
        }
    ),
    "Verdict": _object(
        {
            "action": {"type": "string", "enum": ["accept", "reject", "set", "choose", "merge"]},
            "why": _TEXT,
            "changes": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": "set: field → value; merge: the key field → the right number",
            },
            "facts": _OR_NULL,
            "candidate": {**_TEXT, "description": "choose: the id of one of the case's candidates"},
        },
        "changes",
        "facts",
        "candidate",
    ),
    "Assignment": _object({"assignee": _TEXT, "why": _TEXT}, "why"),
    "Reason": _object({"why": _TEXT}),
    "Explanation": {"type": "object", "description": "As `dongbo explain --json` prints it."},
}

_PAGING = ("offset", "limit")
_COUNT: Schema = {"type": "integer", "minimum": 0}

_ERRORS = {
    400: "The request is wrong; the message says what.",
    401: "The request names no user.",
    404: "There is no such dataset, open case, decision or entity.",
    409: "The case has changed since it was read, or the decision was undone before.",
    503: "Kafka or the registry does not answer: try again.",
}


def _operation(
    name: str, summary: str, status: int, answer: Schema, *, body: str | None = None, query: tuple[str, ...] = ()
) -> Schema:
    """``name``: what generated clients call it."""
    errors = (400, 401, 404, 409, 503) if body else (400, 404, 503)
    responses = {str(status): {"description": summary, "content": {"application/json": {"schema": answer}}}}
    for error in errors:
        content = {"application/json": {"schema": _ref("Error")}}
        responses[str(error)] = {"description": _ERRORS[error], "content": content}
    told: Schema = {"operationId": name, "summary": summary, "responses": responses}
    if body:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if query:
        told["parameters"] = [
            {"name": one, "in": "query", "required": False, "schema": _COUNT if one in _PAGING else _TEXT}
            for one in query
        ]
    return told


def _paths() -> dict[tuple[str, str], Schema]:
    dataset = "/datasets/{dataset}"
    filters = ("code", "source", "locality", "assignee", *_PAGING)
    return {
        ("GET", f"{dataset}/cases"): _operation(
            "list_cases", "Open cases, oldest first", 200, _ref("Cases"), query=filters
        ),
        ("GET", f"{dataset}/cases/{{case}}"): _operation("get_case", "An open case", 200, _ref("CaseWithHistory")),
        ("POST", f"{dataset}/cases/{{case}}/decisions"): _operation(
            "decide", "Decide a case", 201, _ref("Decision"), body="Verdict"
        ),
        ("PUT", f"{dataset}/cases/{{case}}/assignee"): _operation(
            "assign", "Say who is to decide", 200, _ref("Decision"), body="Assignment"
        ),
        ("GET", f"{dataset}/decisions"): _operation(
            "list_decisions", "What was decided", 200, _array(_ref("Decision")), query=("case",)
        ),
        ("POST", f"{dataset}/decisions/{{decision}}/undo"): _operation(
            "undo", "Take a decision back", 201, _ref("Decision"), body="Reason"
        ),
        ("GET", f"{dataset}/entities/{{key}}"): _operation(
            "explain", "Where each field of a golden record comes from", 200, _ref("Explanation")
        ),
        ("GET", "/openapi.json"): _operation("get_openapi", "This document", 200, {"type": "object"}),
    }


@cache
def document() -> Schema:
    """The document. One object for all callers: don't change it."""
    paths: dict[str, Schema] = {}
    for (method, path), operation in _paths().items():
        paths.setdefault(path, {})[method.lower()] = operation
    for path, item in paths.items():
        named = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if named:
            item["parameters"] = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in named]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Đồng Bộ review", "version": installed_version()},
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
