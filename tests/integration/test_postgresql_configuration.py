"""The PostgreSQL source's configuration on real servers: what each key does to topics, records and the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from sync.errors import Refused
from sync.source.postgresql import PLUGIN
from tests.eventually import meanwhile
from tests.integration.capturing import Database, Source, at_least


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    made = Source(database("config"), kafka, registry_url)
    made.execute("create table can_bo (id int primary key, ho_ten text, cccd text, luong numeric(12,2) not null)")
    made.config["dongbo.mappings"] = ""
    yield made
    made.stop()
    made.registry.close()


def test_columns_are_left_out_masked_and_hashed_alike_by_snapshot_and_log(source: Source) -> None:
    source.config["column.exclude.list"] = r"public\.can_bo\.luong"
    source.config["column.mask.hash.v2.SHA-256.with.salt.muoi"] = r"public\.can_bo\.cccd"
    source.config["column.truncate.to.2.chars"] = r"public\.can_bo\.ho_ten"
    row = "'Trần Thị Bình', 'Trần', 5000000"
    source.execute(f"insert into can_bo values (1, {row})")
    source.start()
    source.wait(at_least(1))
    source.execute(f"insert into can_bo values (2, {row})")
    records = source.wait(at_least(2))
    digest = "82628eadfb63b80bb93c730e752d2a61d12f0c38db6a9a779826c18032aa527f"
    assert [value["after"] for _, value in records] == [
        {"id": number, "ho_ten": "Tr", "cccd": digest} for number in (1, 2)
    ]


def test_a_key_of_other_columns_names_old_and_new_rows(source: Source) -> None:
    source.execute("alter table can_bo replica identity full", "insert into can_bo values (1, 'An', '079', 1)")
    source.config["message.key.columns"] = "public.can_bo:cccd"
    assert PLUGIN.check(source.parsed()) == {}
    source.start()
    source.wait(at_least(1))
    source.execute("update can_bo set cccd = '080' where id = 1", "delete from can_bo")
    records = source.wait(at_least(6))
    found = [(key["cccd"], value and value["op"]) for key, value in records]
    assert found == [("079", "r"), ("079", "d"), ("079", None), ("080", "c"), ("080", "d"), ("080", None)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("column.exclude.list", r"public\.can_bo\.id"),
        ("message.key.columns", r"public\.can_bo:cccd"),
        ("column.mask.with.3.chars", r"public\.can_bo\.id"),
    ],
)
def test_a_check_refuses_a_key_that_records_could_not_hold(source: Source, key: str, value: str) -> None:
    source.config[key] = value
    problems = PLUGIN.check(source.parsed())
    assert list(problems) == [key]
    assert "Remedy" in problems[key][0]


def test_a_topic_is_created_with_the_partitions_and_settings_of_its_group(source: Source, kafka: str) -> None:
    source.config |= {
        "topic.creation.groups": "nho",
        "topic.creation.nho.include": f"{source.name}.*",
        "topic.creation.nho.partitions": "3",
        "topic.creation.nho.replication.factor": "1",
        "topic.creation.nho.cleanup.policy": "compact",
        "topic.creation.default.retention.ms": "3600000",
    }
    source.execute("insert into can_bo values (1, 'An', '079', 1)")
    source.start()
    source.wait(at_least(1))
    client = AdminClient({"bootstrap.servers": kafka})
    assert len(client.list_topics(source.topic).topics[source.topic].partitions) == 3
    [future] = client.describe_configs([ConfigResource(ResourceType.TOPIC, source.topic)]).values()
    settings = {name: entry.value for name, entry in future.result().items()}
    assert (settings["cleanup.policy"], settings["retention.ms"]) == ("compact", "3600000")


def test_a_publication_without_tables_is_made_for_somebody_else_to_fill(source: Source) -> None:
    source.config["publication.autocreate.mode"] = "no_tables"
    assert PLUGIN.check(source.parsed()) == {}
    source.start()
    error = source.outcome()
    assert isinstance(error, Refused)
    assert "ADD TABLE" in str(error)
    source.execute(
        f"alter publication pub_{source.name} add table can_bo", "insert into can_bo values (1, 'An', '079', 1)"
    )
    source.start()
    source.wait(at_least(1))


def test_a_publication_for_all_tables_is_used_as_it_is_and_only_the_selected_are_captured(source: Source) -> None:
    source.execute("create table khac (id int primary key)")
    source.config["publication.autocreate.mode"] = "all_tables"
    source.start()
    source.wait(lambda _: (source.slot() or (None,))[0] is not None)
    source.execute("insert into khac values (1)", "insert into can_bo values (1, 'An', '079', 1)")
    source.wait(at_least(1))
    assert source.read(f"{source.name}.public.khac") == []
    assert source.value(f"select puballtables from pg_publication where pubname = 'pub_{source.name}'") is True


def test_replica_identities_are_set_before_tables_are_published(source: Source) -> None:
    source.execute(
        "create table tran (a int not null, b int)",
        "create unique index tran_a on tran (a)",
        "create table day (a int)",
    )
    source.config["table.include.list"] = r"public\..*"
    source.config["replica.identity.autoset.values"] = r"public\.(can_bo|day):FULL,public\.tran:INDEX tran_a"
    assert PLUGIN.check(source.parsed()) == {}
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1])
    source.execute("insert into can_bo values (1, 'An', '079', 1)", "update can_bo set ho_ten = 'Bình'")
    records = source.wait(at_least(2))
    assert records[1][1]["before"]["ho_ten"] == "An"
    source.execute("insert into tran values (1, 2)", "delete from tran")
    tran = source.wait_for(f"{source.name}.public.tran", 3)
    assert [key for key, _ in tran] == [{"a": 1}] * 3
    identities = "select string_agg(relreplident::text, '' order by relname) from pg_class where relname in ({})"
    assert source.value(identities.format("'can_bo', 'day', 'tran'")) == "ffi"


def test_an_index_that_is_not_there_is_named_by_the_check(source: Source) -> None:
    source.config["replica.identity.autoset.values"] = r"public\.can_bo:INDEX khong_co"
    problems = PLUGIN.check(source.parsed())
    assert list(problems) == ["replica.identity.autoset.values"]


def test_a_slot_is_kept_by_standbys_when_asked_for_also_later(source: Source) -> None:
    kept = f"select failover from pg_replication_slots where slot_name = '{source.name}'"
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1])
    source.stop()
    assert source.value(kept) is False
    source.config["slot.failover"] = "true"
    assert PLUGIN.check(source.parsed()) == {}
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1] and source.value(kept) is True)
    source.stop()


def test_statements_of_the_configuration_run_on_each_connection(source: Source) -> None:
    source.execute("create table phien (lan int)")
    source.config["database.initial.statements"] = "set application_name = 'a;;b'; insert into public.phien values (1)"
    source.config["table.include.list"] = r"public\.can_bo"
    assert PLUGIN.check(source.parsed()) == {}
    assert source.value("select count(*) from phien") == 1
    source.config["database.initial.statements"] = "insert into khong_co values (1)"
    assert list(PLUGIN.check(source.parsed())) == ["database.initial.statements"]


def test_topics_have_the_delimiter_and_a_heartbeat_goes_with_its_query(source: Source) -> None:
    source.execute("create table nhip (id int primary key, lan int)", "insert into nhip values (1, 0)")
    source.config |= {
        "topic.delimiter": "-",
        "topic.heartbeat.prefix": "nhip",
        "heartbeat.interval.ms": "50",
        "heartbeat.action.query": "update nhip set lan = lan + 1",
        "xmin.fetch.interval.ms": "50",
        "dongbo.mappings": "public.can_bo:civil_servant/vn_short",
    }
    source.topic = f"{source.name}-public-can_bo"
    source.start()
    beats = source.wait_for(f"nhip-{source.name}", 3)
    assert {tuple(key.items()) for key, _ in beats} == {(("serverName", source.name),)}
    times = [value["ts_ms"] for _, value in beats]
    assert times == sorted(times)
    source.execute("insert into can_bo values (1, 'An', '079', 1)")
    [(_, value), *_] = source.wait(at_least(1))
    assert value["source"]["xmin"] > 0
    source.stop()
    assert source.value("select lan from nhip") > 0
    assert source.counted() == {"captured": 1}


def test_a_heartbeat_whose_query_fails_beats_on(source: Source) -> None:
    source.config |= {"heartbeat.interval.ms": "50", "heartbeat.action.query": "insert into khong_co values (1)"}
    source.start()
    source.wait_for(f"__debezium-heartbeat.{source.name}", 3)


def test_more_tables_than_the_guardrail_allows_stop_the_connector(source: Source) -> None:
    source.execute("create table khac (id int primary key)")
    source.config |= {"table.include.list": r"public\..*", "guardrail.collections.max": "1"}
    assert PLUGIN.check(source.parsed()) == {}
    source.config["guardrail.collections.limit.action"] = "fail"
    assert "guardrail.collections.max" in PLUGIN.check(source.parsed())["table.include.list"][0]


def test_a_huge_transaction_is_told_once_and_counted_through_kills(source: Source) -> None:
    source.config |= {"provide.transaction.metadata": "true", "max.batch.size": "50", "topic.transaction": "gd"}
    source.execute("insert into can_bo values (0, 'đầu', null, 0)")
    source.start()
    source.wait(at_least(1))
    source.wait(lambda _: (source.slot() or (None, False))[1])
    source.stop()
    source.execute("insert into can_bo select n, 'x', null, 0 from generate_series(1, 20000) n")
    for _ in range(2):
        before = source.started()
        process = source.spawn()
        try:
            assert meanwhile(process, lambda goal=before + 1000: source.started() >= goal)
        finally:
            process.kill()
            process.wait()
    source.start()
    source.wait_committed(20_001)
    source.execute("insert into can_bo values (-1, 'hết', null, 0)")
    records = source.wait_for(f"{source.name}.gd", 4)
    rows = [value["transaction"] for _, value in source.wait(at_least(20_002))[1:]]
    assert [row["total_order"] for row in rows] == [*range(1, 20_001), 1]
    assert [row["data_collection_order"] for row in rows] == [*range(1, 20_001), 1]
    assert [value["status"] for _, value in records] == ["BEGIN", "END"] * 2
    assert [value["event_count"] for _, value in records] == [None, 20_000, None, 1]
    assert records[1][1]["data_collections"] == [{"data_collection": "public.can_bo", "event_count": 20_000}]


def test_a_truncate_is_captured_when_it_is_not_skipped(source: Source) -> None:
    source.config["skipped.operations"] = "d"
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1])
    source.execute("insert into can_bo values (1, 'An', '079', 1)", "delete from can_bo", "truncate can_bo")
    records = source.wait(at_least(2))
    assert [(key, value["op"]) for key, value in records] == [({"id": 1}, "c"), (None, "t")]
    source.wait_committed(2)
    assert source.counted() == {"captured": 2}


@pytest.mark.parametrize(("skip", "captured"), [("", [1, 2, 3]), ("dongbo_.*", [1, 3]), ("khac|dongbo_.*", [1])])
def test_origins_are_told_and_only_those_asked_for_are_skipped(source: Source, skip: str, captured: list[int]) -> None:
    source.config["dongbo.origin.skip"] = skip
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1])
    ours, foreign = f"dongbo_{source.name}", "khac"
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("insert into can_bo values (1, 'a', null, 0)")
        try:
            for number, name in enumerate((ours, foreign), start=2):
                connection.execute("select pg_replication_origin_create(%s)", (name,))
                connection.execute("select pg_replication_origin_session_setup(%s)", (name,))
                connection.execute("insert into can_bo values (%s, 'b', null, 0)", (number,))
                connection.execute("select pg_replication_origin_session_reset()")
            connection.execute("insert into can_bo values (4, 'c', null, 0)")
            # The log names an origin only while it exists.
            records = source.wait(at_least(len(captured) + 1))
        finally:
            for name in (ours, foreign):
                connection.execute(
                    "select pg_replication_origin_drop(roname) from pg_replication_origin where roname = %s", (name,)
                )
    source.stop()
    origins = {1: None, 2: ours, 3: foreign, 4: None}
    assert {key["id"]: value["source"]["origin"] for key, value in records} == {
        number: origins[number] for number in (*captured, 4)
    }
    assert source.counted() == Counter(captured=4, suppressed=3 - len(captured)) - Counter()


def test_a_large_value_that_did_not_change_is_the_placeholder(source: Source) -> None:
    source.config["unavailable.value.placeholder"] = "hex:5f5f"
    source.execute("alter table can_bo alter ho_ten set storage external")
    source.start()
    source.wait(lambda _: (source.slot() or (None, False))[1])
    source.execute("insert into can_bo values (1, repeat('x', 9000), 'a', 1)", "update can_bo set luong = 2")
    records = source.wait(at_least(2))
    assert [len(value["after"]["ho_ten"]) for _, value in records] == [9000, 2]
    assert records[1][1]["after"]["ho_ten"] == "__"
