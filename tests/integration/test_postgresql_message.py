"""Logical decoding messages on a real server: captured once each, also across restarts."""

from __future__ import annotations

import psycopg

from tests.integration.capturing import Database, Source


def test_messages_are_captured_once_each_across_restarts(database: Database, kafka: str, registry_url: str) -> None:
    source = Source(database("message"), kafka, registry_url)
    source.config |= {"message.prefix.exclude.list": "khác", "max.batch.size": 2}
    topic = f"{source.name}.message"
    source.execute("create table can_bo (id int primary key, ho_ten text, ngay_sinh date)")
    try:
        for start in (0, 10):
            source.start()
            source.wait_streaming()
            with psycopg.connect(source.dsn) as connection:
                for number in range(start, start + 5):
                    connection.execute("select pg_logical_emit_message(true, 'thư', %s)", (f"{number}",))
                    connection.execute("select pg_logical_emit_message(true, 'khác', 'x')")
                    connection.execute("insert into can_bo values (%s)", (number,))
                    connection.execute("select pg_logical_emit_message(false, 'thư', %s)", (f"{number} ngoài",))
            source.wait_for(topic, start + 10)
            source.stop()
        found = [value["message"]["content"].decode() for _, value in source.read(topic)]
        rows = [key["id"] for key, _ in source.read()]
    finally:
        source.stop()
        source.registry.close()
    numbers = [*range(5), *range(10, 15)]
    assert sorted(found) == sorted([f"{number}" for number in numbers] + [f"{number} ngoài" for number in numbers])
    assert [content for content in found if " " not in content] == [f"{number}" for number in numbers]
    assert rows == numbers
