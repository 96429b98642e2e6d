from __future__ import annotations

import pytest

from sync.transform.declaration import KEYS, declared

CONNECT = "org.apache.kafka.connect.transforms"


def errors(config: dict[str, str]) -> dict[str, list[str]]:
    return (KEYS + declared(config)).parse(config).errors


@pytest.mark.parametrize("wrong", ["feilds", "field.", "fields.0"])
def test_a_mistyped_key_of_a_transform_is_an_error_that_names_those_there_are(wrong: str) -> None:
    config = {
        "transforms": "che",
        "transforms.che.type": f"{CONNECT}.MaskField$Value",
        "transforms.che.fields": "so_cccd",
        f"transforms.che.{wrong}": "ho_ten",
    }
    [told] = errors(config)[f"transforms.che.{wrong}"]
    assert "MaskField has no such key; its keys: fields, replacement" in told


def test_a_mistyped_key_of_a_predicate_is_an_error_too() -> None:
    config = {
        "predicates": "p",
        "predicates.p.type": f"{CONNECT}.predicates.TopicNameMatches",
        "predicates.p.pattern": "a.*",
        "predicates.p.patern": "b.*",
    }
    assert set(errors(config)) == {"predicates.p.patern"}


def test_what_every_transform_has_and_what_one_takes_without_effect_is_no_mistake() -> None:
    config = {
        "predicates": "p",
        "predicates.p.type": f"{CONNECT}.predicates.TopicNameMatches",
        "predicates.p.pattern": "a.*",
        "transforms": "n,n.x",
        "transforms.n.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.n.predicate": "p",
        "transforms.n.negate": "true",
        "transforms.n.replace.null.with.default": "false",
        "transforms.n.x.type": f"{CONNECT}.Filter",
    }
    assert errors(config) == {}
