"""Transforms at work on real servers: in a source between capture and Kafka, in a sink between Kafka and the target."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from sync.errors import Refused
from sync.kafka.client import read_all, topic_names
from sync.schema.derived import LEDGER_TOPIC
from tests.integration.capturing import Database, Source
from tests.sink_stand import Stand

pytestmark = pytest.mark.integration

CONNECT = "org.apache.kafka.connect.transforms"


def chain(steps: Mapping[str, Mapping[str, str]], predicates: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A connector's keys for steps and predicates by alias."""
    config = {"transforms": ",".join(steps), "predicates": ",".join(predicates)}
    for kind, named in (("transforms", steps), ("predicates", predicates)):
        config |= {f"{kind}.{alias}.{key}": value for alias, given in named.items() for key, value in given.items()}
    return config


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    source = Source(database("transforms"), kafka, registry_url)
    yield source
    source.stop()
    source.registry.close()


def ledger(source: Source) -> dict[str, Counter[str]]:
    """The counts of the connector's topics, by topic and outcome."""
    found: dict[str, Counter[str]] = {}
    for key, value in source.read(LEDGER_TOPIC):
        if value["source"] == source.name:
            found.setdefault(key["topic"], Counter())[value["outcome"]] += value["count"]
    return found


def wait(source: Source, topic: str, count: int) -> None:
    """Wait for so many changes in the ledger of a topic."""
    deadline = time.monotonic() + 30
    while ledger(source).get(topic, Counter())["captured"] < count:
        if source.error is not None:
            raise source.error
        assert time.monotonic() < deadline


def test_a_source_writes_what_its_chain_makes_and_the_ledger_balances(source: Source, kafka: str) -> None:
    source.config |= {"table.include.list": r"public\.(can_bo|nhat_ky)", "dongbo.mappings": ""}
    source.config |= chain(
        {
            "bo": {"type": f"{CONNECT}.Filter", "predicate": "nhat_ky"},
            "mo": {"type": "io.debezium.transforms.ExtractNewRecordState", "add.fields": "op", "add.headers": "db"},
            "che": {"type": f"{CONNECT}.MaskField$Value", "fields": "cccd", "replacement": "***"},
            "khoa": {"type": f"{CONNECT}.ExtractField$Key", "field": "id"},
            "ten": {"type": f"{CONNECT}.RegexRouter", "regex": r"(.*)\.public\.(.*)", "replacement": "$1-$2"},
        },
        {"nhat_ky": {"type": f"{CONNECT}.predicates.TopicNameMatches", "pattern": r".*\.nhat_ky"}},
    )
    source.execute(
        "create table can_bo (id int primary key, ho_ten text, cccd text)",
        "create table nhat_ky (id int primary key)",
        "insert into can_bo values (1, 'Một', '001')",
        "insert into nhat_ky values (1)",
    )
    topic = f"{source.name}-can_bo"
    source.start()
    wait(source, topic, 1)
    source.execute(
        "insert into can_bo values (2, 'Hai', null)",
        "insert into nhat_ky values (2)",
        "update can_bo set ho_ten = 'Hai mới' where id = 2",
        "delete from can_bo where id = 1",
    )
    wait(source, topic, 4)
    source.stop()

    registry = source.registry
    found = []
    for message in read_all(kafka, topic):
        key, value = message.key(), message.value()
        assert key is not None
        assert registry.schema(int.from_bytes(key[1:5], "big")) == {"type": "int"}
        row = None if value is None else source._decode(value)
        found.append((key[5:], row))
        assert message.headers() == [("__db", source.config["database.dbname"].encode())]
    one, two = b"\x02", b"\x04"
    assert found == [
        (one, {"id": 1, "ho_ten": "Một", "cccd": "***", "__op": "r"}),
        (two, {"id": 2, "ho_ten": "Hai", "cccd": None, "__op": "c"}),
        (two, {"id": 2, "ho_ten": "Hai mới", "cccd": None, "__op": "u"}),
        (one, None),
    ]
    latest = registry.latest(f"{topic}-value")
    assert latest is not None
    assert [field["name"] for field in latest.schema["fields"]] == ["id", "ho_ten", "cccd", "__op"]
    assert not {name for name in topic_names(kafka) if name.startswith(f"{source.name}.public")}
    assert ledger(source) == {
        topic: Counter(captured=4),
        f"{source.name}.public.nhat_ky": Counter(captured=2, suppressed=2),
    }


def test_a_record_that_a_chain_cannot_take_stops_a_source_and_names_the_transform(source: Source) -> None:
    source.config |= chain({"khoa": {"type": f"{CONNECT}.ValueToKey", "fields": "khong_co"}}, {})
    source.execute("create table can_bo (id int primary key, ho_ten text)", "insert into can_bo values (1, 'Một')")
    source.start()

    error = source.outcome()

    assert isinstance(error, Refused)
    assert "Transform khoa: Field does not exist: khong_co" in str(error)
    assert "Một" not in str(error)


def test_a_sink_writes_what_its_chain_makes_and_sets_aside_what_it_cannot_take(stand: Stand, kafka: str) -> None:
    topic = stand.topic()
    dead = f"{topic.name}.dead"
    config = stand.config(
        topic,
        collection_name_format="${topic}",
        errors_tolerance="all",
        errors_deadletterqueue_topic_name=dead,
        transforms=chain(
            {
                "bo": {"type": f"{CONNECT}.Filter", "predicate": "bo_qua"},
                "ten": {"type": f"{CONNECT}.ReplaceField$Value", "renames": "name:ho_ten", "exclude": "n"},
                "cho": {"type": f"{CONNECT}.InsertField$Value", "offset.field": "cho!", "timestamp.field": "luc"},
                "bang": {"type": f"{CONNECT}.RegexRouter", "regex": "golden.*", "replacement": "nhan_vien"},
            },
            {"bo_qua": {"type": f"{CONNECT}.predicates.HasHeaderKey", "name": "bo_qua"}},
        ),
    )
    topic.rows({"id": "a", "name": "A", "n": 1}, {"id": "b", "name": "B", "n": 2})
    topic.send([(topic.key("c"), topic.value({"id": "c", "name": "C", "n": 3}))], headers=[("bo_qua", b"1")])
    garbage = topic.value({"id": "x", "name": "X", "n": 4})[:-1]
    topic.send([(topic.key("x"), garbage)])
    topic.delete("b")

    with stand.running(config):
        stand.until_rows("select id, ho_ten, cho, luc is not null from nhan_vien order by id", [("a", "A", 0, True)])
        topic.rows({"id": "d", "name": "D", "n": 5})
        stand.until_rows("select id, cho from nhan_vien order by id", [("a", 0), ("d", 5)])
    letters = list(read_all(kafka, dead))

    assert [(message.key(), message.value()) for message in letters] == [(topic.key("x"), garbage)]
    assert dict(letters[0].headers() or [])["__connect.errors.stage"] == b"TRANSFORMATION"
    columns = "select column_name from information_schema.columns where table_name = 'nhan_vien' order by 1"
    assert [name for (name,) in stand.query(columns)] == ["cho", "ho_ten", "id", "luc"]


def test_a_sinks_chain_counts_a_partition_that_moves_once(stand: Stand) -> None:
    """Two tasks share four partitions; each row's place in its topic is written by the one that has it."""
    topic = stand.topic(partitions=4)
    steps = {"cho": {"type": f"{CONNECT}.InsertField$Value", "partition.field": "phan", "offset.field": "cho"}}
    config = stand.config(topic, transforms=chain(steps, {}))
    tasks = [stand.start(config, number, 2) for number in range(2)]
    topic.rows(*({"id": f"k{number}", "name": "A", "n": number} for number in range(400)))

    stand.until_rows("select count(*), count(distinct (phan, cho)) from target", [(400, 400)])
    for task in tasks:
        task.halt()
        assert task.errors == []
