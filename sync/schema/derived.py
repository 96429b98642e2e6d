"""The Avro schemas of the topics, derived from a dataset's own: pure functions of an id, a schema and a key.

Called by the processors when they register subjects, by the demo's oracle and by tests. A dataset's
canonical fields are taken over as they stand in ``schemas/<dataset>/v<N>.avsc``; the names of what is
added around them begin with an underscore, which no canonical field may (``sync.schema.dataset`` checks it).

======================  ==========================  =======================================
topic                   key                         value
======================  ==========================  =======================================
<dataset>.valid         key_schema                  valid_schema
<dataset>.golden[.NN]   key_schema                  golden_schema (a tombstone deletes)
<dataset>.rejected      rejected_key_schema         rejected_schema
<dataset>.verdict       row_key_schema              verdict_schema
<dataset>.review        row_key_schema              review_schema
<dataset>.candidates    row_key_schema              candidates_schema
<dataset>.aliases       alias_key_schema            alias_schema
<dataset>.decision      decision_key_schema         decision_schema
<dataset>.transfer      transfer_key_schema         transfer_schema
<dataset>.contributions key_schema                  contributions_schema
dongbo.ledger           ledger_key_schema           ledger_schema
dongbo.quality          quality_key_schema          quality_schema
dongbo.findings         findings_key_schema         findings_schema
dongbo.indicators       findings_key_schema         indicators_schema
======================  ==========================  =======================================
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

Schema = dict[str, Any]
"""An Avro schema as parsed JSON."""

JSON_NAME = "io.debezium.data.Json"
LEDGER_TOPIC = "dongbo.ledger"
QUALITY_TOPIC = "dongbo.quality"
FINDINGS_TOPIC = "dongbo.findings"
INDICATORS_TOPIC = "dongbo.indicators"

RULE = "Rule that decided, with its version: VR16@2"

OPERATIONS = (
    "u (inserted, read or updated), d (deleted); not counted: x (the row went to the entity that the key fields name), "
    "r (a decision was undone), w (the word about the row was passed on), p (a newer version was refused), "
    "f (a steward said that the row, whose source gives another number, is this entity's)"
)

MISMATCHES = "JSON list of {field, code, message_vi, message_en}: where the record and the register differ"

PROPOSALS = "JSON list of {field, rule, old, value}: values to choose from; no value: left empty, none is known"

VALID_META = (
    "_source",
    "_row",
    "_topic",
    "_partition",
    "_authority",
    "_locality",
    "_version",
    "_changed_at",
    "_op",
    "_fixes",
    "_warnings",
    "_proposals",
    "_refusal",
)
"""The meta fields of a valid record, in order, before the canonical fields."""


class Shape(Protocol):
    """What the functions here need of a dataset (``sync.schema.dataset.Dataset`` has it)."""

    @property
    def id(self) -> str: ...

    @property
    def schema(self) -> Schema: ...

    @property
    def key(self) -> tuple[str, ...]: ...


def _namespace(dataset: str) -> str:
    return f"dongbo.{dataset}"


def _record(namespace: str, name: str, doc: str, fields: list[Schema]) -> Schema:
    return {"type": "record", "name": name, "namespace": namespace, "doc": doc, "fields": fields}


def _field(name: str, kind: Any, doc: str) -> Schema:
    return {"name": name, "type": kind, "doc": doc}


def _optional(name: str, kind: Any, doc: str) -> Schema:
    return {"name": name, "type": ["null", kind], "default": None, "doc": doc}


def _json() -> Schema:
    return {"type": "string", "connect.version": 1, "connect.name": JSON_NAME}


def _micros() -> Schema:
    return {"type": "long", "logicalType": "timestamp-micros"}


def _canonical(dataset: Shape) -> list[Schema]:
    """The canonical fields with all properties; a copy, since callers add to the list."""
    fields: list[Schema] = copy.deepcopy(dataset.schema["fields"])
    return fields


def topic(dataset: str, kind: str, locality: str | None = None) -> str:
    """``<dataset>.<kind>``, or ``<dataset>.golden.<locality>`` for one locality's own topic."""
    return f"{dataset}.{kind}" if locality is None else f"{dataset}.{kind}.{locality}"


def key_schema(dataset: Shape) -> Schema:
    """The entity key: the dataset's key fields as plain strings (topics valid and golden)."""
    fields = [_field(name, "string", "Entity key") for name in dataset.key]
    return _record(_namespace(dataset.id), "Key", "Key of the entity", fields)


def row_key_schema(dataset: Shape) -> Schema:
    """The identity of a contribution: the source's name and the row there."""
    fields = [_field("source", "string", "Name of the source"), _field("row", "string", "schema.table/primary key")]
    return _record(_namespace(dataset.id), "RowKey", "Identity of a source row", fields)


def valid_meta() -> list[Schema]:
    """The meta fields of ``VALID_META``; a new list at each call."""
    return [
        _field("_source", "string", "Name of the source (its topic.prefix)"),
        _field("_row", "string", "Row at the source: schema.table/primary key"),
        _field("_topic", "string", "Topic in which the change arrived"),
        _field("_partition", "int", "Partition in which the change arrived"),
        _field("_authority", "string", "register, ministry or locality"),
        _optional("_locality", "string", "Two-digit province code of the source"),
        _field("_version", "long", "By the offset of the change in its topic: greater is later"),
        _field("_changed_at", _micros(), "Commit time at the source"),
        _field("_op", "string", OPERATIONS),
        _optional("_fixes", "string", "JSON list of {field, rule, old, new}: what cleaning changed"),
        _optional("_warnings", "string", "JSON list of {field, rule}: what was found and kept"),
        _optional("_proposals", "string", PROPOSALS),
        _optional("_refusal", "string", "JSON {verdict, case}: what is told of a version that was refused"),
    ]


def valid_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.valid``: meta fields, then all canonical fields."""
    fields = valid_meta() + _canonical(dataset)
    return _record(_namespace(dataset.id), "Valid", "A cleaned and checked contribution", fields)


def golden_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.golden`` and ``<dataset>.golden.<locality>``."""
    fields = [
        *_canonical(dataset),
        _optional("_locality", "string", "Two-digit code of the province that owns the record"),
        _optional("_lineage", _json(), "Which source gave which fields, and when"),
    ]
    return _record(_namespace(dataset.id), "Golden", "The one record of an entity", fields)


def contributions_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.contributions``: the reconciler's state of one entity (``sync.process.entity`` reads it)."""
    entry = _record(
        f"{_namespace(dataset.id)}.contributions",
        "Entry",
        "The newest version of one contribution; a value that does not begin with a zero byte is a closed one",
        [
            _field("source", "string", "Name of the source"),
            _field("row", "string", "Row at the source: schema.table/primary key"),
            _field("version", "long", "Offset of the change in its topic: greater is later"),
            _field("flags", "int", "Bit 0: under review; bit 1: a verdict stands; from bit 2: the match code"),
            _field("value", "bytes", "The valid record in wire format; of a closed one what came after it, or nothing"),
        ],
    )
    fields = [
        _optional("locality", "string", "Province that owns the golden record"),
        _field("values", "bytes", "Digest of the golden record's values; empty where there is no golden record"),
        _field("whole", "bytes", "Digest of the golden record with its lineage"),
        _field("entries", {"type": "array", "items": entry}, "Contributions by source and row"),
    ]
    return _record(_namespace(dataset.id), "Contributions", "All that is known about one entity", fields)


def rejected_key_schema(dataset: Shape) -> Schema:
    """Key of ``<dataset>.rejected``: the topic and the row (``partition/offset`` where no row is known)."""
    fields = [_field("topic", "string", "Topic of the record"), _field("row", "string", "Row at the source")]
    return _record(_namespace(dataset.id), "RejectedKey", "Identity of a rejected record", fields)


def rejected_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.rejected``: where the record stood, why it was rejected, its original bytes."""
    fields = [
        _field("source", "string", "Name of the source"),
        _field("topic", "string", "Topic in which the record arrived"),
        _field("partition", "int", "Partition in which the record arrived"),
        _field("offset", "long", "Offset of the record"),
        _optional("row", "string", "Row at the source, where it could be read"),
        _optional("dataset", "string", "Dataset that the record was for"),
        _field("rejected_at", _micros(), "Time of the rejection"),
        _field("reasons", _json(), "JSON list of {rule (VR16@2), field, message_vi, message_en}"),
        _optional("key", "bytes", "Original key"),
        _optional("value", "bytes", "Original value"),
    ]
    return _record(_namespace(dataset.id), "Rejected", "A record that was rejected, replayable", fields)


def _about_row() -> list[Schema]:
    """Which source row a verdict or a review is about."""
    return [
        _field("dataset", "string", "Dataset"),
        _field("source", "string", "Name of the source"),
        _field("row", "string", "Row at the source"),
        _field("topic", "string", "Topic in which the change arrived"),
        _optional("entity", "string", "Entity key"),
        _optional("locality", "string", "Two-digit province code of the source"),
    ]


def _messages() -> list[Schema]:
    return [
        _optional("message_vi", "string", "Message in Vietnamese"),
        _optional("message_en", "string", "Message in English"),
    ]


def verdict_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.verdict``: what the owner of a row is told about it."""
    fields = [
        *_about_row(),
        _field("outcome", "string", "MATCH, MATCH_WITH_FIX, VALID (no register), ACCEPTED, REVIEW or REJECTED"),
        _optional("code", "string", "NAME_DIFFERS, NOT_IN_REGISTER, BIRTH_DATE_DIFFERS, SEX_DIFFERS, NO_ID or a rule"),
        _optional("rule", "string", RULE),
        _optional("fixes", _json(), "JSON list of {field, rule, old, new, message_vi, message_en}"),
        _optional("warnings", _json(), "JSON list of {field, rule, message_vi, message_en}"),
        _optional("proposals", _json(), PROPOSALS),
        *_messages(),
        _field("decided_at", _micros(), "Time of the decision"),
        _optional("mismatches", _json(), MISMATCHES),
        _optional("reasons", _json(), "JSON list of {rule, field, message_vi, message_en}: all why it was not taken"),
    ]
    return _record(_namespace(dataset.id), "Verdict", "The decision on a source row", fields)


def review_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.review``: a case that a person decides."""
    fields = [
        *_about_row(),
        _optional("code", "string", "Why a person must decide"),
        _optional("rule", "string", RULE),
        *_messages(),
        _optional("proposals", _json(), PROPOSALS),
        _optional("reasons", _json(), "JSON list of {rule, field, message_vi, message_en}: all that was found"),
        _field("opened_at", _micros(), "Time at which the case was opened"),
        _field("status", "string", "open or closed"),
        *_case(),
        _optional("record", _json(), "JSON object: the record's values by which candidates are looked for"),
        _optional("mismatches", _json(), MISMATCHES),
    ]
    return _record(_namespace(dataset.id), "Review", "A case under review", fields)


def _case() -> list[Schema]:
    """What binds a decision to a case."""
    return [
        _optional("stage", "string", "validate, reconcile, transfer, alias or relation: where the case is open"),
        _optional("partition", "int", "Partition of the topic in which the change arrived"),
        _optional("key", "bytes", "Key of the change"),
        _optional("facts", "string", "Digest of what is to be decided on: other facts open the case again"),
    ]


def candidates_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.candidates``: whom of the register an open case may be about."""
    fields = [
        _field("dataset", "string", "Dataset"),
        _field("source", "string", "Name of the source"),
        _field("row", "string", "Row at the source"),
        _optional("facts", "string", "The case's facts as they were looked at"),
        _field("candidates", _json(), "JSON list of {number, score (bits), levels: {field: level}}, best first"),
        _field("found_at", _micros(), "Time of the search"),
    ]
    return _record(_namespace(dataset.id), "Candidates", "People of the register whom a case may be about", fields)


def alias_key_schema(dataset: Shape) -> Schema:
    """Key of ``<dataset>.aliases``: a number and the other one."""
    fields = [_field("number", "string", "Number of a golden record"), _field("other", "string", "The other number")]
    return _record(_namespace(dataset.id), "AliasKey", "Two numbers", fields)


def alias_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.aliases``: how far two golden records agree."""
    fields = [
        _field("score", "double", "Bits"),
        _field("levels", _json(), "JSON object: field → level"),
        _field("found_at", _micros(), "Time at which the two were compared"),
    ]
    return _record(_namespace(dataset.id), "Alias", "Two numbers that seem to be one person's", fields)


def relations_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.relations``: what rules across datasets find in one golden record."""
    fields = [
        _optional("locality", "string", "Province that owns the golden record, and is told"),
        _field("unit", "string", "Body that the finding is counted for"),
        _field("found", _json(), "JSON list of {rule (with its version), field, source that gave the field}"),
        _optional("facts", "string", "Facts of the case that is open"),
        _field("found_at", _micros(), "Time of the judgement"),
    ]
    return _record(_namespace(dataset.id), "Relations", "What rules across datasets find in a golden record", fields)


def decision_key_schema(dataset: Shape) -> Schema:
    """Key of ``<dataset>.decision``: each decision has its own, so that compaction keeps the history."""
    fields = [*row_key_schema(dataset)["fields"], _field("id", "string", "The decision's own id")]
    return _record(_namespace(dataset.id), "DecisionKey", "Identity of a decision", fields)


def decision_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.decision``: what a person decided about a case, who and why."""
    fields = [
        _field("id", "string", "The decision's own id"),
        _field("dataset", "string", "Dataset"),
        _field("source", "string", "Name of the source"),
        _field("row", "string", "Row at the source"),
        _field("topic", "string", "Topic in which the change arrived"),
        _optional("entity", "string", "Entity key"),
        *_case(),
        _optional("code", "string", "Why a person had to decide"),
        _field("action", "string", "accept, reject, set, choose, assign or undo"),
        _optional("changes", _json(), "set and choose: JSON object of field and value"),
        _optional("assignee", "string", "assign: who is to decide"),
        _optional("undoes", "string", "undo: id of the decision"),
        _field("by", "string", "Who decided"),
        _field("at", _micros(), "When"),
        _field("why", "string", "The reason"),
    ]
    return _record(_namespace(dataset.id), "Decision", "A data steward's decision", fields)


def transfer_key_schema(dataset: Shape) -> Schema:
    """Key of ``<dataset>.transfer``: the entity's key, then the plan's id; partitioned as the entity alone."""
    fields = [*key_schema(dataset)["fields"], _field("plan", "string", "Id of the plan")]
    return _record(_namespace(dataset.id), "TransferKey", "An entity in a plan", fields)


def transfer_schema(dataset: Shape) -> Schema:
    """Value of ``<dataset>.transfer``: what a plan does to the units that one entity's record holds."""
    fields = [
        _field("plan", "string", "Id of the plan"),
        _field("revision", "int", "1: applied; 2: undone; the greatest holds"),
        _field("action", "string", "apply or undo"),
        _field("sequence", "string", "Order among an entity's plans: effective date, then when the plan was made"),
        _field("moves", _json(), "JSON list of {field, old, new, candidates, waits}; waits: for a data steward"),
        _field("at", _micros(), "When it was written"),
        _field("by", "string", "Who applied or undid the plan"),
    ]
    return _record(_namespace(dataset.id), "Transfer", "The transfer of an entity's record between units", fields)


def ledger_key_schema() -> Schema:
    """Key of ``dongbo.ledger``."""
    fields = [
        _field("stage", "string", "capture, validate or reconcile"),
        _field("topic", "string", "Source topic in which the counted changes came in"),
    ]
    return _record("dongbo", "LedgerKey", "What a count is about", fields)


def ledger_schema() -> Schema:
    """Value of ``dongbo.ledger``: a count, written in the transaction of what it counts.

    Balance (invariant 1): per source topic captured = suppressed + applied + merged + rejected + review.
    """
    fields = [
        _field("ts_ms", "long", "Time of the count, milliseconds since 1970"),
        _field("stage", "string", "capture, validate or reconcile"),
        _field("source", "string", "Name of the source"),
        _field("topic", "string", "Source topic in which the counted changes came in"),
        _field("partition", "int", "Partition of the source topic; -1 at capture"),
        _optional("dataset", "string", "Dataset, where the topic is mapped to one"),
        _field("outcome", "string", "captured, suppressed, received, applied, merged, rejected or review"),
        _field("count", "long", "How many; negative when a change moves to another outcome"),
    ]
    return _record("dongbo", "LedgerEntry", "A count of changes", fields)


def quality_key_schema() -> Schema:
    """Key of ``dongbo.quality``."""
    fields = [_field("dataset", "string", "Dataset"), _field("source", "string", "Name of the source")]
    return _record("dongbo", "QualityKey", "Whose records the findings are about", fields)


def quality_schema() -> Schema:
    """Value of ``dongbo.quality``: how often a rule fixed or found something in one batch of a source's records."""
    fields = [
        _field("ts_ms", "long", "Time of the count, milliseconds since 1970"),
        _field("dataset", "string", "Dataset"),
        _field("source", "string", "Name of the source"),
        _field("rule", "string", "Rule with its version: VR16@2"),
        _field("kind", "string", "FIX, WARN, REVIEW or ERROR"),
        _field("count", "long", "How many fields"),
    ]
    return _record("dongbo", "Quality", "A count of findings", fields)


def findings_key_schema() -> Schema:
    """Key of ``dongbo.findings``."""
    fields = [
        _field("dataset", "string", "Dataset"),
        _field("source", "string", "Name of the source"),
        _field("unit", "string", "Level-1 code of the body that the rows belong to; empty where it is not known"),
    ]
    return _record("dongbo", "FindingsKey", "Whose rows are counted", fields)


def findings_schema() -> Schema:
    """Value of ``dongbo.findings``: a difference of counts of rows as they are now; their sums are the counts."""
    fields = [
        _field("ts_ms", "long", "Time of the count, milliseconds since 1970"),
        *findings_key_schema()["fields"],
        _field("rows", "long", "Rows more, or fewer where negative"),
        _field("findings", _json(), "JSON object: rule → rows more in which it is found"),
    ]
    return _record("dongbo", "Findings", "A difference of counts", fields)


def indicators_schema() -> Schema:
    """Value of ``dongbo.indicators``: the quality of rows as they are now; ``*`` is all sources, or all units."""
    criteria = ("accuracy", "completeness", "validity", "uniqueness", "consistency", "timeliness")
    fields = [
        *findings_key_schema()["fields"],
        _field("rows", "long", "Rows as they are now"),
        _optional("score", "double", "Per cent, of all criteria; null without rows"),
        _optional("colour", "string", "green from 90, yellow from 75, else red"),
        *(_optional(name, "double", "Per cent; null where no rule measures it") for name in criteria),
        _field("key_identifiers", "boolean", "Whether no key identifier is at fault; else a severe incident"),
        _field("findings", _json(), "JSON object: rule → rows in which it is found"),
        _field("changed_ms", "long", "Time of the last change, milliseconds since 1970"),
    ]
    return _record("dongbo", "Indicator", "The quality of a dataset, a source or a body", fields)
