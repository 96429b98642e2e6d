from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from sync.errors import Refused, Unreadable
from sync.schema.avro import encode_one, wire
from sync.transform.chain import Chain
from sync.transform.dateformat import DateFormat
from sync.transform.declaration import KEYS, declared, problems
from sync.transform.javanumber import double_text, float_text, to_integer
from sync.transform.outgoing import Fate, Outgoing
from sync.transform.pattern import compiled, replaced
from tests.transform_case import CONNECT
from tests.transform_form import Registry

ROW = {
    "type": "record",
    "name": "Row",
    "fields": [{"name": "id", "type": "int"}, {"name": "ten", "type": ["null", "string"], "default": None}],
}
OTHER = {"type": "record", "name": "Row", "fields": [{"name": "id", "type": "int"}]}
KEY = wire(9, b"\x02")


class Subjects(Registry):
    """A registry that notes what is registered where."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[str] = []
        self.schemas[9] = OTHER

    def register_under(self, subject: str, schema: Any) -> int:
        self.subjects.append(subject)
        return super().register(schema)

    def schema(self, number: int) -> Any:
        return self.schemas[number]


class Client:
    """``outgoing.Registry``."""

    def __init__(self, registry: Subjects) -> None:
        self.register, self.schema = registry.register_under, registry.schema


def parsed(config: dict[str, str]) -> Any:
    return (KEYS + declared(config)).parse(config)


def outgoing(config: dict[str, str], registry: Subjects, *, tolerate: bool = False) -> tuple[Outgoing, list[str]]:
    given = parsed(config)
    assert not given.errors
    chain, made = Chain.read(given.values), []
    assert chain is not None
    return Outgoing(chain, Client(registry), made.append, connector="c", tolerate=tolerate), made


def steps(*given: dict[str, str]) -> dict[str, str]:
    config = {"transforms": ",".join(f"t{n}" for n in range(len(given)))}
    return config | {f"transforms.t{n}.{key}": value for n, step in enumerate(given) for key, value in step.items()}


def value(registry: Subjects, schema: Any, **row: Any) -> bytes:
    return wire(registry.register(schema), encode_one(schema, row))


def test_a_chain_about_topics_hands_on_the_very_bytes_and_decodes_none() -> None:
    registry = Subjects()
    number = registry.register(ROW)
    items = [(KEY, wire(number, b"not a record at all")), (KEY, None)]
    chain, made = outgoing(
        steps({"type": f"{CONNECT}.RegexRouter", "regex": "(.*)-(.*)", "replacement": "$2"}), registry
    )

    found, fate = chain.apply({"a-b": items})

    assert found == {"b": items}
    assert found["b"][0][1] is items[0][1]
    assert made == ["b"]
    assert registry.subjects == ["b-key", "b-value"]
    assert fate.moved == {"a-b": Counter({"b": 1})}


def test_records_of_several_schemas_and_tombstones_keep_their_order() -> None:
    registry = Subjects()
    values = [
        value(registry, ROW if n % 2 else OTHER, id=n, **({"ten": "x"} if n % 2 else {})) if n % 5 else None
        for n in range(12)
    ]
    chain, _ = outgoing(
        steps({"type": f"{CONNECT}.InsertField$Value", "static.field": "s", "static.value": "y"}), registry
    )

    found, _ = chain.apply({"t": [(KEY, data) for data in values]})

    told = [registry.told(data) for _, data in found["t"]]
    assert [side and side.payload["id"] for side in told] == [n if n % 5 else None for n in range(12)]


def test_a_batch_with_headers_gives_them_to_every_record_of_the_topic() -> None:
    registry = Subjects()
    config = steps({"type": f"{CONNECT}.InsertHeader", "header": "h", "value.literal": "v", "predicate": "p"})
    config |= {"predicates": "p", "predicates.p.type": f"{CONNECT}.predicates.RecordIsTombstone"}
    chain, _ = outgoing(config, registry)

    found, _ = chain.apply({"t": [(KEY, None), (KEY, value(registry, OTHER, id=1), 3)]})

    assert [item[2:] for item in found["t"]] == [(-1, (("h", b"v"),)), (3, ())]


def test_what_is_dropped_is_suppressed_and_what_moves_is_counted_where_it_went() -> None:
    fate = Fate({"a": Counter({"b": 2, None: 3, "a": 1}), "heartbeat": Counter({None: 1})})

    captured, suppressed = fate.counted(Counter(a=8), Counter(a=2))

    assert captured == Counter(a=6, b=2)
    assert suppressed == Counter(a=5)
    assert captured.total() == 8
    assert fate.dropped == Counter(a=3, heartbeat=1)


def test_a_bad_record_stops_the_batch_or_is_left_out_alone_and_its_value_stays_unsaid(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Subjects()
    config = steps(
        {"type": f"{CONNECT}.TimestampConverter$Value", "field": "ten", "target.type": "unix", "format": "yyyy"}
    )
    items = [(KEY, value(registry, ROW, id=n, ten=text)) for n, text in enumerate(("2024", "bí mật", "2025"))]

    with pytest.raises(Refused, match="Transform t0: Could not parse timestamp") as caught:
        outgoing(config, registry)[0].apply({"t": items})
    found, fate = outgoing(config, registry, tolerate=True)[0].apply({"t": items})

    assert [side.payload["id"] for _, data in found["t"] if (side := registry.told(data))] == [0, 2]
    assert fate.moved["t"][None] == 1
    assert "bí mật" not in str(caught.value) + caplog.text
    assert "leaves out 1 records" in caplog.text


@pytest.mark.parametrize(
    ("config", "key", "told"),
    [
        ({"transforms": "a"}, "transforms.a.type", "Missing required configuration"),
        ({"transforms": "a,a"}, "transforms", "Duplicate alias"),
        (steps({"type": "x.Y"}), "transforms.t0.type", "Class x.Y could not be found"),
        (steps({"type": f"{CONNECT}.Filter", "predicate": "p"}), "transforms.t0.predicate", "no such alias"),
        (steps({"type": f"{CONNECT}.MaskField$Value", "fields": ""}), "transforms.t0.fields", "Missing required"),
        (steps({"type": f"{CONNECT}.RegexRouter", "regex": "(", "replacement": ""}), "transforms.t0.regex", "regex"),
        (
            steps({"type": f"{CONNECT}.Flatten$Value", "delimiter": "."}),
            "transforms.t0.delimiter",
            "letters, digits and _",
        ),
        (
            steps({"type": "io.debezium.transforms.ExtractNewRecordState", "drop.tombstones": "true"}),
            "transforms.t0.drop.tombstones",
            "delete.tombstone.handling.mode",
        ),
    ],
)
def test_a_wrong_key_is_told_by_its_own_name(config: dict[str, str], key: str, told: str) -> None:
    (message,) = parsed(config).errors[key]
    assert told in message


def test_keys_that_contradict_each_other_are_told_at_the_transforms_type() -> None:
    config = steps({"type": f"{CONNECT}.TimestampConverter$Value", "field": "x", "target.type": "string"})

    assert "requires format" in problems(parsed(config).values)["transforms.t0.type"][0]


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("(.*)", "$1", "a", "a"),
        ("(?<x>a+)b", r"${x}\$1", "aab", "aa$1"),
        ("(a)(b)", "$21", "ab", "b1"),
        ("a", "b", "ab", None),
        ("(a)|(b)", "[$2]", "a", "[]"),
    ],
)
def test_replacements_are_javas(pattern: str, replacement: str, text: str, expected: str | None) -> None:
    assert replaced(compiled(pattern), replacement)(text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "millis"),
    [
        ("yyyy-MM-dd", "2024-02-30", 1709251200000),
        ("yyyyMMddHHmmss", "20240309080506", 1709971506000),
        ("dd/MM/yyyy HH:mm:ssZ", "09/03/2024 15:05:06+0700", 1709971506000),
        ("d MMM yyyy hh:mm a", "9 Mar 2024 08:05 PM", 1710014700000),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_texts_are_read_as_simple_date_format_does(pattern: str, text: str, millis: int) -> None:
    assert DateFormat(pattern).parse(text) == millis


@pytest.mark.parametrize("pattern", ["yyyy-QQ", "'offen"])
def test_a_pattern_that_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.compile("pattern|quote", re.IGNORECASE)):
        DateFormat(pattern)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (100.0, "100.0"),
        (1e6, "1000000.0"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (0.001, "0.001"),
        (0.00012, "1.2E-4"),
        (1e21, "1.0E21"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_a_double_is_told_as_java_tells_it(number: float, text: str) -> None:
    assert double_text(number) == text


def test_a_float_is_told_by_the_fewest_digits_that_name_it() -> None:
    assert float_text(12345678.9) == "1.2345679E7"
    assert float_text(2.34) == "2.34"


@pytest.mark.parametrize(
    ("value", "bits", "expected"),
    [(300, 8, 44), (1e10, 32, 2**31 - 1), (1e10, 8, -1), (-1e30, 64, -(2**63)), (2**63, 64, -(2**63)), ("-7", 8, -7)],
)
def test_numbers_narrow_as_in_java(value: float | str, bits: int, expected: int) -> None:
    assert to_integer(value, bits) == expected


@pytest.mark.parametrize("text", ["", "1.5", "128", " 1", "một"])
def test_a_text_that_is_no_byte_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        to_integer(text, 8)
