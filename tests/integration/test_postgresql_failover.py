"""A promoted standby goes on with the failover slot; another server, or another history, is a lost position."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sync.errors import PositionLost
from sync.kafka.offset import OffsetStore
from tests.integration.capturing import Source, at_least
from tests.postgresql_cluster import Cluster, await_


@pytest.fixture
def stack_of_clusters() -> Iterator[ExitStack]:
    with ExitStack() as open_:
        yield open_


@pytest.fixture
def primary(tmp_path: Path, stack_of_clusters: ExitStack) -> Cluster:
    cluster = Cluster(tmp_path / "primary")
    cluster.start()
    stack_of_clusters.callback(cluster.stop)
    return cluster


@pytest.fixture
def source(primary: Cluster, kafka: str, registry_url: str, stack_of_clusters: ExitStack) -> Source:
    made = Source(primary.dsn(), kafka, registry_url)
    stack_of_clusters.callback(made.registry.close)
    stack_of_clusters.callback(made.stop)
    made.execute("create table can_bo (id int primary key, ho_ten text, ngay_sinh date)")
    made.config |= {"snapshot.mode": "no_data", "heartbeat.interval.ms": 100}
    # A slot's changes are read by the publications of their time, so the publication comes first.
    made.execute(f"create publication {made.config['publication.name']} for table can_bo")
    made.execute(f"select pg_create_logical_replication_slot('{made.name}', 'pgoutput', false, false, true)")
    return made


def lsn(cluster: Cluster, function: str) -> int:
    return int(cluster.execute(f"select ({function}() - '0/0')::int8"))


def timeline(source: Source) -> int:
    [offset] = OffsetStore(source.kafka).load(source.name).values()
    return int(offset["timeline"])


def begin(source: Source) -> None:
    """Start, and return when the log is followed."""
    source.start()
    await_(lambda: (source.slot() or (0, False))[1] or source.error)


def synced(standby: Cluster, source: Source) -> None:
    """Wait until the standby keeps the slot."""
    query = f"select 1 from pg_replication_slots where slot_name = '{source.name}' and synced and not temporary"
    await_(lambda: standby.execute(query))


def move(source: Source, cluster: Cluster) -> None:
    source.dsn = cluster.dsn()
    source.config["database.port"] = str(cluster.port)


def test_a_promoted_standby_goes_on_with_the_failover_slot_without_loss_or_repetition(
    primary: Cluster, source: Source, tmp_path: Path, stack_of_clusters: ExitStack
) -> None:
    standby = primary.standby(tmp_path / "standby", "standby")
    standby.start()
    stack_of_clusters.callback(standby.stop)
    # What the standby lacks must not be captured.
    primary.execute("alter system set synchronized_standby_slots = 'standby'")
    primary.execute("select pg_reload_conf()")
    begin(source)
    source.execute("insert into can_bo select n, 'trước' from generate_series(1, 1000) n")
    source.wait(at_least(1000))
    assert timeline(source) == 1
    synced(standby, source)
    source.stop()
    source.execute("insert into can_bo select n, 'giữa' from generate_series(1001, 1500) n")
    end = lsn(primary, "pg_current_wal_flush_lsn")
    await_(lambda: lsn(standby, "pg_last_wal_replay_lsn") >= end)
    primary.kill()
    standby.execute("select pg_promote()")
    move(source, standby)
    begin(source)
    source.execute("insert into can_bo select n, 'sau' from generate_series(1501, 2000) n")
    records = source.wait(at_least(2000))
    source.stop()
    assert [key["id"] for key, _ in records] == list(range(1, 2001))
    assert timeline(source) == 2


def test_a_standby_that_lacks_what_was_captured_is_a_lost_position(
    primary: Cluster, source: Source, tmp_path: Path, stack_of_clusters: ExitStack
) -> None:
    standby = primary.standby(tmp_path / "standby", "standby")
    standby.start()
    stack_of_clusters.callback(standby.stop)
    begin(source)
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    synced(standby, source)
    standby.stop()
    source.execute("insert into can_bo select n, 'mất' from generate_series(2, 100) n")
    source.wait(at_least(100))
    source.stop()
    primary.kill()
    standby.start()
    standby.execute("select pg_promote()")
    move(source, standby)
    source.start()
    error = source.outcome()
    assert isinstance(error, PositionLost)
    assert "synchronized_standby_slots" in error.hint


def test_another_cluster_is_a_lost_position_though_it_has_a_slot_of_that_name(
    source: Source, tmp_path: Path, stack_of_clusters: ExitStack
) -> None:
    begin(source)
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    source.stop()
    other = Cluster(tmp_path / "other")
    other.start()
    stack_of_clusters.callback(other.stop)
    move(source, other)
    source.execute(
        "create table can_bo (id int primary key, ho_ten text, ngay_sinh date)",
        f"create publication {source.config['publication.name']} for table can_bo",
        f"select pg_create_logical_replication_slot('{source.name}', 'pgoutput')",
    )
    source.config["database.password"] = other.password
    source.start()
    error = source.outcome()
    assert isinstance(error, PositionLost)
    assert "system identifier" in str(error)


def test_log_that_the_server_removed_is_a_lost_position_with_a_remedy(primary: Cluster, source: Source) -> None:
    begin(source)
    source.execute("insert into can_bo values (1, 'một')")
    source.wait(at_least(1))
    source.stop()
    primary.execute("alter system set max_slot_wal_keep_size = '1MB'")
    primary.execute("select pg_reload_conf()")
    for number in range(4):
        source.execute(f"insert into can_bo values ({10 + number}, 'mất')", "select pg_switch_wal()")
    source.execute("checkpoint")
    status = f"select wal_status from pg_replication_slots where slot_name = '{source.name}'"
    assert primary.execute(status) == "lost"
    source.start()
    error = source.outcome()
    assert isinstance(error, PositionLost)
    assert "max_slot_wal_keep_size" in error.hint
