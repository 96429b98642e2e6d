"""The review service: open cases, who is to decide them, decisions and their undoing. Beneath CLI and REST.

Cases come from ``<dataset>.review``, which the processors keep; decisions go to ``<dataset>.decision``, which the
processors read. The service changes nothing else: a decision takes effect when the processors have carried it out,
in a transaction with the ledger's counts, and a case is closed when they have said so.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sync.connect.problem import BadRequest, Conflict, NotFound
from sync.errors import ConfigError
from sync.kafka.feed import Feed
from sync.kafka.produce import send
from sync.kafka.tail import plain
from sync.process.decision import ACCEPT, ALIAS, ASSIGN, CHOOSE, MERGE, REJECT, RELATION, SET, UNDO
from sync.process.outbox import Subjects
from sync.process.transfer import STAGE as TRANSFER_STAGE
from sync.schema.avro import decode_one, encode_one, split
from sync.schema.dataset import Dataset, datasets, load
from sync.schema.registry import RegistryClient
from sync.steward.choice import candidates, check, chosen

Record = dict[str, Any]
Identity = tuple[str, str]
"""Source and row."""

ACTIONS = (ACCEPT, REJECT, SET, CHOOSE, MERGE)
"""What decides a case."""

_BOUND = ("stage", "partition", "key", "facts")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decides about a case. ``changes`` (``set`` and ``merge`` only): field → value as text.

    ``candidate`` (``choose`` only): the id of one of the case's candidates.
    """

    action: str
    by: str
    why: str
    changes: Mapping[str, str]
    facts: str | None = None
    """What the person saw; another state of the case by now is a conflict. None: whatever it is."""
    candidate: str | None = None


def case_id(source: str, row: str) -> str:
    """The id of a row's case: the same each time, and without anything personal that a key may hold."""
    return blake2b(f"{source}\0{row}".encode(), digest_size=6).hexdigest()


class Review:
    """The cases and decisions of all datasets; each is read on first use and then followed. Thread-safe."""

    def __init__(self, bootstrap: str, registry_url: str, *, now: Callable[[], float] = time.time) -> None:
        self._bootstrap = bootstrap
        self._registry = RegistryClient(registry_url)
        self._subjects = Subjects(self._registry, bootstrap, 1)
        self._feed = Feed(bootstrap)
        self._now = now
        self._lock = threading.Lock()
        self._kinds: dict[str, tuple[str, str]] = {}
        self._cases: dict[str, dict[Identity, Record]] = {}
        self._found: dict[str, dict[Identity, Record]] = {}
        self._made: dict[str, dict[str, Record]] = {}

    def close(self) -> None:
        """Leave broker and registry."""
        self._feed.close()
        self._registry.close()

    # -- reading

    def cases(
        self,
        dataset: str,
        *,
        code: str | None = None,
        source: str | None = None,
        locality: str | None = None,
        assignee: str | None = None,
    ) -> list[Record]:
        """The open cases, oldest first; each filter that is given must hold. Raises NotFound for the dataset."""
        with self._lock:
            self._look(dataset)
            assigned = self._assignees(dataset)
            found = [self._case(case, assigned) for case in self._cases[dataset].values()]
        wanted = {"code": code, "source": source, "locality": locality, "assignee": assignee}
        filters = {name: value for name, value in wanted.items() if value is not None}
        chosen = [case for case in found if all(case[name] == value for name, value in filters.items())]
        return sorted(chosen, key=lambda case: (case["opened_at"], case["id"]))

    def case(self, dataset: str, case: str) -> Record:
        """One open case with all that was decided about its row before. Raises NotFound."""
        with self._lock:
            self._look(dataset)
            known = self._open(dataset, case)
            told = self._case(known, self._assignees(dataset))
            return {**told, "decisions": self._history(dataset, (known["source"], known["row"]))}

    def decisions(self, dataset: str, case: str | None = None) -> list[Record]:
        """All decisions about a dataset's rows, or about one case's, in the order in which they were made."""
        with self._lock:
            self._look(dataset)
            made = [self._told(decision) for decision in self._made[dataset].values()]
        return [decision for decision in made if case is None or decision["case"] == case]

    # -- deciding

    def resolve(self, dataset: str, case: str, verdict: Verdict) -> Record:
        """Decide an open case. Raises NotFound, Conflict (it is another case by now), BadRequest."""
        with self._lock:
            self._look(dataset)
            known = self._open(dataset, case)
            if verdict.facts is not None and verdict.facts != known["facts"]:
                raise Conflict(f"The case {case} has changed since it was read.", hint="look at it again")
            loaded, given = load(dataset), dict(verdict.changes)
            _check(loaded, known, verdict)
            if verdict.action == CHOOSE:
                found = self._found[dataset].get((known["source"], known["row"]))
                given = {loaded.key[0]: chosen(known, found, str(verdict.candidate))}
            changes = json.dumps(given, ensure_ascii=False) if given else None
            return self._decide(dataset, known, verdict.action, verdict.by, verdict.why, changes=changes)

    def assign(self, dataset: str, case: str, assignee: str, by: str, why: str = "") -> Record:
        """Say who is to decide an open case; an empty name takes it from everybody."""
        with self._lock:
            self._look(dataset)
            known = self._open(dataset, case)
            return self._decide(dataset, known, ASSIGN, by, why or "-", assignee=assignee or None)

    def undo(self, dataset: str, decision: str, by: str, why: str) -> Record:
        """Take a decision back: what held before it holds again. Raises NotFound, Conflict, BadRequest."""
        with self._lock:
            self._look(dataset)
            known = self._made[dataset].get(decision)
            if known is None or known["action"] in (ASSIGN, UNDO):
                raise NotFound(f"There is no decision {decision} on {dataset}.", hint="see `dongbo review decisions`")
            if any(other["undoes"] == decision for other in self._made[dataset].values()):
                raise Conflict(f"The decision {decision} was undone before.")
            return self._decide(dataset, known, UNDO, by, why, undoes=decision)

    def _decide(self, dataset: str, about: Record, action: str, by: str, why: str, **more: Any) -> Record:
        """Write a decision about what ``about``, a case or an earlier decision, is about."""
        if not by.strip() or not why.strip():
            raise BadRequest("A decision needs who makes it and why.", hint="give both")
        subject = self._subjects.decision(load(dataset))
        made: Record = {
            "id": uuid.uuid4().hex[:12],
            **{name: about[name] for name in ("dataset", "source", "row", "topic", "entity", "code", *_BOUND)},
            "action": action,
            "changes": None,
            "assignee": None,
            "undoes": None,
            "by": by.strip(),
            "at": int(self._now() * 1_000_000),
            "why": why.strip(),
            **more,
        }
        key = {"source": made["source"], "row": made["row"], "id": made["id"]}
        send(
            self._bootstrap,
            subject.topic,
            subject.key_header + encode_one(subject.key.schema, key),
            subject.value_header + encode_one(subject.value.schema, made),
        )
        self._made[dataset][made["id"]] = made
        return self._told(made)

    # -- what is known

    def _look(self, dataset: str) -> None:
        """Take in what arrived; the first time all that is there."""
        if dataset not in self._cases:
            if dataset not in datasets():
                raise NotFound(f"There is no dataset {dataset}.", hint=f"use one of {', '.join(datasets())}")
            loaded = load(dataset)
            subjects = {"case": self._subjects.review(loaded), "decision": self._subjects.decision(loaded)}
            if loaded.policy.register is not None:
                subjects["candidates"] = self._subjects.candidates(loaded)
            for kind, subject in subjects.items():
                self._kinds[subject.topic] = dataset, kind
                self._feed.add(subject.topic)
            self._cases[dataset], self._found[dataset], self._made[dataset] = {}, {}, {}
        for topic, _, key, value in self._feed.poll():
            name, kind = self._kinds[topic]
            if kind == "decision":
                if value is not None:
                    made = self._read(value)
                    self._made[name][made["id"]] = made
                continue
            held = self._cases[name] if kind == "case" else self._found[name]
            identity = self._read(key)
            at = identity["source"], identity["row"]
            if value is None:
                held.pop(at, None)
            else:
                held[at] = self._read(value)

    def _read(self, data: bytes) -> Record:
        schema_id, datum = split(data)
        return decode_one(self._registry.schema(schema_id), datum)

    def _open(self, dataset: str, case: str) -> Record:
        for (source, row), known in self._cases[dataset].items():
            if case_id(source, row) == case:
                return known
        raise NotFound(f"There is no open case {case} in {dataset}.", hint="see `dongbo review list`")

    def _assignees(self, dataset: str) -> dict[Identity, str | None]:
        made: Iterable[Record] = self._made[dataset].values()
        return {(one["source"], one["row"]): one["assignee"] for one in made if one["action"] == ASSIGN}

    def _history(self, dataset: str, identity: Identity) -> list[Record]:
        made = self._made[dataset].values()
        return [self._told(one) for one in made if (one["source"], one["row"]) == identity]

    def _case(self, case: Record, assigned: Mapping[Identity, str | None]) -> Record:
        """A case as it is told: without what only the processors need."""
        identity = case["source"], case["row"]
        told = {name: value for name, value in case.items() if name not in ("key", "partition", "status")}
        for name in ("proposals", "reasons", "mismatches"):
            told[name] = json.loads(told.get(name) or "[]")
        told["record"] = json.loads(told.get("record") or "null")
        told["candidates"] = candidates(case, self._found[case["dataset"]].get(identity))
        return plain_record({"id": case_id(*identity), **told, "assignee": assigned.get(identity)})

    def _told(self, made: Record) -> Record:
        told = {name: value for name, value in made.items() if name not in ("key", "partition")}
        told["changes"] = json.loads(told["changes"]) if told["changes"] else {}
        if isinstance(told["at"], int):
            schema = self._subjects.decision(load(made["dataset"])).value.schema
            told["at"] = decode_one(schema, encode_one(schema, made))["at"]
        return plain_record({**told, "case": case_id(made["source"], made["row"])})


def plain_record(record: Record) -> Record:
    """A record as JSON-able data."""
    told: Record = plain(record)
    return told


def _check(dataset: Dataset, case: Record, verdict: Verdict) -> None:
    """Raise BadRequest for a decision that can't be carried out."""
    if verdict.action not in ACTIONS:
        raise BadRequest(f"A case is not decided by {verdict.action}.", hint=f"use one of {', '.join(ACTIONS)}")
    check(case, verdict.action, verdict.candidate)
    if (verdict.action in (SET, MERGE)) != bool(verdict.changes):
        raise BadRequest(f"Values go with the actions {SET} and {MERGE}, and with no other.", hint="give field=value")
    for name in verdict.changes:
        try:
            dataset.field(name)
        except ConfigError as error:
            raise BadRequest(str(error)) from error
    if case["stage"] == ALIAS or verdict.action == MERGE:
        return _check_numbers(dataset, case, verdict)
    if case["stage"] == RELATION and verdict.action != ACCEPT:
        raise BadRequest(
            "The record does not agree with another dataset's: neither is changed here.",
            hint=f"{ACCEPT} it as it is, or have the sources correct the one that is wrong",
        )
    if case["stage"] == TRANSFER_STAGE:
        return _check_transfer(case, verdict)
    if verdict.action == SET and case["stage"] != "validate":
        raise BadRequest(
            "The row was taken as it is, and only differs from the register: no value can be set.",
            hint=f"{ACCEPT} or {REJECT} it, or have it corrected at the source",
        )
    lacking = [reason["field"] for reason in json.loads(case["reasons"] or "[]") if reason["field"] in dataset.key]
    if verdict.action == ACCEPT and lacking:
        raise BadRequest(
            f"The row has no usable {lacking[0]}: it can't be accepted as it is.",
            hint=f"{SET} {lacking[0]}, or {CHOOSE} a candidate",
        )
    return None


def _check_numbers(dataset: Dataset, case: Record, verdict: Verdict) -> None:
    """Two numbers are two people's (accept), or one person's, of whom one of the two is the right number (merge)."""
    if case["stage"] != ALIAS or verdict.action not in (ACCEPT, MERGE):
        raise BadRequest(
            f"Two numbers, and nothing else, are decided by {ACCEPT} or {MERGE}.",
            hint=f"{ACCEPT} two numbers as two people's, or {MERGE} them with the right one's value",
        )
    numbers, (key,) = case["row"].split("|"), dataset.key
    if verdict.action == MERGE and not (verdict.changes.keys() == {key} and verdict.changes[key] in numbers):
        raise BadRequest("The right number is not one of the two.", hint=f"give {key}= one of the case's numbers")


def _check_transfer(case: Record, verdict: Verdict) -> None:
    """A transfer's case is decided by a unit for each field that has no single successor, or by leaving it be."""
    if verdict.action == ACCEPT:
        raise BadRequest(
            "The record's units have several successors, or none is known.",
            hint=f"{SET} the new units, or {REJECT} the transfer of this record",
        )
    proposed: dict[str, list[str | None]] = {}
    for proposal in json.loads(case["proposals"] or "[]"):
        proposed.setdefault(proposal["field"], []).append(proposal["value"])
    for name in verdict.changes:
        if name not in proposed:
            raise BadRequest(f"The case is not about {name}.", hint=f"set {', '.join(proposed)}")
    open_fields = [name for name, values in proposed.items() if len(values) != 1 or values[0] is None]
    missing = [name for name in open_fields if not verdict.changes.get(name, "").strip()]
    if verdict.action == SET and missing:
        raise BadRequest(f"There is no new unit for {missing[0]}.", hint=f"set {', '.join(open_fields)}")
