"""The PostgreSQL source's configuration on real servers: what each key does to topics, records and the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from sync.source.postgresql import PLUGIN
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
