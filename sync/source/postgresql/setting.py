"""The connector's configuration keys (Debezium's for PostgreSQL, and ours) and their typed form.

``KEYS`` is what the REST API shows and checks; ``Settings.read`` is what the parts use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef, Key, Type
from sync.errors import ConfigError
from sync.record import TableId
from sync.source.identity import KEYS as IDENTITY_KEYS
from sync.source.identity import Identity, identity
from sync.source.postgresql.column import Options


def _at_least(least: int) -> Any:
    def validate(name: str, value: Any) -> str | None:
        return f"Invalid value {value} for configuration {name}: must be at least {least}." if value < least else None

    return validate


def _patterns(name: str, value: Any) -> str | None:
    for item in value:
        try:
            re.compile(item)
        except re.error as error:
            return f"Invalid value for configuration {name}: not a list of regular expressions ({error.msg})."
    return None


def _slot(name: str, value: Any) -> str | None:
    if re.fullmatch(r"[a-z0-9_]{1,63}", value):
        return None
    return f"Invalid value {value} for configuration {name}: up to 63 of lower case letters, digits and '_'."


def _prefix(name: str, value: Any) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9._-]+", value):
        return None
    return f"Invalid value {value} for configuration {name}: only letters, digits, '.', '_' and '-'."


def _key(name: str, doc: str, default: Any, kind: Type = Type.STRING, **more: Any) -> Key:
    return Key(name, kind, doc, default, **{"group": "PostgreSQL", **more})


def _required(name: str, doc: str, **more: Any) -> Key:
    return Key(name, Type.STRING, doc, **{"group": "PostgreSQL", "importance": "HIGH", **more})


_CONNECTION = (
    _required("database.hostname", "Host name or address of the PostgreSQL server."),
    _key("database.port", "Port of the PostgreSQL server.", 5432, Type.INT, validator=_at_least(1)),
    _required("database.user", "Role that reads; it needs REPLICATION, and SELECT on the captured tables."),
    _key("database.password", "The role's password.", "", Type.PASSWORD, importance="HIGH"),
    _required("database.dbname", "Database whose tables are captured."),
    _key(
        "database.sslmode",
        "Use of TLS, as libpq's sslmode.",
        "prefer",
        recommended=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    ),
    _key("database.sslrootcert", "File with the certificates of trusted authorities.", ""),
    _key("database.sslcert", "File with the client's certificate.", ""),
    _key("database.sslkey", "File with the client's key.", ""),
)

_LOG = (
    _required("topic.prefix", "Name of the source: first part of its topics' names.", validator=_prefix),
    _key("plugin.name", "Logical decoding plug-in.", "pgoutput", recommended=("pgoutput",)),
    _key("slot.name", "Name of the replication slot; created where it is missing.", "debezium", validator=_slot),
    _key("slot.drop.on.stop", "Drop the slot when the connector stops: then a new start is a new snapshot.", False,
         Type.BOOLEAN),
    _key("publication.name", "Name of the publication.", "dbz_publication"),
    _key(
        "publication.autocreate.mode",
        "Create the publication: for all tables, not at all, or for the captured tables (which also keeps an "
        "existing one up to date).",
        "all_tables",
        recommended=("all_tables", "disabled", "filtered"),
    ),
    _key("heartbeat.interval.ms", "How often the position of an idle source is written, milliseconds; 0: 5000.", 0,
         Type.INT, validator=_at_least(0)),
    _key("max.batch.size", "Most changes in one Kafka transaction.", 8192, Type.INT, validator=_at_least(1)),
    _key("poll.interval.ms", "Longest wait for the server before a stop request is looked at.", 500, Type.LONG,
         validator=_at_least(1)),
)  # fmt: skip

_TABLES = (
    _key("table.include.list", "Regular expressions of schema.table to capture, with commas between.", [], Type.LIST,
         importance="HIGH", validator=_patterns),
    _key("table.exclude.list", "Regular expressions of schema.table to leave out.", [], Type.LIST,
         validator=_patterns),
    _key("schema.include.list", "Regular expressions of schemas to capture.", [], Type.LIST, validator=_patterns),
    _key("schema.exclude.list", "Regular expressions of schemas to leave out.", [], Type.LIST, validator=_patterns),
    _key(
        "snapshot.mode",
        "What is read before the log: the rows at the first start, nothing, the rows at each start, or only the "
        "rows.",
        "initial",
        recommended=("initial", "no_data", "always", "initial_only"),
    ),
)  # fmt: skip

_RECORDS = (
    _key("tombstones.on.delete", "Follow a delete by a record with a null value.", True, Type.BOOLEAN),
    _key("decimal.handling.mode", "Form of numeric columns.", "precise", recommended=("precise", "string", "double")),
    _key(
        "time.precision.mode",
        "Form of date and time columns.",
        "adaptive",
        recommended=("adaptive", "adaptive_time_microseconds", "connect"),
    ),
    _key("provide.transaction.metadata", "Not supported: must be false.", False, Type.BOOLEAN,
         validator=lambda name, value: f"Configuration {name}=true is not supported." if value else None),
    _key("binary.handling.mode", "Form of bytea columns.", "bytes", recommended=("bytes",)),
    _key("skipped.operations", "Operations that are not captured.", "t", recommended=("t",)),
    _key("topic.creation.default.partitions", "Partitions of a topic that is created.", 1, Type.INT,
         validator=_at_least(1)),
    _key("topic.creation.default.replication.factor", "Accepted; the broker's default is used.", -1, Type.INT),
)  # fmt: skip

_NOT_YET = "this connector does not have it; remove the key, or keep Debezium for this source."

KEYS = (
    ConfigDef(
        (*_CONNECTION, *_LOG, *_TABLES, *_RECORDS),
        unsupported={
            r"column\..*": _NOT_YET,
            r"message\.key\.columns": _NOT_YET,
            r"signal\..*|incremental\..*|notification\..*": _NOT_YET,
            r"snapshot\.(?!fetch\.size$).*": _NOT_YET,
            r"heartbeat\..*": _NOT_YET,
            r"hstore\.handling\.mode|interval\.handling\.mode|converters": _NOT_YET,
            r"schema\.refresh\.mode|unavailable\.value\.placeholder|slot\.(stream\.params|failover)": _NOT_YET,
            r"topic\.(naming\.strategy|heartbeat\.prefix|transaction|delimiter)": _NOT_YET,
            r"publish\.via\.partition\.root|replica\.identity\.autoset\.values": _NOT_YET,
            r"lsn\.flush\.mode|flush\.lsn\.source|offset\.mismatch\.strategy": _NOT_YET,
            r"include\.unknown\.datatypes|sourceinfo\.struct\.maker|post\.processors|transaction\..*": _NOT_YET,
        },
        accepted=(
            r"max\.queue\.size(\.in\.bytes)?",
            r"snapshot\.fetch\.size|status\.update\.interval\.ms|database\.tcpKeepAlive",
            r"(schema|field)\.name\.adjustment\.mode",
            r"slot\.(max\.retries|retry\.delay\.ms)|retriable\.restart\.connector\.wait\.ms",
            r"event\.processing\.failure\.handling\.mode|event\.converting\.failure\.handling\.mode",
        ),
    )
    + IDENTITY_KEYS
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tables are captured: regular expressions that must match the whole name, case ignored (Debezium)."""

    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]
    include_schemas: tuple[re.Pattern[str], ...]
    exclude_schemas: tuple[re.Pattern[str], ...]

    def __contains__(self, table: TableId) -> bool:
        if table.schema in ("pg_catalog", "information_schema") or table.schema.startswith("pg_toast"):
            return False
        name = str(table)
        return _chosen(name, self.include, self.exclude) and _chosen(
            table.schema, self.include_schemas, self.exclude_schemas
        )


def _chosen(name: str, include: tuple[re.Pattern[str], ...], exclude: tuple[re.Pattern[str], ...]) -> bool:
    if include and not any(pattern.fullmatch(name) for pattern in include):
        return False
    return not any(pattern.fullmatch(name) for pattern in exclude)


@dataclass(frozen=True, slots=True)
class Settings:
    """A connector's configuration, typed. Times in seconds."""

    connection: Mapping[str, Any] = field(repr=False)
    database: str
    prefix: str
    slot: str
    drop_slot: bool
    publication: str
    autocreate: str
    selection: Selection
    snapshot: str
    tombstones: bool
    options: Options
    idle_interval: float
    batch: int
    poll: float
    partitions: int
    skip_origin: re.Pattern[str]
    identity: Identity

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Settings:
        """Read the typed values of ``KEYS``. ConfigError where keys contradict each other."""
        return cls(
            connection=_connection(values),
            database=values["database.dbname"],
            prefix=values["topic.prefix"],
            slot=values["slot.name"],
            drop_slot=values["slot.drop.on.stop"],
            publication=values["publication.name"],
            autocreate=values["publication.autocreate.mode"],
            selection=_selection(values),
            snapshot=values["snapshot.mode"],
            tombstones=values["tombstones.on.delete"],
            options=Options(values["decimal.handling.mode"], values["time.precision.mode"]),
            idle_interval=(values["heartbeat.interval.ms"] or 5000) / 1000,
            batch=values["max.batch.size"],
            poll=values["poll.interval.ms"] / 1000,
            partitions=values["topic.creation.default.partitions"],
            skip_origin=re.compile(values["dongbo.origin.skip"]),
            identity=identity(values),
        )


def _selection(values: Mapping[str, Any]) -> Selection:
    for kind in ("table", "schema"):
        if values[f"{kind}.include.list"] and values[f"{kind}.exclude.list"]:
            raise ConfigError(
                f"Configurations {kind}.include.list and {kind}.exclude.list can't be used together.",
                field=f"{kind}.exclude.list",
                hint="remove one of them",
            )

    def compiled(key: str) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(item, re.IGNORECASE) for item in values[key])

    return Selection(
        compiled("table.include.list"),
        compiled("table.exclude.list"),
        compiled("schema.include.list"),
        compiled("schema.exclude.list"),
    )


def _connection(values: Mapping[str, Any]) -> dict[str, Any]:
    """libpq's parameters. The session settings fix the text forms that the encoders read."""
    given = {
        "host": values["database.hostname"],
        "port": values["database.port"],
        "user": values["database.user"],
        "password": values["database.password"],
        "dbname": values["database.dbname"],
        "sslmode": values["database.sslmode"],
        "sslrootcert": values["database.sslrootcert"],
        "sslcert": values["database.sslcert"],
        "sslkey": values["database.sslkey"],
    }
    session = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=3"
    return {
        **{name: value for name, value in given.items() if value not in ("", None)},
        "connect_timeout": 10,
        "client_encoding": "UTF8",
        "application_name": f"dongbo {values['topic.prefix']}",
        "options": f"{session} -c statement_timeout=0 -c lock_timeout=0 -c search_path=",
        # A server that disappears without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }
