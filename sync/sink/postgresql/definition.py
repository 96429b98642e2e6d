"""The configuration of the PostgreSQL sink: Debezium's JDBC sink's keys, ours beside them, and both as typed settings.

Called by the plugin (``CONFIG``, ``settings``). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sync.config import REQUIRED, ConfigDef, Key, Type
from sync.errors import ConfigError
from sync.retry import Retries
from sync.sink.deadletter import Tolerance

_JDBC_SAME = {
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
    "connecttimeout": "connect_timeout",
    "user": "user",
    "password": "password",
}
# They tune the Java driver and change nothing that a reader of the target could see.
_JDBC_WITHOUT_EFFECT = {
    "applicationname",
    "loginTimeout".lower(),
    "sockettimeout",
    "tcpkeepalive",
    "rewritebatchedinserts",
    "stringtype",
    "preparethreshold",
    "binarytransfer",
    "defaultrowfetchsize",
    "loglevel",
}


def _url(name: str, value: Any) -> str | None:
    try:
        connection(str(value))
    except ConfigError as error:
        return f"Invalid value for configuration {name}: {error}"
    return None


def _table_map(name: str, value: Any) -> str | None:
    for item in value:
        topic, _, table = item.rpartition(":")
        if not topic or not table:
            return f"Invalid value for configuration {name}: each item must be topic:schema.table."
    return None


def _format(name: str, value: Any) -> str | None:
    if "${" in str(value).replace("${topic}", ""):
        return f"Invalid value for configuration {name}: only ${{topic}} is supported as a placeholder."
    return None


def _rows(name: str, value: Any) -> str | None:
    return None if 1 <= value <= 1_000_000 else f"Invalid value for configuration {name}: must be from 1 to 1000000."


def _only(*allowed: bool) -> Any:
    def check(name: str, value: Any) -> str | None:
        if value in allowed:
            return None
        return f"Invalid value for configuration {name}: {str(value).lower()} is not supported."

    return check


def _key(name: str, type_: Type, doc: str, default: Any = REQUIRED, **more: Any) -> Key:
    return Key(name, type_, doc, default, **more)


CONFIG = ConfigDef(
    keys=(
        _key(
            "connection.url",
            Type.STRING,
            "The target: jdbc:postgresql://host:port/database?parameters; parameters of the driver that have a "
            "counterpart in libpq are honoured (sslmode, currentSchema, connectTimeout, …).",
            importance="HIGH",
            group="Connection",
            validator=_url,
        ),
        _key("connection.username", Type.STRING, "The target's user.", "", importance="HIGH", group="Connection"),
        _key("connection.password", Type.PASSWORD, "Its password.", "", importance="HIGH", group="Connection"),
        _key(
            "insert.mode",
            Type.STRING,
            "How rows are written. Only upsert: with offsets in the target each row is written once in any mode.",
            "upsert",
            recommended=("upsert",),
            group="Writes",
        ),
        _key("delete.enabled", Type.BOOLEAN, "Delete the row of a delete event or tombstone.", False, group="Writes"),
        _key(
            "truncate.enabled",
            Type.BOOLEAN,
            "Truncate the table for a truncate event. Not supported: truncate events are passed over.",
            False,
            group="Writes",
            validator=_only(False),
        ),
        _key(
            "primary.key.mode",
            Type.STRING,
            "Where the table's key comes from. Only record_key.",
            "record_key",
            recommended=("record_key",),
            group="Writes",
        ),
        _key(
            "primary.key.fields",
            Type.LIST,
            "Fields of the record's key that make the primary key, all when empty; the column's name when the record's "
            "key is a single value.",
            [],
            group="Writes",
        ),
        _key(
            "schema.evolution",
            Type.STRING,
            "basic creates missing tables and adds missing columns; none makes them an error.",
            "none",
            recommended=("none", "basic"),
            group="Tables",
        ),
        _key(
            "collection.name.format",
            Type.STRING,
            "The table of a topic; ${topic} is the topic's name with dots as underscores.",
            "${topic}",
            group="Tables",
            validator=_format,
        ),
        _key(
            "table.name.format",
            Type.STRING,
            "The former name of collection.name.format.",
            "",
            group="Tables",
            importance="LOW",
            validator=_format,
        ),
        _key(
            "batch.size",
            Type.INT,
            "Most records in one transaction of the target; a batch is what has arrived and never waits to fill up.",
            5000,
            group="Writes",
            validator=_rows,
        ),
        _key(
            "use.reduction.buffer",
            Type.BOOLEAN,
            "Accepted for compatibility: a batch is always reduced to the last change of each key.",
            True,
            group="Writes",
            importance="LOW",
        ),
        _key(
            "dongbo.table.map",
            Type.LIST,
            "topic:schema.table, separated by commas; wins over collection.name.format.",
            [],
            group="Tables",
            validator=_table_map,
        ),
        _key("dongbo.schema.create", Type.BOOLEAN, "Create a missing schema of a table.", True, group="Tables"),
        _key(
            "dongbo.origin",
            Type.BOOLEAN,
            "Mark writes with the replication origin dongbo_<connector>_<task>, so that capture of the same database "
            "tells them from its own changes.",
            True,
            group="Writes",
        ),
        _key(
            "dongbo.synced.at.column",
            Type.STRING,
            "A column set to the time of each real insert or update; empty for none.",
            "",
            group="Tables",
        ),
        _key(
            "dongbo.offsets.table",
            Type.STRING,
            "The target's table that holds what was written up to which offset, in the rows' own transactions.",
            "dongbo_sink_offsets",
            group="Tables",
            importance="LOW",
        ),
    ),
    unsupported={
        r"connection\.(provider|pool\..*|restart\.on\.errors)": "the sink keeps one connection a task, and the worker "
        "starts a failed task again",
        r"(column|collection|table)\.naming\.strategy(\..*)?": "columns have the names of the fields; name tables by "
        "dongbo.table.map or collection.name.format",
        r"field\.include\.list|field\.exclude\.list": "every field of the record is written",
        r"dialect\..*|hibernate\..*": "the sink has no Hibernate",
    },
    accepted={
        r"consumer\.override\..*": "they are given to the consumer.",
        r"quote\.identifiers": "names are always quoted.",
        r"use\.time\.zone|database\.time_zone": "times without a zone are written as they are, others with their zone.",
        r"flush\..*": "a batch that fails is written again by the task's next start.",
    },
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The sink's configuration, typed. ``connect`` are keywords of ``psycopg.connect``, the password among them."""

    connect: Mapping[str, str] = field(repr=False)
    topics: tuple[str, ...]
    topics_regex: str
    delete_enabled: bool
    key_fields: tuple[str, ...]
    evolve: bool
    create_schema: bool
    name_format: str
    tables: Mapping[str, str]
    batch_size: int
    origin: bool
    synced_at: str
    offsets_table: str
    tolerance: Tolerance
    retries: Retries
    consumer: Mapping[str, str]

    def table_of(self, topic: str) -> tuple[str | None, str]:
        """(schema or None for the search path's first, table) of a topic."""
        name = self.tables.get(topic) or self.name_format.replace("${topic}", topic.replace(".", "_"))
        return split_name(name)


def split_name(name: str) -> tuple[str | None, str]:
    """``schema.table`` or ``table`` as (schema or None, table)."""
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else (None, name)


def connection(url: str) -> dict[str, str]:
    """libpq's keywords for a JDBC URL of PostgreSQL (or libpq's own URL).

    Source: pgJDBC, "Connecting to the Database". Raises ConfigError naming what is wrong, never the password.
    """
    text = url.removeprefix("jdbc:")
    if not text.startswith(("postgresql:", "postgres:")):
        raise ConfigError("not a PostgreSQL URL.", hint="write jdbc:postgresql://host:port/database")
    if "//" not in text:
        database, _, query = text.partition(":")[2].partition("?")
        parts: dict[str, str] = {"host": "localhost", "port": "5432", "dbname": unquote(database)}
    else:
        split = urlsplit(text)
        query = split.query
        userinfo, _, hosts = split.netloc.rpartition("@")
        pairs = [_host(host) for host in (hosts or "localhost").split(",")]
        parts = {"host": ",".join(h for h, _ in pairs), "port": ",".join(p for _, p in pairs)}
        parts["dbname"] = unquote(split.path.removeprefix("/"))
        user, _, password = userinfo.partition(":")
        parts |= {key: unquote(value) for key, value in (("user", user), ("password", password)) if value}
    if not parts["dbname"]:
        raise ConfigError("it names no database.", hint="write jdbc:postgresql://host:port/database")
    for key, value in parse_qsl(query, keep_blank_values=True):
        parts |= _parameter(key, value)
    return parts


def _host(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "5432"
    if not port.isdigit():
        raise ConfigError("the port is not a number.", hint="write jdbc:postgresql://host:port/database")
    return host.strip("[]"), port


def _parameter(key: str, value: str) -> dict[str, str]:
    folded = key.lower()
    if folded in _JDBC_SAME:
        return {_JDBC_SAME[folded]: value}
    if folded == "currentschema":
        return {"options": f"-c search_path={value.replace(' ', '')}"}
    if folded == "ssl":
        return {"sslmode": "verify-full"} if value.lower() in ("", "true") else {}
    if folded == "targetservertype":
        return {"target_session_attrs": "read-write" if value in ("primary", "master") else "any"}
    if folded in _JDBC_WITHOUT_EFFECT:
        return {}
    raise ConfigError(f"the parameter {key} is not supported.", hint="remove it from connection.url")


def settings(values: Mapping[str, Any]) -> Settings:
    """Typed settings of parsed configuration values; ConfigError where two keys contradict each other."""

    def get(name: str) -> Any:
        value = values.get(name)
        if value is None:
            value = next(key.default for key in CONFIG.keys if key.name == name)
        return value

    topics, regex = tuple(values.get("topics") or ()), str(values.get("topics.regex") or "")
    if bool(topics) == bool(regex):
        raise ConfigError(
            "Must configure one of topics or topics.regex, and only one.",
            field="topics",
            hint="set exactly one of them",
        )
    connect = connection(str(get("connection.url")))
    for key, name in (("user", "connection.username"), ("password", "connection.password")):
        if get(name):
            connect[key] = str(get(name))
    return Settings(
        connect=connect,
        topics=topics,
        topics_regex=regex,
        delete_enabled=bool(get("delete.enabled")),
        key_fields=tuple(get("primary.key.fields")),
        evolve=get("schema.evolution") == "basic",
        create_schema=bool(get("dongbo.schema.create")),
        name_format=str(get("table.name.format") or get("collection.name.format")),
        tables=dict(item.rpartition(":")[::2] for item in get("dongbo.table.map")),
        batch_size=int(get("batch.size")),
        origin=bool(get("dongbo.origin")),
        synced_at=str(get("dongbo.synced.at.column")),
        offsets_table=str(get("dongbo.offsets.table")),
        tolerance=Tolerance.of(values),
        retries=Retries.of(values),
        consumer={
            key.removeprefix("consumer.override."): str(value)
            for key, value in values.items()
            if key.startswith("consumer.override.")
        },
    )
