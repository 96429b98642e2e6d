"""The ready registration that brings a province its verdicts: what it writes into the province's database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.connect.manifest import read_connectors, texts
from sync.schema.dataset import load
from sync.schema.derived import row_key_schema, verdict_schema
from tests.sink_stand import Stand

pytestmark = pytest.mark.integration

READY = Path(__file__).parents[2] / "connectors" / "tinh_01-verdicts.yaml"


def test_a_verdict_arrives_as_a_row_with_words_codes_and_rules_and_goes_when_it_is_withdrawn(stand: Stand) -> None:
    (given,) = read_connectors(str(READY))
    config = texts(given.config)
    dataset = load("civil_servant")
    topic = stand.topic("civil_servant.verdict", key_schema=row_key_schema(dataset), schema=verdict_schema(dataset))
    kept = {key: value for key, value in config.items() if not key.startswith(("connection.", "connector.", "topics"))}
    own = {
        **kept,
        "collection.name.format": "dongbo.${topic}",
        "dongbo.table.map": f"{topic.name}:dongbo.civil_servant_verdict",
    }
    stand.execute("CREATE SCHEMA dongbo")
    key = {"source": "tinh_01", "row": "public.can_bo/7"}
    verdict = {
        "dataset": "civil_servant",
        **key,
        "topic": "tinh_01.public.can_bo",
        "entity": None,
        "locality": "01",
        "outcome": "REJECTED",
        "code": "VR01",
        "rule": "VR01@1",
        "fixes": json.dumps([{"field": "phone", "rule": "VR10@1", "old": "84 9", "new": "09"}]),
        "warnings": None,
        "proposals": None,
        "message_vi": "Số định danh cá nhân phải gồm đúng 12 chữ số.",
        "message_en": "The identification number must have exactly 12 digits.",
        "decided_at": datetime(2026, 11, 22, tzinfo=UTC),
    }
    with stand.running(stand.config(topic, transforms=own)):
        topic.send([(topic.key(key), topic.value(verdict))])
        stand.until_rows(
            "SELECT source, outcome, rule, message_vi, fixes::jsonb->0->>'rule' FROM dongbo.civil_servant_verdict",
            [("tinh_01", "REJECTED", "VR01@1", verdict["message_vi"], "VR10@1")],
        )
        topic.send([(topic.key(key), None)])
        stand.until_rows("SELECT count(*) FROM dongbo.civil_servant_verdict", [(0,)])
