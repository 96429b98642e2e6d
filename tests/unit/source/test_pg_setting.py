"""Configuration of the PostgreSQL source: Debezium's keys as they are, mistakes named."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import ConfigError, Refused
from sync.record import TableId
from sync.source import plugins
from sync.source.identity import Mapped, identity, parse_mappings
from sync.source.postgresql import PLUGIN
from sync.source.postgresql.replication import require_failover
from sync.source.postgresql.setting import Settings

CONFIG: dict[str, Any] = {
    "database.hostname": "db",
    "database.user": "u",
    "database.password": "mật khẩu",
    "database.dbname": "d",
    "topic.prefix": "tinh",
}


def parse(**more: Any) -> Any:
    return PLUGIN.config.parse({**CONFIG, **{key.replace("__", "."): value for key, value in more.items()}})


def test_the_plugin_is_found_under_both_names() -> None:
    assert PLUGIN in plugins()
    assert PLUGIN.class_name == "dongbo.source.PostgreSQL"
    assert PLUGIN.aliases == ("io.debezium.connector.postgresql.PostgresConnector",)


def test_a_minimal_debezium_configuration_is_enough() -> None:
    parsed = parse()
    assert parsed.errors == {}
    settings = Settings.read(parsed.values)
    assert settings.slot == "debezium"
    assert settings.publication == "dbz_publication"
    assert settings.identity.locality is None
    assert "mật khẩu" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("snapshot.mode", "never"),
        ("plugin.name", "decoderbufs"),
        ("column.exclude.list", "("),
        ("signal.data.collection", "s"),
        ("snapshot.mode.custom.name", "x"),
        ("table.include.list", "a("),
        ("slot.name", "Có-Hoa"),
        ("dongbo.source.authority", "tỉnh"),
        ("dongbo.source.locality", "1"),
        ("dongbo.mappings", "can_bo=civil_servant"),
        ("dongbo.origin.skip", "("),
        ("max.batch.size", "0"),
        ("skipped.operations", "c,x"),
        ("unavailable.value.placeholder", "hex:ff"),
        ("skipped.operations", "none,c"),
    ],
)
def test_an_unsupported_or_wrong_value_is_an_error_that_names_the_key(key: str, value: str) -> None:
    errors = PLUGIN.config.parse({**CONFIG, key: value}).errors
    assert list(errors) == [key]
    assert key in errors[key][0]


@pytest.mark.parametrize("key", ["max.queue.size", "snapshot.fetch.size", "query.fetch.size"])
def test_tuning_keys_of_debezium_are_accepted_without_a_warning(key: str) -> None:
    parsed = PLUGIN.config.parse({**CONFIG, key: "1"})
    assert not parsed.errors
    assert not parsed.warnings


def test_tables_are_chosen_by_whole_names_and_never_the_servers_own() -> None:
    chosen = Settings.read(parse(table__include__list=r"public\.can.*,NHANSU\.x").values).selection
    assert TableId("public", "can_bo") in chosen
    assert TableId("nhansu", "x") in chosen
    assert TableId("public", "ma_can_bo") not in chosen
    assert TableId("pg_catalog", "pg_class") not in Settings.read(parse().values).selection


def test_an_include_and_an_exclude_list_contradict_each_other() -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.read(parse(table__include__list="a", table__exclude__list="b").values)
    assert raised.value.field == "table.exclude.list"


def test_mappings_name_the_dataset_of_each_table() -> None:
    assert parse_mappings(["public.can_bo:civil_servant/vn_short"]) == {
        "public.can_bo": Mapped("civil_servant", "vn_short")
    }


def test_a_locality_must_say_which_one_it_is() -> None:
    values = parse(dongbo__mappings="public.a:civil_servant/x").values
    with pytest.raises(ConfigError) as raised:
        identity(values)
    assert raised.value.field == "dongbo.source.locality"
    assert identity({**values, "dongbo.source.authority": "ministry"}).authority == "ministry"


def test_statements_end_at_single_semicolons() -> None:
    parsed = parse(database__initial__statements="set a = 1; select ';;' ;")
    assert Settings.read(parsed.values).initial_statements == ("set a = 1", "select ';'")


@pytest.mark.parametrize(("delimiter", "topic"), [(".", "tinh.public.can_b_"), ("_", "tinh_public_can_b_")])
def test_a_topic_is_named_by_prefix_schema_and_table(delimiter: str, topic: str) -> None:
    settings = Settings.read(parse(topic__delimiter=delimiter).values)
    assert settings.topic(TableId("public", "can_bộ")) == topic


def test_connection_keys_are_libpqs() -> None:
    values = parse(database__sslmode="verify-full", database__sslpassword="x", database__tcpKeepAlive="false").values
    connection = Settings.read(values).connection
    assert (connection["sslmode"], connection["sslpassword"], connection["keepalives"]) == ("verify-full", "x", 0)


@pytest.mark.parametrize(("version", "refused"), [(160003, True), (170000, False)])
def test_a_slot_for_standbys_needs_postgresql_17(version: int, refused: bool) -> None:
    settings = Settings.read(parse(slot__failover="true").values)
    if refused:
        with pytest.raises(Refused, match=r"slot\.failover=true needs PostgreSQL 17 or newer; .* has 16"):
            require_failover(settings, version)
    else:
        require_failover(settings, version)


def test_a_placeholder_that_the_processors_do_not_know_is_refused_for_mapped_tables() -> None:
    parsed = parse(
        unavailable__value__placeholder="x",
        dongbo__mappings="public.a:civil_servant/x",
        dongbo__source__authority="ministry",
    )
    with pytest.raises(ConfigError) as raised:
        Settings.read(parsed.values)
    assert raised.value.field == "unavailable.value.placeholder"
