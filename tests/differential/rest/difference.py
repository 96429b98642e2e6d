"""How our REST API differs from Kafka Connect's, each with its reason; ``docs/connect-rest.md`` has the same table.

Strict both ways: an answer that differs otherwise fails the test, and so does one of these that no longer occurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.differential.rest.step import Answer, Step

MASK = "********"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    ``rewrite`` makes of Connect's answer what ours is to be; what it leaves as it is it isn't about. ``covers`` says
    whether the two answers may differ as they do.
    """

    what: str
    reason: str
    rewrite: Callable[[Step, Answer], Answer] | None = None
    covers: Callable[[Step, Answer, Answer], bool] | None = None


def _walk(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(inner, change) for key, inner in change(value).items()}
    if isinstance(value, list):
        return [_walk(item, change) for item in value]
    return value


def _message(answer: Answer) -> str:
    return str(answer.body["message"]) if isinstance(answer.body, dict) and "message" in answer.body else ""


def _with(answer: Answer, body: Any) -> Answer:
    return Answer(answer.status, body, answer.location)


def _masked(_: Step, theirs: Answer) -> Answer:
    def change(found: dict[str, Any]) -> dict[str, Any]:
        changed = {key: MASK if "password" in key and value == "SECRET" else value for key, value in found.items()}
        if isinstance(changed.get("message"), str):
            changed["message"] = changed["message"].replace("password=SECRET", f"password={MASK}")
        return changed

    return _with(theirs, _walk(theirs.body, change))


def _without_java(_: Step, theirs: Answer) -> Answer:
    java = ("task.class", "task.id")
    return _with(theirs, _walk(theirs.body, lambda found: {k: v for k, v in found.items() if k not in java}))


def _without_prefix(_: Step, theirs: Answer) -> Answer:
    def change(found: dict[str, Any]) -> dict[str, Any]:
        message = found.get("message")
        cut = re.sub(r"^org\.apache\.kafka\.[\w.]+Exception: ", "", message) if isinstance(message, str) else message
        return found if cut == message else {**found, "message": cut}

    return _with(theirs, _walk(theirs.body, change))


def _read_once(_: Step, theirs: Answer) -> Answer:
    extra = r"Invalid value null for configuration [\w.]+: Value must be non-null"

    def change(found: dict[str, Any]) -> dict[str, Any]:
        if isinstance(found.get("errors"), list):
            return {**found, "errors": [error for error in found["errors"] if not re.fullmatch(extra, error)]}
        if isinstance(found.get("message"), str) and re.search(extra, found["message"]):
            fewer = re.sub(r"following (\d+) error", lambda m: f"following {int(m[1]) - 1} error", found["message"])
            return {**found, "message": re.sub(extra + "\n", "", fewer)}
        return found

    changed = _walk(theirs.body, change)
    if isinstance(changed, dict) and "error_count" in changed and changed != theirs.body:
        changed["error_count"] -= 1
    return _with(theirs, changed)


_DEFAULTS = {
    "errors.deadletterqueue.topic.replication.factor": ("3", "-1"),
    "errors.deadletterqueue.context.headers.enable": ("false", "true"),
}


def _our_defaults(_: Step, theirs: Answer) -> Answer:
    def change(found: dict[str, Any]) -> dict[str, Any]:
        their, our = _DEFAULTS.get(str(found.get("name")), ("", ""))
        return {
            key: our if key in ("default_value", "value") and value == their else value for key, value in found.items()
        }

    return _with(theirs, _walk(theirs.body, change))


_CHOICES = {
    "errors.tolerance": ["none", "all"],
    "config.action.reload": ["none", "restart"],
}


def _our_choices(_: Step, theirs: Answer) -> Answer:
    def change(found: dict[str, Any]) -> dict[str, Any]:
        choices = _CHOICES.get(str(found.get("name")))
        return {**found, "recommended_values": choices} if choices and "recommended_values" in found else found

    return _with(theirs, _walk(theirs.body, change))


def _unreadable(_: Step, theirs: Answer, ours: Answer) -> bool:
    java = (
        "Cannot ",
        "Unexpected ",
        "Unrecognized ",
        "Non-standard ",
        "Illegal ",
        "Connector config ",
        "Failed to find ",
    )
    return (theirs.status, ours.status) in ((500, 400), (500, 404)) and _message(theirs).startswith(java)


def _no_body(step: Step, theirs: Answer, ours: Answer) -> bool:
    nothing = step.body in ("", "null") and step.method == "PATCH" and step.path.endswith("/config")
    return nothing and (theirs.status, ours.status) == (404, 400)


def _jetty(step: Step, theirs: Answer, ours: Answer) -> bool:
    if theirs.location and "x/y" in theirs.location and ours.location and "x%2Fy" in ours.location:
        return theirs.status == ours.status and theirs.body == ours.body
    return bool(re.search("%2F|%25|%5C", step.path)) and theirs.status == 400 and ours.status < 300


def _renamed(step: Step, theirs: Answer, ours: Answer) -> bool:
    patch = step.body == '{"name": "TAG-z"}' and (theirs.status, ours.status) == (200, 400)
    seen = (
        step.path == "/connectors/TAG-c/config" and isinstance(theirs.body, dict) and theirs.body.get("name") == "TAG-z"
    )
    return patch or (seen and {**theirs.body, "name": "TAG-c"} == ours.body)


def _source_offset(step: Step, theirs: Answer, ours: Answer) -> bool:
    return step.path == "/connectors/TAG-o/offsets" and (theirs.status, ours.status) == (200, 400)


def _whole(_: Step, theirs: Answer, ours: Answer) -> bool:
    done = re.fullmatch("The offsets for this connector have been (altered|reset) successfully", _message(ours))
    return done is not None and _message(theirs).startswith("The Connect framework-managed offsets")


def _sink_place(_: Step, theirs: Answer, ours: Answer) -> bool:
    known = ("Failed to alter consumer group offsets for", "Failed to modify offsets for sink connector")
    return (theirs.status, ours.status) == (500, 400) and _message(theirs).startswith(known)


def _plugins(_: Step, theirs: Answer, ours: Answer) -> bool:
    for mark in ("available connectors are: ", "available versions: "):
        if mark in _message(theirs) and theirs.status == ours.status:
            return _message(theirs).partition(mark)[0] == _message(ours).partition(mark)[0]
    return False


def _twin(step: Step, theirs: Answer, ours: Answer) -> bool:
    answers = {"POST": (201, 400), "DELETE": (204, 404)}
    return "TAG-twin" in f"{step.path}{step.body}" and (theirs.status, ours.status) == answers.get(step.method)


def _early(step: Step, theirs: Answer, ours: Answer) -> bool:
    return "TAG-early" in f"{step.path}{step.body}" and theirs.status in (404, 500) and ours.status in (200, 201, 204)


def _more(step: Step, theirs: Answer, ours: Answer) -> bool:
    return step.path in ("/openapi.json", "/docs", "/metrics") and (theirs.status, ours.status) == (404, 200)


def _records_in_logs(step: Step, _: Answer, ours: Answer) -> bool:
    return '"errors.log.include.messages": "true"' in (step.body or "") and "never go to a log" in str(ours.body)


def _regex(step: Step, theirs: Answer, ours: Answer) -> bool:
    return (
        '"topics.regex": "("' in (step.body or "")
        and theirs.status == ours.status
        and "Invalid regex: " in str(ours.body)
    )


def _ended_task(step: Step, theirs: Answer, ours: Answer) -> bool:
    return step.path == "/connectors/TAG-a/tasks/0/restart" and (theirs.status, ours.status) == (409, 404)


DIFFERENCES = (
    Difference(
        "A password in clear comes back as `********` (Connect: as it was submitted).",
        "A configuration is read by more people than may know the password. `--rest-show-passwords` restores Connect's "
        "way; a masked value that is written back means: as it was.",
        rewrite=_masked,
    ),
    Difference(
        "A task's configuration has no `task.class` and `task.id`.",
        "They name Java classes.",
        rewrite=_without_java,
    ),
    Difference(
        "No message begins with the name of a Java exception.",
        "Connect puts it there now and then, by the order in which its threads get to it.",
        rewrite=_without_prefix,
    ),
    Difference(
        "A value that can't be read is one error (Connect: a second one says that the value null is out of range).",
        "There is one mistake.",
        rewrite=_read_once,
    ),
    Difference(
        "`errors.deadletterqueue.context.headers.enable` is true by default, `…topic.replication.factor` the broker's.",
        "A dead letter without its reason helps nobody; the broker's default fits the cluster.",
        rewrite=_our_defaults,
    ),
    Difference(
        "`recommended_values` has the values of every key with a fixed choice (Connect: of some).",
        "A form can offer them.",
        rewrite=_our_choices,
    ),
    Difference(
        "A body that is not JSON, or of another shape, is 400 in our own words (Connect: 500 with Jackson's words or "
        "a NullPointerException's; a validation without a class or of an unknown one, an empty log level: 500).",
        "It is the client's mistake, and the library's words would quote the request.",
        covers=_unreadable,
    ),
    Difference(
        "PATCH of a configuration without a body is 400 also where there is no such connector (Connect: 404).",
        "The body is read first.",
        covers=_no_body,
    ),
    Difference(
        "Names with a slash, percent sign or backslash can be used in paths, percent-encoded (Connect: 400 by its web "
        "server, with an HTML page; it accepts such a name at creation, and the connector can't be reached any more).",
        "A connector that was created can be deleted.",
        covers=_jetty,
    ),
    Difference(
        "PATCH of the key `name` to another name is 400 (Connect: 200, and the configuration names another connector).",
        "PUT refuses it too.",
        covers=_renamed,
    ),
    Difference(
        "Offsets that a PostgreSQL source could not go on from are 400 (Connect with Debezium: taken as they are).",
        "The connector would fail, or read everything again.",
        covers=_source_offset,
    ),
    Difference(
        "A change of a sink's offsets is complete, and the message says so (Connect with Debezium's JDBC sink: only of "
        "the consumer group's).",
        "The offsets that count are in the target database; both are changed.",
        covers=_whole,
    ),
    Difference(
        "A sink's offset for a partition that isn't there, or below 0, is 400 (Connect: 500).",
        "It is the client's mistake.",
        covers=_sink_place,
    ),
    Difference(
        "Plugins and versions in messages are ours; `GET /` tells the version of Kafka Connect whose API this is, and "
        "our own as its commit.",
        "They tell what is installed. Clients (kcctl) choose by the version of `GET /` what they ask for.",
        covers=_plugins,
    ),
    Difference(
        "A second source with the same `topic.prefix` is 400 (Connect: accepted).",
        "Both would write to the same topics, and the processors could not tell them apart.",
        covers=_twin,
    ),
    Difference(
        "`initial_offsets` at creation: PATCH …/offsets before the first start, undone with the creation if it is "
        "refused (Connect 4.1: no such field).",
        "Going on where another system stopped is one request.",
        covers=_early,
    ),
    Difference(
        "The restart of a task that a stop has ended is 404 (Connect: 409, for good).",
        "There is no such task. Connect looks for the worker that runs it.",
        covers=_ended_task,
    ),
    Difference(
        "More endpoints: `/openapi.json`, `/docs`, `/metrics`.",
        "For people and Prometheus.",
        covers=_more,
    ),
    Difference(
        "`errors.log.include.messages=true` is refused.",
        "Records hold personal data, and never go to a log.",
        covers=_records_in_logs,
    ),
    Difference(
        "What is wrong with a regular expression is told in Python's words.",
        "They are not Java's.",
        covers=_regex,
    ),
)
