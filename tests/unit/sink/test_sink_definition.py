from __future__ import annotations

from typing import Any

import pytest

from sync.connect.definition import declaration
from sync.errors import ConfigError
from sync.sink.postgresql import PLUGIN
from sync.sink.postgresql.definition import connection, settings

BASE = {
    "name": "s",
    "connector.class": PLUGIN.class_name,
    "connection.url": "jdbc:postgresql://db.local:5433/hr",
    "topics": "a.golden",
}


def parsed(**more: Any) -> dict[str, Any]:
    result = declaration(PLUGIN).parse({**BASE, **more})
    assert result.errors == {}
    return result.values


def test_a_jdbc_url_gives_libpqs_keywords() -> None:
    assert connection(
        "jdbc:postgresql://h1:5433,[::1]/hr%20db?user=u&password=p%40&sslmode=require&currentSchema=a,b"
    ) == {
        "host": "h1,::1",
        "port": "5433,5432",
        "dbname": "hr db",
        "user": "u",
        "password": "p@",
        "sslmode": "require",
        "options": "-c search_path=a,b",
    }


def test_libpqs_own_url_is_read_too() -> None:
    assert connection("postgresql://u:p%3A@h/db") == {
        "host": "h",
        "port": "5432",
        "dbname": "db",
        "user": "u",
        "password": "p:",
    }


@pytest.mark.parametrize(
    "url",
    ["jdbc:mysql://h/db", "jdbc:postgresql://h", "jdbc:postgresql://h:x/db", "jdbc:postgresql://h/db?frobnicate=1"],
)
def test_a_bad_url_is_an_error_of_its_key(url: str) -> None:
    assert "connection.url" in declaration(PLUGIN).parse({**BASE, "connection.url": url}).errors


def test_the_password_appears_in_no_text_of_the_settings() -> None:
    assert "secret" not in repr(settings(parsed(**{"connection.password": "secret"})))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("insert.mode", "insert"),
        ("primary.key.mode", "kafka"),
        ("truncate.enabled", "true"),
        ("collection.name.format", "${source.db}"),
        ("dongbo.table.map", "no-table"),
        ("topics.regex", "("),
        ("batch.size", "0"),
        ("field.include.list", "x"),
        ("connection.provider", "x"),
    ],
)
def test_unsupported_values_and_keys_are_errors_naming_the_key(key: str, value: str) -> None:
    assert key in declaration(PLUGIN).parse({**BASE, key: value}).errors


def test_exactly_one_of_topics_and_topics_regex_is_needed() -> None:
    with pytest.raises(ConfigError, match="topics"):
        settings({**BASE, "topics": []})
    with pytest.raises(ConfigError, match="topics"):
        settings(parsed(**{"topics.regex": "a.*"}))


def test_a_topics_table_is_the_maps_or_the_formats() -> None:
    wanted = settings(
        parsed(**{"dongbo.table.map": "a.golden:dongbo.civil_servant", "collection.name.format": "s.t_${topic}"})
    )

    assert wanted.table_of("a.golden") == ("dongbo", "civil_servant")
    assert wanted.table_of("b.golden") == ("s", "t_b_golden")


def test_a_consumers_override_is_passed_on() -> None:
    assert settings(parsed(**{"consumer.override.fetch.min.bytes": "2"})).consumer == {"fetch.min.bytes": "2"}
