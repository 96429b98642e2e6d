from __future__ import annotations

from typing import Any

import pytest

from sync.errors import ConfigError, Unreadable
from sync.schema.avro import encode_one, wire
from sync.sink.reduction import Block, Reduction, Rows

KEY = {"type": "record", "name": "K", "fields": [{"name": "id", "type": "string"}]}
WIDE_KEY = {**KEY, "name": "K2", "fields": [*KEY["fields"], {"name": "part", "type": ["null", "int"], "default": None}]}
VALUE = {
    "type": "record",
    "name": "V",
    "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": ["null", "int"]}],
}
NEWER = {**VALUE, "fields": [*VALUE["fields"], {"name": "extra", "type": ["null", "string"], "default": None}]}
ROW = {"type": "record", "name": "Value", "fields": VALUE["fields"]}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "source", "type": {"type": "record", "name": "Source", "fields": [{"name": "lsn", "type": "long"}]}},
        {"name": "op", "type": "string"},
    ],
}
SCHEMAS: dict[int, dict[str, Any]] = {1: KEY, 2: VALUE, 3: NEWER, 4: ENVELOPE, 5: WIDE_KEY, 6: {"type": "string"}}


def schemas(number: int) -> dict[str, Any]:
    if number not in SCHEMAS:
        raise Unreadable(f"no schema {number}")
    return SCHEMAS[number]


def key(id_: str) -> bytes:
    return wire(1, encode_one(KEY, {"id": id_}))


def value(id_: str, n: int | None) -> bytes:
    return wire(2, encode_one(VALUE, {"id": id_, "n": n}))


def event(op: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> bytes:
    return wire(4, encode_one(ENVELOPE, {"before": before, "after": after, "source": {"lsn": 1}, "op": op}))


def block(*messages: tuple[bytes | None, bytes | None]) -> Block:
    return Block(
        "t", [0] * len(messages), list(range(len(messages))), [k for k, _ in messages], [v for _, v in messages]
    )


def written(groups: list[Rows]) -> list[dict[str, Any]]:
    return [row for rows in groups if rows.values is not None for row in rows.values.to_dicts()]


def deleted(groups: list[Rows]) -> list[str]:
    return [row["id"] for rows in groups if rows.values is None for row in rows.keys.to_dicts()]


def reduction(*, deletes: bool = True, key_fields: tuple[str, ...] = ()) -> Reduction:
    return Reduction(schemas, deletes=deletes, key_fields=key_fields)


def test_only_the_last_change_of_each_key_is_written() -> None:
    groups = reduction().reduce(block((key("a"), value("a", 1)), (key("b"), value("b", 1)), (key("a"), value("a", 2))))

    assert sorted(written(groups), key=str) == [{"id": "a", "n": 2}, {"id": "b", "n": 1}]
    assert sorted(i for rows in groups for i in rows.indices) == [1, 2]


def test_a_tombstone_deletes_and_a_later_row_lives() -> None:
    groups = reduction().reduce(
        block((key("a"), value("a", 1)), (key("a"), None), (key("b"), None), (key("b"), value("b", 1)))
    )

    assert written(groups) == [{"id": "b", "n": 1}]
    assert deleted(groups) == ["a"]


def test_without_deletes_a_tombstone_does_not_hide_the_row_before_it() -> None:
    row = {"id": "b", "n": 7}
    groups = reduction(deletes=False).reduce(
        block(
            (key("a"), value("a", 1)),
            (key("a"), None),
            (key("b"), event("c", None, row)),
            (key("b"), event("d", row, None)),
        )
    )

    assert sorted(written(groups), key=str) == [{"id": "a", "n": 1}, row]
    assert deleted(groups) == []


def test_envelopes_give_the_row_after_or_a_delete() -> None:
    groups = reduction().reduce(
        block(
            (key("a"), event("r", None, {"id": "a", "n": 1})),
            (key("b"), event("u", {"id": "b", "n": 1}, {"id": "b", "n": None})),
            (key("c"), event("d", {"id": "c", "n": 1}, None)),
            (key("e"), event("d", None, None)),
            (key("e"), None),
            (None, event("t", None, None)),
        )
    )

    assert sorted(written(groups), key=str) == [{"id": "a", "n": 1}, {"id": "b", "n": None}]
    assert sorted(deleted(groups)) == ["c", "e"]


def test_two_schemas_in_a_batch_stay_apart() -> None:
    newer = wire(3, encode_one(NEWER, {"id": "b", "n": 2, "extra": "x"}))

    groups = reduction().reduce(block((key("a"), value("a", 1)), (key("b"), newer)))

    assert sorted(written(groups), key=str) == [{"id": "a", "n": 1}, {"id": "b", "n": 2, "extra": "x"}]


def test_equal_keys_of_two_key_schemas_are_one_row() -> None:
    wide = wire(5, encode_one(WIDE_KEY, {"id": "a", "part": 1}))

    groups = reduction(key_fields=("id",)).reduce(block((wide, value("a", 1)), (key("a"), value("a", 2))))

    assert written(groups) == [{"id": "a", "n": 2}]


def test_a_key_of_one_value_takes_its_columns_name_from_the_configuration() -> None:
    single = wire(6, b"\x02a")

    groups = reduction(key_fields=("code",)).reduce(block((single, value("a", 1))))

    assert groups[0].keys.to_dicts() == [{"code": "a"}]
    with pytest.raises(ConfigError, match=r"primary\.key\.fields"):
        reduction().reduce(block((single, value("a", 1))))


def test_key_fields_that_the_key_lacks_are_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no field x"):
        reduction(key_fields=("x",)).reduce(block((key("a"), None)))


def test_every_unreadable_message_is_found_and_its_neighbours_are_written() -> None:
    messages = block(
        (key("a"), value("a", 1)),
        (key("a"), b"garbage"),
        (key("b"), wire(99, b"")),
        (None, value("c", 1)),
        (key("d"), value("d", 1)[:-1]),
        (b"", value("e", 1)),
        (key("f"), event("c", None, None)),
        (key("g"), wire(6, b"\x02a")),
        (key("h"), value("h", 8)),
    )
    subject = reduction()

    with pytest.raises(Unreadable):
        subject.reduce(messages)
    bad = subject.unreadable(messages)

    assert [b.index for b in bad] == [1, 2, 3, 4, 5, 6, 7]
    assert all(b.reason for b in bad)
    assert sorted(written(subject.reduce(messages, {b.index for b in bad})), key=str) == [
        {"id": "a", "n": 1},
        {"id": "h", "n": 8},
    ]


def test_an_empty_block_reduces_to_nothing() -> None:
    assert reduction().reduce(block()) == []
