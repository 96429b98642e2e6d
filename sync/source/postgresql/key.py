"""The configuration keys of the PostgreSQL source by group: Debezium 3.4's, where this connector has them.

``setting`` joins them with ``standing`` (keys of Debezium that change nothing here, or are not supported) and reads
the typed values. ``differs`` says where a key's meaning or default is not Debezium's; the table of all keys is
``docs/postgresql-source.md``.
"""

from __future__ import annotations

import re
from typing import Any

from sync.config import Key, Type, Validator
from sync.source.postgresql.kind import UNAVAILABLE
from sync.source.validator import at_least, patterns

PLACEHOLDER = "unavailable.value.placeholder"


def only(allowed: bool, why: str) -> Validator:
    """Accept one value of a boolean; ``why`` is the reason, with a remedy."""

    def validate(name: str, value: Any) -> str | None:
        return f"Configuration {name}={str(value).lower()} is not supported: {why}" if value != allowed else None

    return validate


def _slot(name: str, value: Any) -> str | None:
    if re.fullmatch(r"[a-z0-9_]{1,63}", value):
        return None
    return f"Invalid value {value} for configuration {name}: up to 63 of lower case letters, digits and '_'."


def _prefix(name: str, value: Any) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9._-]+", value):
        return None
    return f"Invalid value {value} for configuration {name}: only letters, digits, '.', '_' and '-'."


def placeholder(value: str) -> bytes:
    """Return the bytes of ``unavailable.value.placeholder``. ValueError where they are no UTF-8."""
    data = bytes.fromhex(value.removeprefix("hex:")) if value.startswith("hex:") else value.encode()
    data.decode()
    return data


def _placeholder(name: str, value: Any) -> str | None:
    try:
        placeholder(value)
    except ValueError:
        return f"Invalid value for configuration {name}: a text, or hex: and the hexadecimal digits of one in UTF-8."
    return None


def _operations(name: str, value: Any) -> str | None:
    if set(value) <= {"c", "u", "d", "t"} or value == ["none"]:
        return None
    return f"Invalid value {','.join(value)} for configuration {name}: c, u, d and t with commas between, or none."


def _optional_prefix(name: str, value: Any) -> str | None:
    return _prefix(name, value) if value else None


def key(name: str, doc: str, default: Any, kind: Type = Type.STRING, **more: Any) -> Key:
    """Return an optional key of this connector."""
    return Key(name, kind, doc, default, **{"group": "PostgreSQL", **more})


def _required(name: str, doc: str, **more: Any) -> Key:
    return Key(name, Type.STRING, doc, **{"group": "PostgreSQL", "importance": "HIGH", **more})


CONNECTION = (
    _required("database.hostname", "Host name or address of the PostgreSQL server."),
    key("database.port", "Port of the PostgreSQL server.", 5432, Type.INT, validator=at_least(1)),
    _required("database.user", "Role that reads; it needs REPLICATION, and SELECT on the captured tables."),
    key("database.password", "The role's password.", "", Type.PASSWORD, importance="HIGH"),
    _required("database.dbname", "Database whose tables are captured."),
    key(
        "database.sslmode",
        "Use of TLS, as libpq's sslmode.",
        "prefer",
        recommended=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    ),
    key("database.sslrootcert", "File with the certificates of trusted authorities.", ""),
    key("database.sslcert", "File with the client's certificate.", ""),
    key("database.sslkey", "File with the client's key.", "",
        differs="PEM or DER as libpq reads it; pgjdbc wants PKCS-8 or PKCS-12."),
    key("database.sslpassword", "Password of the client's key.", "", Type.PASSWORD),
    key("database.initial.statements", "Statements to run on each connection except the log's, with semicolons "
        "between (;; is one that belongs to a statement).", "", differs="Names of tables and functions need their "
        "schema: the connections' search_path is empty."),
    key("database.tcpKeepAlive", "Notice by TCP that the server is gone.", True, Type.BOOLEAN),
)  # fmt: skip

LOG = (
    key("plugin.name", "Logical decoding plug-in.", "pgoutput", recommended=("pgoutput",),
        differs="Only pgoutput, which is the default too (Debezium's is decoderbufs, a plug-in to install)."),
    key("slot.name", "Name of the replication slot; created where it is missing.", "debezium", validator=_slot),
    key("slot.drop.on.stop", "Drop the slot when the connector stops: then a new start is a new snapshot.", False,
        Type.BOOLEAN),
    key("publication.name", "Name of the publication.", "dbz_publication"),
    key(
        "publication.autocreate.mode",
        "Create the publication: for all tables, not at all, for the captured tables (which also keeps an existing "
        "one up to date), or without tables, for somebody else to add them.",
        "all_tables",
        recommended=("all_tables", "disabled", "filtered", "no_tables"),
        differs="Selected tables that are not published are an error, as their changes would never come; so is a "
        "table whose updates the server would refuse once it is published.",
    ),
    key("slot.failover", "Make the slot one that a standby keeps too (PostgreSQL 17 and newer).", False, Type.BOOLEAN,
        differs="An error where the server is older: Debezium makes a slot without it."),
    key("slot.max.retries", "How often to try again to get at the slot while another connection holds it.", 6,
        Type.INT, validator=at_least(0), differs="Looked at several times a second within the time that the retries "
        "would take."),
    key("slot.retry.delay.ms", "Milliseconds between these retries.", 10_000, Type.LONG, validator=at_least(1)),
    key("status.update.interval.ms", "How often at least the position is told to the server, milliseconds.", 10_000,
        Type.INT, validator=at_least(1), differs="It is told after each commit too."),
    key("streaming.delay.ms", "Wait so long before the log is followed, milliseconds.", 0, Type.LONG,
        validator=at_least(0)),
    key("heartbeat.interval.ms", "How often a heartbeat record is written, milliseconds; 0: never.", 0, Type.INT,
        validator=at_least(0), differs="The position of an idle source is written every 5 s even without."),
    key("heartbeat.action.query", "Statement to run with each heartbeat.", "", differs="It runs beside capture, which "
        "never waits for it."),
    key("xmin.fetch.interval.ms", "How often the slot's xmin is read for the source block, milliseconds; 0: never.",
        0, Type.LONG, validator=at_least(0)),
    key("max.batch.size", "Most changes in one Kafka transaction.", 8192, Type.INT, validator=at_least(1),
        differs="Default 2048 at Debezium. A batch is what has arrived, and is never waited for."),
    key("poll.interval.ms", "How often signals from a Kafka topic are looked for, milliseconds.", 500, Type.LONG,
        validator=at_least(1), differs="No change waits for it: a batch begins as soon as something arrives."),
    key("dongbo.linger.ms", "Shortest time between the begins of two Kafka transactions, milliseconds: what it adds "
        "to a change's latency at most. A change after a pause, and a full batch, are committed at once.", 20,
        Type.LONG, validator=at_least(0)),
)  # fmt: skip

TABLES = (
    key("table.include.list", "Regular expressions of schema.table to capture, with commas between.", [], Type.LIST,
        importance="HIGH", validator=patterns),
    key("table.exclude.list", "Regular expressions of schema.table to leave out.", [], Type.LIST, validator=patterns),
    key("schema.include.list", "Regular expressions of schemas to capture.", [], Type.LIST, validator=patterns),
    key("guardrail.collections.max", "Most tables to capture; 0: no limit.", 0, Type.INT, validator=at_least(0)),
    key("guardrail.collections.limit.action", "What to do about more of them.", "warn",
        recommended=("warn", "fail")),
    key("publish.via.partition.root", "Let a publication that is created publish changes of partitions as their root "
        "table's; otherwise each partition is a table with a topic of its own.", False, Type.BOOLEAN,
        differs="Without it a snapshot reads the partitions only: Debezium reads their rows a second time as the "
        "root's. A partitioned table none of whose partitions is selected is an error."),
    key("schema.exclude.list", "Regular expressions of schemas to leave out.", [], Type.LIST, validator=patterns),
)  # fmt: skip

TYPES = (
    key("decimal.handling.mode", "Form of numeric columns.", "precise", recommended=("precise", "string", "double")),
    key(
        "time.precision.mode",
        "Form of date and time columns.",
        "adaptive",
        recommended=("adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"),
        differs="Infinity is infinity in every mode; what nanoseconds in 64 bits don't reach is null and told.",
    ),
    key("interval.handling.mode", "Form of interval columns: microseconds, or ISO 8601 text.", "numeric",
        recommended=("numeric", "string")),
    key("hstore.handling.mode", "Form of hstore columns: JSON text, or a map.", "json", recommended=("json", "map")),
    key("binary.handling.mode", "Form of bytea columns.", "bytes",
        recommended=("bytes", "base64", "base64-url-safe", "hex")),
    key("money.fraction.digits", "Digits after the point of money columns.", 2, Type.INT, validator=at_least(0)),
    key("include.unknown.datatypes", "Capture columns of types without a mapping too: their text as bytes, in the form "
        "of binary.handling.mode.", False, Type.BOOLEAN, differs="The text is PostgreSQL's own; arrays of mapped types "
        "that Debezium leaves out anyway are arrays."),
)  # fmt: skip

RECORDS = (
    key(PLACEHOLDER, "What stands for a large value that an update did not change and the log does not repeat; "
        "hex: before bytes in hexadecimal.", UNAVAILABLE.decode(), validator=_placeholder,
        differs="UTF-8 only, and with dongbo.mappings only the default, by which the processors know such a value."),
    key("tombstones.on.delete", "Follow a delete by a record with a null value.", True, Type.BOOLEAN),
    key("dongbo.reselect.unavailable", "Read values that the log does not repeat (TOASTed, unchanged) from the table "
        "again, by key, once a batch. They are those of the moment of reading. Only a table with a key can be asked: "
        "one without is noted in the log.", False, Type.BOOLEAN,
        differs="Debezium's post-processor ReselectColumnsPostProcessor, which asks for each row on its own."),
    key("provide.transaction.metadata", "Write a record at the begin and end of each transaction to the topic "
        "<topic.prefix>.<topic.transaction>, and into each change its place in its transaction.", False, Type.BOOLEAN,
        differs="A transaction of our own sinks (dongbo.origin.skip) has none."),
    key("skipped.operations", "Operations that are not captured, with commas between: c (insert), u (update), d "
        "(delete), t (truncate), or none.", ["t"], Type.LIST, validator=_operations),
    key("skip.messages.without.change", "Do not write an update that changes none of the captured columns. Only a "
        "table with REPLICA IDENTITY FULL tells; of any other each update is written, and a warning says so.", False,
        Type.BOOLEAN),
)  # fmt: skip

TOPICS = (
    key("topic.delimiter", "What stands between the parts of a topic's name.", ".", validator=_prefix),
    key("topic.transaction", "Last part of the name of the topic of transaction metadata.", "transaction",
        validator=_prefix),
    key("topic.heartbeat.prefix", "First part of the name of the topic of heartbeats, before topic.prefix.",
        "__debezium-heartbeat", validator=_prefix),
    key("heartbeat.topics.prefix", "The former name of topic.heartbeat.prefix.", "", validator=_optional_prefix),
    _required("topic.prefix", "Name of the source: first part of its topics' names.", validator=_prefix),
)  # fmt: skip

COMMON = (
    key("errors.tolerance", "none: the task fails on a record that a transform can't take. all: such a record is left "
        "out.", "none", group="Error Handling", display="Error Tolerance", recommended=("none", "all"), width="SHORT",
        differs="Of this source's own, all passes over nothing: a change that can't be read from the log stops the "
        "connector, as leaving it out would lose it."),
    key("errors.log.enable", "Log each tolerated error.", False, Type.BOOLEAN, group="Error Handling",
        display="Log Errors", differs="What is left out is told in any case: how many records of which topic, and "
        "why."),
)  # fmt: skip
"""Keys of every connector, as far as this one has more to say of them."""

SELECTED = (
    key(
        "event.converting.failure.handling.mode",
        "What becomes of a value that its type can't hold: null, and a warning.",
        "warn",
        recommended=("warn",),
        differs="Only warn, the default.",
    ),
    *(
        key(
            f"{kind}.name.adjustment.mode",
            f"How names of {kind}s are made such as Avro allows.",
            "avro",
            recommended=("none", "avro"),
            differs="Names are always adjusted as by avro, also by none (the records are Avro); no avro_unicode.",
        )
        for kind in ("schema", "field")
    ),
    key(
        "lsn.flush.mode",
        "Who tells the server which log is no longer needed: the connector, or with manual somebody else (by "
        "pg_replication_slot_advance while the connector is stopped, up to its offset and no further).",
        "connector",
        recommended=("connector", "connector_and_driver", "manual"),
        differs="An idle source's log is let go with connector too, as with connector_and_driver.",
    ),
    key(
        "flush.lsn.source",
        "The former name of lsn.flush.mode; false is manual.",
        True,
        Type.BOOLEAN,
    ),
    key(
        "event.processing.failure.handling.mode",
        "What becomes of a change that can't be processed: the connector stops with the error.",
        "fail",
        recommended=("fail",),
        differs="Only fail: warn, skip and ignore would lose the change.",
    ),
    key(
        "topic.naming.strategy",
        "How topics are named: <topic.prefix>.<schema>.<table>.",
        "io.debezium.schema.SchemaTopicNamingStrategy",
        recommended=("io.debezium.schema.SchemaTopicNamingStrategy",),
        differs="Only the default: no Java class is loaded.",
    ),
    key(
        "transaction.metadata.factory",
        "How a transaction is named in its metadata.",
        "io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory",
        recommended=("io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory",),
        differs="Only the default: no Java class is loaded.",
    ),
    key(
        "sourceinfo.struct.maker",
        "What the source block holds.",
        "io.debezium.connector.postgresql.PostgresSourceInfoStructMaker",
        recommended=("io.debezium.connector.postgresql.PostgresSourceInfoStructMaker",),
        differs="Only the default: no Java class is loaded.",
    ),
    key(
        "table.ignore.builtin",
        "Leave out the server's own tables.",
        True,
        Type.BOOLEAN,
        validator=only(True, "the server does not decode changes of its own tables; remove the key."),
        differs="Only true.",
    ),
    key(
        "include.schema.comments",
        "Columns' comments in the schemas.",
        False,
        Type.BOOLEAN,
        validator=only(False, "comments are not read; remove the key."),
        differs="Only false.",
    ),
    key(
        "openlineage.integration.enabled",
        "Send lineage to OpenLineage.",
        False,
        Type.BOOLEAN,
        validator=only(False, "records carry their own lineage; remove the key."),
        differs="Only false.",
    ),
)
"""Keys of which one value is supported, Debezium's default."""
