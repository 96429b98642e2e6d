"""Notifications: their records, their configuration, and what the log never gets."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from typing import Any

import fastavro
import pytest

from sync.errors import ConfigError
from sync.source.postgresql.notification import INCREMENTAL, INITIAL, KEY_SCHEMA, SCHEMA, Channels, Notifications
from sync.source.postgresql.setting import KEYS
from tests.pgoutput_log import NOW_NS, Registry


def read(**given: str) -> Channels:
    return Channels.read(KEYS.parse({name.replace("__", "."): value for name, value in given.items()}).values)


def test_the_schemas_are_valid_avro() -> None:
    fastavro.parse_schema(KEY_SCHEMA)
    fastavro.parse_schema(SCHEMA)


def test_a_notification_is_a_record_of_the_topic_by_the_signals_id() -> None:
    registry = Registry()
    outputs: defaultdict[str, list[Any]] = defaultdict(list)
    told = Notifications(Channels("thong_bao"), "tinh", registry, lambda: NOW_NS)
    told.tell(outputs, "PAUSED", INCREMENTAL, "7", tables=["public.a", "public.b"])
    told.tell(outputs, "STARTED", INITIAL)
    (key, value), (other, _) = outputs["thong_bao"]
    assert registry.read(key) == {"id": "7"}
    assert registry.read(value) == {
        "id": "7",
        "type": "PAUSED",
        "aggregate_type": "Incremental Snapshot",
        "additional_data": {"connector_name": "tinh", "data_collections": "public.a,public.b"},
        "timestamp": NOW_NS // 10**6,
    }
    assert registry.read(other) != {"id": "7"}


def test_without_channels_nothing_is_told_and_nothing_registered(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    outputs: defaultdict[str, list[Any]] = defaultdict(list)
    with caplog.at_level(logging.INFO):
        Notifications(read(), "tinh", registry).tell(outputs, "STARTED", INITIAL)
    assert not outputs
    assert not registry.schemas
    assert not caplog.records


def test_the_log_gets_no_key_of_a_row(caplog: pytest.LogCaptureFixture) -> None:
    channels = read(notification__enabled__channels="log")
    with caplog.at_level(logging.INFO):
        Notifications(channels, "tinh", Registry()).tell(
            {}, "IN_PROGRESS", INCREMENTAL, "7", last_processed_key="079123", maximum_key="079999", status="x"
        )
    assert "IN_PROGRESS" in caplog.text
    assert "'status': 'x'" in caplog.text
    assert "079" not in caplog.text


def test_the_channel_sink_needs_a_topic_and_jmx_is_unknown() -> None:
    with pytest.raises(ConfigError, match=r"notification\.sink\.topic\.name"):
        read(notification__enabled__channels="sink,log")
    errors = KEYS.parse({"notification.enabled.channels": "jmx"}).errors
    assert "jmx" in json.dumps(errors["notification.enabled.channels"])
