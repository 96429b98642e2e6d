"""The PostgreSQL sink on real Kafka, registry and PostgreSQL: types, tables, bad records, identity."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from sync.errors import Fenced, PositionLost, Refused, Unavailable
from sync.kafka import Message
from sync.kafka.client import Topic, committed_offsets, end_offsets, ensure_topics, read_all
from sync.kafka.transaction import Transactions
from sync.sink.postgresql import PLUGIN
from sync.sink.postgresql.definition import settings
from sync.sink.postgresql.target import Advance, Target, origin_name
from tests.sink_stand import Stand, TopicStand, optional, row_schema

pytestmark = pytest.mark.integration


def named(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "connect.name": name}


DAY = 86_400_000_000
INFINITY = 9_223_372_036_825_200_000

TYPES: list[tuple[str, Any, Any, str, Any]] = [
    ("s", "string", "dấu ' \" \\ \n\r\t, \\N \\. NULL", "text", "dấu ' \" \\ \n\r\t, \\N \\. NULL"),
    ("empty", "string", "", "text", ""),
    ("nothing", "string", None, "text", None),
    ("i", "int", -(2**31), "integer", -(2**31)),
    ("l", "long", 2**63 - 1, "bigint", 2**63 - 1),
    ("yes", "boolean", True, "boolean", True),
    ("f", "float", 1.5, "real", 1.5),
    ("d", "double", 0.1, "double precision", 0.1),
    ("nan", "double", float("-inf"), "double precision", float("-inf")),
    ("bytes", "bytes", b"\x00\xff\\", "bytea", b"\x00\xff\\"),
    (
        "dec",
        {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
        Decimal("-1234.500"),
        "numeric(12,3)",
        Decimal("-1234.500"),
    ),
    ("day", {"type": "int", "logicalType": "date"}, date(1975, 4, 30), "date", date(1975, 4, 30)),
    (
        "at",
        {"type": "long", "logicalType": "timestamp-micros"},
        datetime(2025, 7, 1, 1, 2, 3, 456789, UTC),
        "timestamp with time zone",
        datetime(2025, 7, 1, 1, 2, 3, 456789, UTC),
    ),
    ("t", {"type": "long", "logicalType": "time-micros"}, time(1, 2, 3, 4), "time without time zone", time(1, 2, 3, 4)),
    ("debezium_day", named("int", "io.debezium.time.Date"), 1, "date", date(1970, 1, 2)),
    (
        "debezium_at",
        named("long", "io.debezium.time.MicroTimestamp"),
        DAY + 1,
        "timestamp without time zone",
        datetime(1970, 1, 2, 0, 0, 0, 1),
    ),
    (
        "debezium_zoned",
        named("string", "io.debezium.time.ZonedTimestamp"),
        "2025-07-01T00:00:00.000001Z",
        "timestamp with time zone",
        datetime(2025, 7, 1, 0, 0, 0, 1, UTC),
    ),
    ("debezium_time", named("long", "io.debezium.time.MicroTime"), 1, "time without time zone", time(0, 0, 0, 1)),
    ("json", named("string", "io.debezium.data.Json"), '{"a": [1, "x"]}', "jsonb", {"a": [1, "x"]}),
    (
        "uuid",
        named("string", "io.debezium.data.Uuid"),
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "uuid",
        uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ),
    ("enum", {"type": "enum", "name": "Sex", "symbols": ["NAM", "NU"]}, "NU", "text", "NU"),
    ("array", {"type": "array", "items": ["null", "string"]}, ["a", None, '"', ""], "text[]", ["a", None, '"', ""]),
    ("numbers", {"type": "array", "items": "int"}, [], "integer[]", []),
    (
        "record",
        {"type": "record", "name": "Nested", "fields": [{"name": "x", "type": "int"}]},
        {"x": 1},
        "jsonb",
        {"x": 1},
    ),
    ("map", {"type": "map", "values": "string"}, {"k": "v"}, "jsonb", {"k": "v"}),
]


@pytest.mark.parametrize("more", [0, 100], ids=["as parameters", "by COPY"])
def test_every_avro_type_arrives_as_its_postgresql_type_with_its_value(stand: Stand, more: int) -> None:
    fields = [optional(name, avro) for name, avro, *_ in TYPES]
    topic = stand.topic(schema=row_schema(*fields))
    nulls = {name: None for name, *_ in TYPES}
    full_row = {"id": "full", **{name: value for name, _, value, *_ in TYPES}}
    topic.rows(full_row, {"id": "null", **nulls}, *({"id": f"more{i}", **nulls} for i in range(more)))

    with stand.running(stand.config(topic)):
        stand.until_rows("SELECT count(*) FROM target", [(2 + more,)])

    types = dict(
        stand.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'target'::regclass AND attnum > 0"
        )
    )
    names = [name for name, *_ in TYPES]
    columns = ", ".join(f'"{name}"' for name in names)
    (full,) = stand.query(f"SELECT {columns} FROM target WHERE id = 'full'")
    (null,) = stand.query(f"SELECT {columns} FROM target WHERE id = 'null'")
    assert {name: types[name] for name, *_ in TYPES} == {name: sql for name, _, _, sql, _ in TYPES}
    assert dict(zip(names, full, strict=True)) == {name: value for name, _, _, _, value in TYPES}
    assert set(null) == {None}


def test_temporal_extremes_arrive_as_postgresqls_own(stand: Stand) -> None:
    topic = stand.topic(
        schema=row_schema(
            optional("d", named("int", "io.debezium.time.Date")),
            optional("t", named("long", "io.debezium.time.MicroTimestamp")),
        )
    )
    topic.rows(
        {"id": "a", "d": 2**31 - 1, "t": INFINITY},
        {"id": "b", "d": -719_163, "t": -719_163 * DAY},
        {"id": "c", "d": 2_932_897, "t": 2_932_897 * DAY + 1},
        {"id": "d", "d": 0, "t": 0},
    )

    with stand.running(stand.config(topic)):
        stand.until_rows(
            "SELECT id, d::text, t::text FROM target ORDER BY id",
            [
                ("a", "infinity", "infinity"),
                ("b", "0001-12-31 BC", "0001-12-31 00:00:00 BC"),
                ("c", "10000-01-01", "10000-01-01 00:00:00.000001"),
                ("d", "1970-01-01", "1970-01-01 00:00:00"),
            ],
        )


def test_rows_fit_an_existing_table_with_types_and_defaults_of_its_own(stand: Stand) -> None:
    stand.execute(
        "CREATE TYPE mood AS ENUM ('vui'); CREATE TABLE target (id varchar(12) PRIMARY KEY, name mood, n numeric, "
        "extra text DEFAULT 'mine', synced_at timestamptz DEFAULT clock_timestamp())"
    )
    topic = stand.topic()
    topic.rows({"id": "a", "name": "vui", "n": 1})

    with stand.running(stand.config(topic, schema_evolution="none")):
        stand.until_rows(
            "SELECT id, name::text, n, extra, synced_at IS NOT NULL FROM target",
            [("a", "vui", Decimal(1), "mine", True)],
        )


def test_the_synced_at_column_moves_only_when_the_row_really_changes(stand: Stand) -> None:
    topic = stand.topic()
    config = stand.config(topic, **{"dongbo_synced.at.column": "synced_at"})
    topic.rows({"id": "a", "name": "A", "n": 1}, {"id": "b", "name": "B", "n": 1})
    stamps = "SELECT id, synced_at FROM target ORDER BY id"
    with stand.running(config):
        stand.until(lambda: has_table(stand) and len(stand.query(stamps)) == 2)
        before = dict(stand.query(stamps))
        topic.rows({"id": "a", "name": "A", "n": 1}, {"id": "b", "name": "B", "n": 2})
        stand.until_rows("SELECT n FROM target WHERE id = 'b'", [(2,)])

    after = dict(stand.query(stamps))
    assert after["a"] == before["a"]
    assert after["b"] > before["b"]


def has_table(stand: Stand, name: str = "target") -> bool:
    return bool(stand.query(f"SELECT to_regclass('{name}') IS NOT NULL")[0][0])


def test_a_new_field_becomes_a_new_column_while_both_schemas_arrive(stand: Stand) -> None:
    topic = stand.topic()
    newer = {**topic.schema, "fields": [*topic.schema["fields"], optional("added", "long")]}
    topic.rows({"id": "a", "name": "A", "n": 1})
    topic.rows({"id": "b", "name": "B", "n": 2, "added": 3}, schema=newer)
    topic.rows({"id": "c", "name": "C", "n": 3})

    with stand.running(stand.config(topic)):
        stand.until_rows('SELECT id, n, "added" FROM target ORDER BY id', [("a", 1, None), ("b", 2, 3), ("c", 3, None)])


def test_without_evolution_a_missing_table_or_column_is_named(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    config = stand.config(topic, schema_evolution="none")

    assert 'Table "target"' in str(stand.start(config).error())
    assert "does not exist" in PLUGIN.check(config)["schema.evolution"][0]
    stand.execute("CREATE TABLE target (id text PRIMARY KEY, name text)")
    error = stand.start(config).error()

    assert isinstance(error, Refused)
    assert "has no column n" in str(error)


def test_a_table_without_a_key_is_refused_with_the_remedy(stand: Stand) -> None:
    stand.execute("CREATE TABLE target (id text, name text, n int)")
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})

    error = stand.start(stand.config(topic)).error()

    assert isinstance(error, Refused)
    assert "no primary key or unique index on (id)" in str(error)


def test_mapped_topics_go_to_their_tables_in_a_created_schema(stand: Stand) -> None:
    first, second = stand.topic("a"), stand.topic("b")
    first.rows({"id": "a", "name": "A", "n": 1})
    second.rows({"id": "b", "name": "B", "n": 2})
    mapped = f"{first.name}:dongbo.first,{second.name}:Đơn.Vị"

    with stand.running(stand.config(first, second, **{"dongbo_table.map": mapped})):
        stand.until(lambda: has_table(stand, "dongbo.first") and has_table(stand, '"Đơn"."Vị"'))
        stand.until_rows("SELECT id FROM dongbo.first", [("a",)])
        stand.until_rows('SELECT id FROM "Đơn"."Vị"', [("b",)])


ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", {**row_schema(optional("n", "int")), "name": "Value"}], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {
            "name": "source",
            "type": {"type": "record", "name": "Source", "fields": [{"name": "lsn", "type": ["null", "long"]}]},
        },
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ],
}


def test_debeziums_envelopes_are_written_updated_and_deleted(stand: Stand) -> None:
    topic = stand.topic(schema=ENVELOPE)

    def event(op: str, id_: str, before: int | None, after: int | None) -> None:
        record = {
            "before": None if before is None else {"id": id_, "n": before},
            "after": None if after is None else {"id": id_, "n": after},
            "source": {"lsn": 1},
            "op": op,
            "ts_ms": 1,
        }
        topic.send([(topic.key(id_), topic.value(record))])

    event("r", "a", None, 1)
    event("c", "b", None, 1)
    event("c", "c", None, 1)
    with stand.running(stand.config(topic)):
        stand.until_rows("SELECT id, n FROM target ORDER BY id", [("a", 1), ("b", 1), ("c", 1)])
        event("u", "a", 1, 2)
        event("d", "b", 1, None)
        topic.delete("b")
        topic.delete("c")
        stand.until_rows("SELECT id, n FROM target ORDER BY id", [("a", 2)])


def test_a_compound_key_is_the_primary_key(stand: Stand) -> None:
    key = {
        "type": "record",
        "name": "Key",
        "fields": [{"name": "unit", "type": "string"}, {"name": "year", "type": "int"}],
    }
    schema = {"type": "record", "name": "Row", "fields": [*key["fields"], optional("n", "int")]}
    topic = stand.topic(key_schema=key, schema=schema)
    for unit, year, n in (("u", 1, 1), ("u", 2, 2), ("v", 1, 3), ("u", 1, 4)):
        row = {"unit": unit, "year": year}
        topic.send([(topic.key(row), topic.value({**row, "n": n}))])
    topic.send([(topic.key({"unit": "v", "year": 1}), None)])

    with stand.running(stand.config(topic)):
        stand.until_rows("SELECT unit, year, n FROM target ORDER BY 1, 2", [("u", 1, 4), ("u", 2, 2)])


def headers(message: Message) -> dict[str, str]:
    pairs: list[Any] = list(message.headers() or [])
    return {name: value.decode() for name, value in pairs}


def test_bad_records_go_to_the_dead_letter_topic_and_their_neighbours_to_the_table(stand: Stand, kafka: str) -> None:
    stand.execute("CREATE TABLE target (id text PRIMARY KEY, name varchar(5), n int CHECK (n < 100))")
    topic = stand.topic()
    good = [{"id": f"k{i}", "name": "ok", "n": i} for i in range(50)]
    topic.rows(*good[:25], {"id": "zero", "name": "a\0b", "n": 1}, {"id": "k1", "name": "way too long", "n": 1})
    topic.send([(topic.key("x"), b"\0\0\0\0"), (None, topic.value({"id": "y", "name": "", "n": 1})), (b"?", None)])
    topic.rows(*good[25:], {"id": "big", "name": "b", "n": 100})
    letters = f"dead.{topic.name}"
    config = stand.config(
        topic,
        errors_tolerance="all",
        errors_deadletterqueue_topic_name=letters,
        errors_deadletterqueue_topic_replication_factor="1",
    )

    with stand.running(config):
        stand.until_rows("SELECT count(*), sum(n)::int FROM target", [(50, sum(range(50)))])

    dead = list(read_all(kafka, letters))
    offsets = {int(headers(m)["__connect.errors.offset"]): m for m in dead}
    assert sorted(offsets) == [25, 26, 27, 28, 29, 55]
    assert offsets[27].value() == b"\0\0\0\0"
    assert offsets[29].key() == b"?"
    assert "StringDataRightTruncation" in headers(offsets[26])["__connect.errors.exception.message"]
    assert "way too long" not in str([headers(m) for m in dead])
    assert headers(offsets[55])["__connect.errors.topic"] == topic.name
    stages = {offset: headers(letter)["__connect.errors.stage"] for offset, letter in offsets.items()}
    converters = {27: "VALUE_CONVERTER", 29: "KEY_CONVERTER"}
    assert stages == {**dict.fromkeys(offsets, "TASK_PUT"), **converters}
    assert headers(offsets[27])["__connect.errors.exception.class.name"] == "sync.errors.Unreadable"


def test_a_write_that_the_target_puts_off_is_tried_again_for_as_long_as_configured(stand: Stand) -> None:
    stand.execute(
        "CREATE TABLE target (id text PRIMARY KEY, name text, n int)",
        # A sequence counts attempts: it isn't rolled back.
        "CREATE SEQUENCE attempt",
        "CREATE FUNCTION contend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('attempt') <= 2 THEN "
        "RAISE EXCEPTION USING ERRCODE = '40001'; END IF; RETURN new; END $$",
        "CREATE TRIGGER contend BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION contend()",
    )
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})

    impatient = stand.start(stand.config(topic))
    assert isinstance(impatient.error(), Unavailable)
    assert stand.query("SELECT last_value FROM attempt") == [(1,)]

    patient = stand.config(topic, errors_retry_timeout="30000", errors_retry_delay_max_ms="400")
    with stand.running(patient):
        stand.until_rows("SELECT id FROM target", [("a",)])
    assert stand.query("SELECT last_value FROM attempt") == [(3,)]


@pytest.mark.parametrize("more", [0, 100], ids=["as parameters", "by COPY"])
def test_a_text_too_long_for_its_column_is_refused_and_not_cut_off(stand: Stand, more: int) -> None:
    stand.execute("CREATE TABLE target (id char(4) PRIMARY KEY, name varchar(3), n numeric(3))")
    topic = stand.topic()
    good = [{"id": f"{i:04}", "name": "abc", "n": i} for i in range(more + 1)]
    bad = [{"id": "x", "name": "abcd", "n": 1}, {"id": "toolong", "name": "abc", "n": 1}]
    topic.rows(*good, *bad, {"id": "y", "name": "abc", "n": 1000})

    with stand.running(stand.config(topic, errors_tolerance="all")):
        stand.until_rows("SELECT next_offset FROM dongbo_sink_offsets", [(more + 4,)])

    assert stand.query("SELECT count(*), min(name) FROM target") == [(more + 1, "abc")]


def test_a_topic_created_after_the_start_is_waited_for(stand: Stand) -> None:
    here, later = stand.topic(), TopicStand(stand.bootstrap, stand.registry, f"later.{uuid.uuid4().hex[:8]}")
    here.rows({"id": "a", "name": "A", "n": 1})

    with stand.running(stand.config(here, later)):
        stand.until_rows("SELECT id FROM target ORDER BY id", [("a",)])
        ensure_topics(stand.bootstrap, [Topic(later.name)])
        later.rows({"id": "b", "name": "B", "n": 1})
        stand.until_rows("SELECT id FROM target ORDER BY id", [("a",), ("b",)])


def test_a_row_that_postgresql_refuses_stops_the_task_without_showing_it(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1}, {"id": "b", "name": "Nguyễn\0Văn", "n": 1})

    error = stand.start(stand.config(topic)).error()

    assert isinstance(error, Refused)
    assert f"{topic.name}-0@1" in str(error)
    assert "Nguy" not in str(error)
    assert error.__cause__ is None
    stand.until_rows("SELECT count(*) FROM target", [(0,)])


def test_offsets_that_the_topic_no_longer_holds_stop_the_task_with_the_remedy(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    config = stand.config(topic)
    with stand.running(config):
        stand.until_rows("SELECT next_offset FROM dongbo_sink_offsets", [(1,)])
    stand.query("UPDATE dongbo_sink_offsets SET next_offset = 7 RETURNING 1")

    error = stand.start(config).error()

    assert isinstance(error, PositionLost)
    assert "dongbo_sink_offsets" in error.hint


def test_a_target_that_lost_a_partition_can_write_no_more_of_it(stand: Stand) -> None:
    wanted = settings(stand.config(stand.topic(), dongbo_origin="false"))
    old, new = Target(wanted, stand.connector, 0), Target(wanted, stand.connector, 1)
    try:
        assert old.claim("t", 0) == 0
        old.write([Advance("t", 0, 0, 5)], [])
        assert new.claim("t", 0) == 5

        with pytest.raises(Fenced):
            old.write([Advance("t", 0, 5, 6)], [])

        new.write([Advance("t", 0, 5, 6)], [])
        with pytest.raises(Fenced):
            new.write([Advance("t", 0, 5, 7)], [])
        assert stand.query("SELECT next_offset FROM dongbo_sink_offsets") == [(6,)]
    finally:
        old.close()
        new.close()


def test_writes_carry_the_tasks_replication_origin(stand: Stand) -> None:
    stand.execute("CREATE TABLE target (id text PRIMARY KEY, name text, n int)")
    stand.execute("CREATE PUBLICATION p FOR TABLE target")
    slot = f"sink_{uuid.uuid4().hex[:8]}"
    stand.query(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    with stand.running(stand.config(topic)):
        stand.until_rows("SELECT id FROM target", [("a",)])
        # A killed task's session: its successor ends it instead of waiting.
        successor = Target(settings(stand.config(topic)), stand.connector, 0)
        successor.close()
        assert successor

    stand.query("INSERT INTO target VALUES ('own', '', 0) RETURNING 1")
    peek = "SELECT encode(data, 'escape') FROM pg_logical_slot_peek_binary_changes"
    options = "NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'origin'"
    everything = [row[0] for row in stand.query(f"{peek}('{slot}', {options}, 'any')")]
    local = [row[0] for row in stand.query(f"{peek}('{slot}', {options}, 'none')")]

    assert any(origin_name(stand.connector, 0) in data for data in everything)
    assert sum(data.startswith("I") for data in everything) == 2
    assert sum(data.startswith("I") for data in local) == 1


def test_the_groups_committed_offset_reaches_the_end_of_a_transactional_topic(stand: Stand, kafka: str) -> None:
    topic = stand.topic()
    writer = Transactions(kafka, f"tx-{topic.name}")
    writer.open()
    writer.commit({topic.name: [(topic.key("a"), topic.value({"id": "a", "name": "A", "n": 1}))]})

    with stand.running(stand.config(topic)):
        end = end_offsets(kafka, [topic.name])[topic.name, 0]
        assert end == 2
        group = f"connect-{stand.connector}"
        stand.until(lambda: committed_offsets(kafka, group).get((topic.name, 0)) == end)


def test_topics_by_a_pattern_are_found_also_when_created_later(stand: Stand) -> None:
    prefix = f"px{uuid.uuid4().hex[:8]}"
    first = stand.topic(prefix)
    first.rows({"id": "a", "name": "A", "n": 1})
    config = stand.config(
        topics_regex=prefix + r"\.(?:[0-9a-f]+)", consumer_override_topic_metadata_refresh_interval_ms="500"
    )

    with stand.running(config):
        stand.until_rows("SELECT id FROM target ORDER BY id", [("a",)])
        stand.topic(prefix).rows({"id": "b", "name": "B", "n": 2})
        stand.until_rows("SELECT id FROM target ORDER BY id", [("a",), ("b",)])


def test_a_table_dropped_while_the_task_runs_is_a_retryable_error(stand: Stand) -> None:
    topic = stand.topic()
    topic.rows({"id": "a", "name": "A", "n": 1})
    task = stand.start(stand.config(topic))
    stand.until_rows("SELECT id FROM target", [("a",)])
    with psycopg.connect(stand.dsn) as other:
        other.execute("DROP TABLE target CASCADE")

    topic.rows({"id": "b", "name": "B", "n": 2})

    assert task.error().__class__.__name__ == "Unavailable"
    with stand.running(stand.config(topic)):
        stand.until_rows("SELECT id FROM target", [("b",)])
