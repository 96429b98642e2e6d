"""The connector's configuration keys (Debezium's for PostgreSQL, and ours) and their typed form.

``KEYS`` is what the REST API shows and checks; ``Settings.read`` is what the parts use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.config import ConfigDef
from sync.errors import ConfigError
from sync.record import TableId
from sync.source.creation import KEYS as CREATION_KEYS
from sync.source.creation import Creation
from sync.source.identity import KEYS as IDENTITY_KEYS
from sync.source.identity import Identity, identity, topic_name
from sync.source.postgresql import key, message, notification, replica, shape
from sync.source.postgresql.column import UNAVAILABLE, Options
from sync.source.postgresql.incremental.key import FAMILIES as SIGNAL_FAMILIES
from sync.source.postgresql.incremental.key import KEYS as SIGNAL_KEYS
from sync.source.postgresql.incremental.key import Signalling
from sync.source.postgresql.message import Prefixes
from sync.source.postgresql.notification import Channels
from sync.source.postgresql.replica import Identities
from sync.source.postgresql.shape import Shape, compiled
from sync.source.postgresql.snapshot.reading import FAMILIES as SNAPSHOT_FAMILIES
from sync.source.postgresql.snapshot.reading import KEYS as SNAPSHOT_KEYS
from sync.source.postgresql.snapshot.reading import Reading
from sync.source.postgresql.standing import ACCEPTED, UNSUPPORTED

KEYS = (
    ConfigDef(
        (
            *key.COMMON,
            *key.CONNECTION,
            *key.TOPICS,
            *key.LOG,
            *key.TABLES,
            *shape.KEYS,
            *replica.KEYS,
            *SNAPSHOT_KEYS,
            *SIGNAL_KEYS,
            *notification.KEYS,
            *key.RECORDS,
            *message.KEYS,
            *key.TYPES,
            *key.SELECTED,
        ),
        UNSUPPORTED,
        ACCEPTED,
        (*shape.FAMILIES, *SNAPSHOT_FAMILIES, *SIGNAL_FAMILIES),
    )
    + CREATION_KEYS
    + IDENTITY_KEYS
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tables are captured: regular expressions that must match the whole name, case ignored (Debezium).

    ``always`` is the table of signals, which no list needs to name.
    """

    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]
    include_schemas: tuple[re.Pattern[str], ...]
    exclude_schemas: tuple[re.Pattern[str], ...]
    always: TableId | None = None

    def __contains__(self, table: TableId) -> bool:
        if table.schema in ("pg_catalog", "information_schema") or table.schema.startswith("pg_toast"):
            return False
        name = str(table)
        if table == self.always:
            return True
        return _chosen(name, self.include, self.exclude) and _chosen(
            table.schema, self.include_schemas, self.exclude_schemas
        )


def _chosen(name: str, include: tuple[re.Pattern[str], ...], exclude: tuple[re.Pattern[str], ...]) -> bool:
    if include and not any(pattern.fullmatch(name) for pattern in include):
        return False
    return not any(pattern.fullmatch(name) for pattern in exclude)


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """How often a heartbeat is written (seconds, 0: never), what is run with it, the first part of its topic."""

    interval: float
    query: str = field(repr=False)
    topic: str


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
    by_root: bool
    selection: Selection
    shape: Shape
    identities: Identities
    snapshot: str
    tombstones: bool
    reselect: bool
    skipped: frozenset[str]
    skip_unchanged: bool
    messages: Prefixes
    transactions: str
    """The topic of transaction metadata; empty without."""
    options: Options
    heartbeat: HeartbeatSettings
    xmin_interval: float
    initial_statements: tuple[str, ...]
    failover: bool
    patience: float
    status_interval: float
    flushes: bool
    """Whether the server is told which log is no longer needed."""
    streaming_delay: float
    most_tables: int
    delimiter: str
    batch: int
    linger: float
    poll: float
    creation: Creation
    skip_origin: re.Pattern[str]
    identity: Identity
    reading: Reading
    channels: Channels
    signalling: Signalling
    transformed: bool

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
            by_root=values["publish.via.partition.root"],
            selection=_selection(values),
            shape=Shape.read(values),
            identities=replica.read(values[replica.NAME]),
            snapshot=values["snapshot.mode"],
            tombstones=values["tombstones.on.delete"],
            reselect=values["dongbo.reselect.unavailable"],
            skipped=frozenset(values["skipped.operations"]) - {"none"},
            skip_unchanged=values["skip.messages.without.change"],
            messages=Prefixes.read(values),
            transactions=_transactions(values),
            options=_options(values),
            heartbeat=HeartbeatSettings(
                values["heartbeat.interval.ms"] / 1000,
                values["heartbeat.action.query"],
                values["heartbeat.topics.prefix"] or values["topic.heartbeat.prefix"],
            ),
            xmin_interval=values["xmin.fetch.interval.ms"] / 1000,
            initial_statements=_statements(values["database.initial.statements"]),
            failover=values["slot.failover"],
            patience=values["slot.max.retries"] * values["slot.retry.delay.ms"] / 1000,
            status_interval=values["status.update.interval.ms"] / 1000,
            flushes=values["lsn.flush.mode"] != "manual" and values["flush.lsn.source"],
            streaming_delay=values["streaming.delay.ms"] / 1000,
            most_tables=_limit(values),
            delimiter=values["topic.delimiter"],
            batch=values["max.batch.size"],
            linger=values["dongbo.linger.ms"] / 1000,
            poll=values["poll.interval.ms"] / 1000,
            creation=Creation.read(values),
            skip_origin=re.compile(values["dongbo.origin.skip"]),
            identity=identity(values),
            reading=Reading.read(values),
            channels=Channels.read(values),
            signalling=Signalling.read(values),
            transformed=bool(values.get("transforms")),
        )

    def topic(self, table: TableId) -> str:
        """Return the name of a table's topic."""
        return topic_name(self.prefix, table.schema, table.table, delimiter=self.delimiter)


def _transactions(values: Mapping[str, Any]) -> str:
    if not values["provide.transaction.metadata"]:
        return ""
    return topic_name(values["topic.prefix"], values["topic.transaction"], delimiter=values["topic.delimiter"])


def _statements(text: str) -> tuple[str, ...]:
    """Split at semicolons that are not doubled."""
    parts = re.split(r"(?<!;);(?!;)", text)
    return tuple(part.replace(";;", ";").strip() for part in parts if part.strip())


def _limit(values: Mapping[str, Any]) -> int:
    """Return the most tables that may be captured: positive to stop, negative to warn, 0 for no limit."""
    most = int(values["guardrail.collections.max"])
    return most if values["guardrail.collections.limit.action"] == "fail" else -most


def _selection(values: Mapping[str, Any]) -> Selection:
    for kind in ("table", "schema"):
        if values[f"{kind}.include.list"] and values[f"{kind}.exclude.list"]:
            raise ConfigError(
                f"Configurations {kind}.include.list and {kind}.exclude.list can't be used together.",
                field=f"{kind}.exclude.list",
                hint="remove one of them",
            )

    return Selection(
        compiled(values["table.include.list"]),
        compiled(values["table.exclude.list"]),
        compiled(values["schema.include.list"]),
        compiled(values["schema.exclude.list"]),
        Signalling.read(values).table,
    )


def _options(values: Mapping[str, Any]) -> Options:
    placeholder = key.placeholder(values[key.PLACEHOLDER])
    if placeholder != UNAVAILABLE and values["dongbo.mappings"]:
        raise ConfigError(
            f"Configuration {key.PLACEHOLDER} must be the default where dongbo.mappings is set: the processors tell "
            "by it that a value is missing.",
            field=key.PLACEHOLDER,
            hint="remove one of the two",
        )
    return Options(
        placeholder=placeholder,
        decimals=values["decimal.handling.mode"],
        times=values["time.precision.mode"],
        intervals=values["interval.handling.mode"],
        hstores=values["hstore.handling.mode"],
        binaries=values["binary.handling.mode"],
        money_digits=values["money.fraction.digits"],
        unknown=values["include.unknown.datatypes"],
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
        "sslpassword": values["database.sslpassword"],
    }
    session = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=3"
    return {
        **{name: value for name, value in given.items() if value not in ("", None)},
        "connect_timeout": 10,
        "client_encoding": "UTF8",
        "application_name": f"dongbo {values['topic.prefix']}",
        "options": f"{session} -c statement_timeout=0 -c lock_timeout=0 -c search_path=",
        "keepalives": int(values["database.tcpKeepAlive"]),
        # A server that disappears without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        # Keepalives are not sent while something sent before is not acknowledged.
        "tcp_user_timeout": 30_000,
    }
