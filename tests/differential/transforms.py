"""Chains of single-message transforms: both sides with the very same keys."""

from __future__ import annotations

from collections.abc import Mapping

from tests.differential.scenario import BASE, Scenario

_CONNECT = "org.apache.kafka.connect.transforms"
_ROWS = (
    "insert into t values (1, 'một', 5)",
    "update t set ten = null where id = 1",
    "insert into t values (2, 'hai', 6), (3, 'ba', 7)",
    "delete from t where id = 2",
    "update t set id = 4 where id = 3",
)


def _chain(**steps: Mapping[str, str]) -> dict[str, str]:
    """The keys of steps by alias, each only for tables t…: the marker's records stay as they are."""
    config = {
        "transforms": ",".join(steps),
        "predicates": "bang_t",
        "predicates.bang_t.type": f"{_CONNECT}.predicates.TopicNameMatches",
        "predicates.bang_t.pattern": r".*\.public\.t.*|.*-t",
    }
    for alias, step in steps.items():
        config |= {f"transforms.{alias}.{key}": value for key, value in {**step, "predicate": "bang_t"}.items()}
    return config


_UNWRAP = {"type": "io.debezium.transforms.ExtractNewRecordState"}

TRANSFORMS = (
    Scenario(
        "transforms_unwrap",
        (BASE, "insert into t values (9, 'chín', 1)"),
        _ROWS,
        _chain(mo={**_UNWRAP, "add.fields": "op,table,source.schema"}),
    ),
    Scenario(
        "transforms_rewrite_and_route",
        (BASE,),
        _ROWS,
        _chain(
            mo={**_UNWRAP, "delete.tombstone.handling.mode": "rewrite"},
            che={"type": f"{_CONNECT}.MaskField$Value", "fields": "ten", "replacement": "***"},
            doi={"type": f"{_CONNECT}.ReplaceField$Value", "renames": "ten:ho_ten", "exclude": "so"},
            them={"type": f"{_CONNECT}.InsertField$Value", "static.field": "nguon", "static.value": "tỉnh"},
            khoa={"type": f"{_CONNECT}.ValueToKey", "fields": "ho_ten,id"},
            ten={"type": f"{_CONNECT}.RegexRouter", "regex": r"(.*)\.public\.(.*)", "replacement": "$1-$2"},
        ),
    ),
    Scenario(
        "transforms_times",
        ("create table t (id int primary key, luc timestamp, ngay date)",),
        (
            "insert into t values (1, '2024-03-09 08:05:06.123456', '1969-12-31'), (2, null, null)",
            "update t set luc = '1960-01-01' where id = 1",
        ),
        _chain(
            mo=_UNWRAP,
            luc={
                "type": f"{_CONNECT}.TimestampConverter$Value",
                "field": "luc",
                "target.type": "string",
                "format": "yyyy-MM-dd'T'HH:mm:ss.SSSX",
            },
            ngay={"type": f"{_CONNECT}.TimestampConverter$Value", "field": "ngay", "target.type": "Timestamp"},
        )
        | {"predicates.bang_t.pattern": r".*\.public\.t", "time.precision.mode": "connect"},
    ),
    Scenario(
        "transforms_logical_table",
        (BASE, "create table t_2 (id int primary key, ten text, so int not null default 7)"),
        ("insert into t values (1, 'một')", "insert into t_2 values (1, 'hai')", "delete from t where id = 1"),
        _chain(
            mot={
                "type": "io.debezium.transforms.ByLogicalTableRouter",
                "topic.regex": r"(.*)\.public\.t(_\d)?",
                "topic.replacement": "$1.public.tat_ca",
                "key.field.regex": r".*\.public\.(.*)",
                "key.field.replacement": "$1",
            }
        ),
        step=True,
    ),
)
