"""A source whose connection is cut without a word: it notices, ends with a passing error, and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from sync.errors import Decision, Unavailable, decide
from tests.cable import Cable
from tests.integration.capturing import Source, at_least

Database = Callable[[str], str]


@pytest.fixture
def source(database: Database, kafka: str, registry_url: str) -> Iterator[Source]:
    source = Source(database("cut"), kafka, registry_url)
    name = conninfo_to_dict(source.dsn)["dbname"]
    source.execute(
        # The server gives a silent connection up after so long, and so do we.
        f"ALTER DATABASE {name} SET wal_sender_timeout = '2s'",
        "CREATE TABLE can_bo (id int PRIMARY KEY, ho_ten text)",
        "INSERT INTO can_bo VALUES (1, 'một')",
    )
    source.config["status.update.interval.ms"] = 200
    yield source
    source.stop()


def test_a_replication_connection_that_is_dead_without_a_word_is_noticed(source: Source) -> None:
    cable = Cable(int(source.config["database.port"]))
    source.config["database.port"] = cable.port
    source.start()
    source.wait(at_least(1))
    source.wait_streaming()
    cable.cut()
    source.execute("INSERT INTO can_bo VALUES (2, 'hai')", "UPDATE can_bo SET ho_ten = 'ba' WHERE id = 2")
    error = source.outcome()
    assert isinstance(error, Unavailable)
    assert decide(error) is Decision.RETRY
    assert "has not answered on the replication connection" in str(error)
    cable.mend()
    source.start()
    records = source.wait(at_least(3))
    assert [(value["op"], value["after"]["ho_ten"]) for _, value in records] == [
        ("r", "một"),
        ("c", "hai"),
        ("u", "ba"),
    ]
    source.stop()
    cable.close()


def test_a_quiet_source_that_is_there_is_not_taken_for_dead(source: Source) -> None:
    source.start()
    source.wait(at_least(1))
    source.wait_streaming()
    # Longer than it may be silent: it answers although it has nothing to tell.
    began = source.value("SELECT clock_timestamp()")
    while source.value(f"SELECT clock_timestamp() - '{began}' < interval '4 s'"):
        assert source.error is None
        source.value("SELECT pg_sleep(0.2)")
    source.execute("INSERT INTO can_bo VALUES (2, 'hai')")
    assert len(source.wait(at_least(2))) == 2
