"""What of a validation is compared: the keys that every connector of Kafka Connect has.

Not compared: their documentation, which is our own text, and ``order``, which counts through all keys here and through
a group's in Connect.
"""

from __future__ import annotations

from typing import Any

KEYS = (
    *("name", "connector.class", "tasks.max", "tasks.max.enforce", "config.action.reload"),
    *("transforms", "predicates"),
    *("errors.retry.timeout", "errors.retry.delay.max.ms", "errors.tolerance", "errors.log.enable"),
    *("errors.log.include.messages", "topics", "topics.regex", "errors.deadletterqueue.topic.name"),
    *("errors.deadletterqueue.topic.replication.factor", "errors.deadletterqueue.context.headers.enable"),
)


def validation(body: Any) -> Any:
    """The groups, the number of errors, and the entries of ``KEYS``."""
    if "configs" not in body:
        return body
    entries = {entry["value"]["name"]: entry for entry in body["configs"]}
    return {
        "name": body["name"],
        "error_count": body["error_count"],
        "groups": body["groups"][:4],
        "shape": sorted(body["configs"][0]["definition"]),
        "configs": {key: _entry(entries[key]) for key in KEYS if key in entries},
    }


def _entry(entry: Any) -> Any:
    definition = {k: v for k, v in entry["definition"].items() if k not in ("documentation", "order")}
    return {"definition": definition, "value": entry["value"]}
