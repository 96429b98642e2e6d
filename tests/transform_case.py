"""Cases for the transforms: a chain's configuration, and records in the JSON converter's form.

``tests/golden/transforms.json`` holds what Connect's and Debezium's own classes make of them
(``tests/golden/renew_transforms.py``); the unit tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "transforms.json"
CONNECT = "org.apache.kafka.connect.transforms"
TOPIC = "tinh_01.public.can_bo"
SAME = "="
"""Stands in the golden file for a part that is as it was."""


@dataclass(frozen=True)
class Case:
    """``config`` as a connector has it: ``transforms``, ``transforms.<alias>.type`` …

    ``passes``: the records that stay as they are here, where the peer has an error (``docs/transforms.md``).
    """

    name: str
    config: dict[str, str]
    records: tuple[dict[str, Any], ...]
    sink: bool = False
    passes: tuple[int, ...] = ()


def _field(name_: str, type_: str, *, optional: bool = False, **more: Any) -> dict[str, Any]:
    return {"field": name_, "type": type_, "optional": optional, **more}


def _struct(name: str, fields: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"type": "struct", "name": name, "optional": False, "fields": fields, **more}


TIMESTAMP = {"name": "org.apache.kafka.connect.data.Timestamp", "version": 1}
DATE = {"name": "org.apache.kafka.connect.data.Date", "version": 1}
TIME = {"name": "org.apache.kafka.connect.data.Time", "version": 1}
MICROS = {"name": "io.debezium.time.MicroTimestamp", "version": 1}
DECIMAL = {"name": "org.apache.kafka.connect.data.Decimal", "version": 1, "parameters": {"scale": "2"}}

ROW = [
    _field("id", "int32"),
    _field("ten", "string", optional=True),
    _field("he_so", "double"),
    _field("bac", "int16", optional=True),
    _field("la_dang_vien", "boolean", optional=True),
    _field("luong", "int64", optional=True, default=1490000),
    _field("anh", "bytes", optional=True),
    _field("sinh", "int64", optional=True, **TIMESTAMP),
    _field("sua", "int64", optional=True, **MICROS),
    _field("tu", "string", optional=True),
    _field("ngay", "int32", optional=True, **DATE),
    _field("gio", "int32", optional=True, **TIME),
    _field("the", "array", optional=True, items={"type": "string", "optional": True}),
    _field("nhan", "int32", default=3),
    _field("tien", "bytes", optional=True, **DECIMAL),
    _field("diem", "float", optional=True),
]
KEY = {"schema": _struct(f"{TOPIC}.Key", [_field("id", "int32")]), "payload": {"id": 7}}
FULL = {
    "id": 7, "ten": "Nguyễn Văn A", "he_so": 2.34, "bac": 3, "la_dang_vien": True, "luong": 5000000, "anh": "AAEC",
    "sinh": 315532800123, "sua": 1700000000123456, "tu": "2024-03-09 08:05:06.007", "ngay": 19000, "gio": 3723004,
    "the": ["a", None, "b"], "nhan": 9, "tien": "AMg=", "diem": 1.5,
}  # fmt: skip
BARE = {**dict.fromkeys(FULL), "id": -1, "he_so": -0.5, "nhan": 3}
EARLY = {**FULL, "sinh": -86400001, "sua": -1, "ngay": -1, "tu": "1969-12-31 23:59:59.999", "he_so": 1e10}


def _flat(payload: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    value = None if payload is None else {"schema": _struct(f"{TOPIC}.Value", ROW), "payload": payload}
    return {"topic": TOPIC, "key": KEY, "value": value, **more}


RECORDS = (_flat(FULL), _flat(BARE), _flat(EARLY), _flat(None))
HEADED = (_flat(FULL, headers=[["nguon", "tinh"]]), _flat(BARE), _flat(None, headers=[["khac", "x"]]))

_TINY = [_field("id", "int32"), _field("ten", "string", optional=True), _field("loai", "string", optional=True)]
_SOURCE = _struct(
    "io.debezium.connector.postgresql.Source",
    [
        _field("db", "string"),
        _field("ts_ms", "int64"),
        _field("table", "string"),
        _field("lsn", "int64", optional=True),
    ],
    field="source",
)
_BLOCK = {
    **_struct("event.block", [_field("id", "string"), _field("total_order", "int64")]),
    "field": "transaction",
    "optional": True,
}


def _envelope(topic: str, row: list[dict[str, Any]], payload: dict[str, Any]) -> dict[str, Any]:
    fields = [{**_struct(f"{topic}.Value", row), "field": side, "optional": True} for side in ("before", "after")]
    fields += [_SOURCE, _BLOCK, _field("op", "string"), _field("ts_ms", "int64", optional=True)]
    source = {"db": "qlcb", "ts_ms": 1700000000000, "table": topic.rpartition(".")[2], "lsn": 42}
    whole = {"before": None, "after": None, "source": source, "transaction": None, "ts_ms": 5, **payload}
    return {"schema": _struct(f"{topic}.Envelope", fields, version=1), "payload": whole}


def _change(payload: dict[str, Any] | None, topic: str = TOPIC, row: Any = None, **more: Any) -> dict[str, Any]:
    value = None if payload is None else _envelope(topic, _TINY if row is None else row, payload)
    key = {"schema": _struct(f"{topic}.Key", [_field("id", "int32")]), "payload": {"id": 1}}
    return {"topic": topic, "key": key, "value": value, **more}


def _tiny(number: int, name: str | None, kind: str | None = "x") -> dict[str, Any]:
    return {"id": number, "ten": name, "loai": kind}


CHANGES = (
    _change({"op": "c", "after": _tiny(1, "A"), "transaction": {"id": "9", "total_order": 2}}),
    _change({"op": "r", "after": _tiny(1, "A")}),
    _change({"op": "u", "before": _tiny(1, "A"), "after": _tiny(1, None)}),
    _change({"op": "d", "before": _tiny(1, None, "y")}),
    _change({"op": "t"}),
    _change(None),
    _flat(FULL),
    _change({"op": "u", "after": _tiny(1, "B")}, headers=[["fields", "ten"]]),
)
_OUTBOX = [
    _field("id", "string"),
    _field("aggregatetype", "string"),
    _field("aggregateid", "string"),
    _field("type", "string"),
    _field("payload", "string", optional=True),
    _field("nguon", "string", optional=True),
    _field("phien_ban", "int32", optional=True),
]


def _event(op: str, **row: Any) -> dict[str, Any]:
    whole = {
        "id": "e-1", "aggregatetype": "can_bo", "aggregateid": "012", "type": "da_tao", "payload": '{"a": 1}',
        "nguon": "tinh_01", "phien_ban": 2, **row,
    }  # fmt: skip
    side = "before" if op == "d" else "after"
    return _change({"op": op, side: whole}, "tinh_01.public.outbox", _OUTBOX)


EVENTS = (
    _event("c"),
    _event("r", aggregatetype="don_vi", payload="ô", nguon=None),
    _event("c", payload=None),
    _event("u"),
    _event("d"),
    {**_event("c"), "value": None},
    _flat(FULL),
)
_NUMBERED = (_event("c"), _event("c", phien_ban=None), _event("r", phien_ban=0, aggregatetype="don_vi"), EVENTS[-1])


def _chain(*steps: dict[str, str], predicates: dict[str, dict[str, str]]) -> dict[str, str]:
    config = {"transforms": ",".join(f"t{n}" for n in range(len(steps)))}
    for number, step in enumerate(steps):
        config |= {f"transforms.t{number}.{key}": value for key, value in step.items()}
    if predicates:
        config["predicates"] = ",".join(predicates)
        for alias, given in predicates.items():
            config |= {f"predicates.{alias}.{key}": value for key, value in given.items()}
    return config


def _case(
    name: str,
    *steps: dict[str, str],
    records: tuple[dict[str, Any], ...] = RECORDS,
    sink: bool = False,
    predicates: dict[str, dict[str, str]] | None = None,
) -> Case:
    whole = [{**step, "type": step["type"] if "." in step["type"] else f"{CONNECT}.{step['type']}"} for step in steps]
    named = {a: {**p, "type": f"{CONNECT}.predicates.{p['type']}"} for a, p in (predicates or {}).items()}
    # A tombstone has nothing to mask, and nothing to make headers of.
    passing = any(name in step["type"] for step in whole for name in ("MaskField$Value", "HeaderFrom$Value"))
    passes = tuple(n for n, one in enumerate(records) if passing and one["value"] is None)
    return Case(name, _chain(*whole, predicates=named), records, sink, passes)


DEBEZIUM = "io.debezium.transforms"
_TIMED = tuple({**record, "timestamp": 1600000000999, "partition": 4, "offset": 77} for record in RECORDS)
_UNWRAP = {"type": f"{DEBEZIUM}.ExtractNewRecordState"}
_ROUTER = {
    "type": f"{DEBEZIUM}.ByLogicalTableRouter",
    "topic.regex": r"tinh_(\d+)\.public\.(.*)",
    "topic.replacement": "tat_ca.$2",
}
_OUT = {"type": f"{DEBEZIUM}.outbox.EventRouter"}


def _convert(field: str, target: str, **more: str) -> dict[str, str]:
    return {"type": "TimestampConverter$Value", "field": field, "target.type": target, **more}


_FORMAT = "yyyy-MM-dd HH:mm:ss.SSS"
CASES: tuple[Case, ...] = (
    _case("replace_exclude", {"type": "ReplaceField$Value", "exclude": "anh,the", "renames": "ten:ho_ten,id:ma"}),
    _case("replace_include", {"type": "ReplaceField$Value", "include": "ten,luong,khong_co", "exclude": "ten"}),
    _case("replace_keep_null", {"type": "ReplaceField$Value", "exclude": "ten", "replace.null.with.default": "false"}),
    _case("replace_key", {"type": "ReplaceField$Key", "renames": "id:ma"}),
    _case("mask", {"type": "MaskField$Value", "fields": "id,ten,he_so,bac,la_dang_vien,luong,sinh,the,diem,ngay"}),
    _case("mask_text", {"type": "MaskField$Value", "fields": "ten,tu", "replacement": "***"}),
    _case("mask_number", {"type": "MaskField$Value", "fields": "luong,he_so,bac", "replacement": "12"}),
    _case("mask_bytes", {"type": "MaskField$Value", "fields": "anh"}),
    _case("mask_boolean_given", {"type": "MaskField$Value", "fields": "la_dang_vien", "replacement": "x"}),
    _case("mask_key", {"type": "MaskField$Key", "fields": "id"}),
    _case(
        "insert_static",
        {"type": "InsertField$Value", "static.field": "nguon", "static.value": "tỉnh", "topic.field": "t!"},
    ),
    _case("insert_key", {"type": "InsertField$Key", "static.field": "nguon!", "static.value": "x"}),
    _case("insert_offset_source", {"type": "InsertField$Value", "offset.field": "o"}),
    _case("insert_partition_source", {"type": "InsertField$Value", "partition.field": "p", "timestamp.field": "t"}),
    _case(
        "insert_sink",
        {"type": "InsertField$Value", "offset.field": "o!", "partition.field": "p?", "timestamp.field": "t"},
        records=_TIMED,
        sink=True,
    ),
    _case("insert_twice", {"type": "InsertField$Value", "static.field": "ten", "static.value": "x"}),
    _case("extract_key", {"type": "ExtractField$Key", "field": "id"}),
    _case("extract_value", {"type": "ExtractField$Value", "field": "ten"}),
    _case("extract_default", {"type": "ExtractField$Value", "field": "luong"}),
    _case("extract_missing", {"type": "ExtractField$Value", "field": "khong_co"}),
    _case("extract_record", {"type": "ExtractField$Value", "field": "after"}, records=CHANGES[:6]),
    _case(
        "extract_path",
        {"type": "ExtractField$Value", "field": "after.ten", "field.syntax.version": "V2"},
        records=CHANGES[:6],
    ),
    _case("value_to_key", {"type": "ValueToKey", "fields": "ten,luong"}),
    _case("value_to_key_missing", {"type": "ValueToKey", "fields": "khong_co"}),
    _case(
        "value_to_key_then_extract",
        {"type": "ValueToKey", "fields": "ten"},
        {"type": "ExtractField$Key", "field": "ten"},
    ),
    _case("route", {"type": "RegexRouter", "regex": r"(\w+)\.public\.(?<bang>.*)", "replacement": "$1-${bang}"}),
    _case("route_other", {"type": "RegexRouter", "regex": r"public", "replacement": "x"}),
    _case("flatten", {"type": "Flatten$Value", "delimiter": "_"}, records=CHANGES[:6]),
    _case("flatten_plain", {"type": "Flatten$Value", "delimiter": "_"}),
    _case("flatten_key", {"type": "Flatten$Key", "delimiter": "_"}),
    _case("to_string", _convert("sinh", "string", format=_FORMAT)),
    _case("from_string", _convert("tu", "Timestamp", format=_FORMAT)),
    _case("string_to_date", _convert("tu", "Date", format=_FORMAT)),
    _case("string_to_time", _convert("tu", "Time", format=_FORMAT)),
    _case("string_not_parsed", _convert("ten", "Timestamp", format="yyyy")),
    _case("micros_to_timestamp", _convert("sua", "Timestamp", **{"unix.precision": "microseconds"})),
    _case("timestamp_to_micros", _convert("sinh", "unix", **{"unix.precision": "microseconds"})),
    _case("timestamp_to_seconds", _convert("sinh", "unix", **{"unix.precision": "seconds"})),
    _case("timestamp_to_date", _convert("sinh", "Date")),
    _case("timestamp_to_time", _convert("sinh", "Time")),
    _case("date_to_string", _convert("ngay", "string", format="EEE, d MMM yyyy hh:mm a Z")),
    _case("time_to_timestamp", _convert("gio", "Timestamp")),
    _case("convert_number", _convert("id", "Timestamp")),
    _case("convert_missing", _convert("khong_co", "Timestamp")),
    _case("convert_whole", {"type": "ExtractField$Value", "field": "sinh"}, _convert("", "string", format=_FORMAT)),
    _case(
        "cast",
        {"type": "Cast$Value", "spec": "id:string,he_so:int8,bac:int64,la_dang_vien:int8,sinh:int64,nhan:float64"},
    ),
    _case("cast_text", {"type": "Cast$Value", "spec": "he_so:string,luong:string,sinh:string,tien:string,diem:string"}),
    _case("cast_moments", {"type": "Cast$Value", "spec": "ngay:string,gio:string,anh:string,la_dang_vien:string"}),
    _case("cast_narrow", {"type": "Cast$Value", "spec": "luong:int16,sua:int32,he_so:float32,tien:int32,id:boolean"}),
    _case("cast_words", {"type": "Cast$Value", "spec": "ten:boolean"}),
    _case("cast_no_number", {"type": "Cast$Value", "spec": "ten:int32"}),
    _case("cast_list", {"type": "Cast$Value", "spec": "the:string"}),
    _case("cast_whole", {"type": "ExtractField$Key", "field": "id"}, {"type": "Cast$Key", "spec": "string"}),
    _case("schema_name", {"type": "SetSchemaMetadata$Value", "schema.name": "vn.gov.can-bo.Hồ_sơ"}),
    _case("schema_version", {"type": "SetSchemaMetadata$Value", "schema.version": "7"}),
    _case(
        "schema_both",
        {
            "type": "SetSchemaMetadata$Key",
            "schema.name": "vn.gov.Khoa",
            "schema.version": "2",
            "replace.null.with.default": "false",
        },
    ),
    _case(
        "schema_keep_null",
        {"type": "SetSchemaMetadata$Value", "schema.name": "vn.X", "replace.null.with.default": "false"},
    ),
    _case(
        "schema_of_text",
        {"type": "ExtractField$Value", "field": "ten"},
        {"type": "SetSchemaMetadata$Value", "schema.name": "vn.Ten", "schema.version": "3"},
        records=RECORDS[:1],
    ),
    _case("hoist", {"type": "HoistField$Key", "field": "khoa"}),
    _case(
        "headers",
        {"type": "InsertHeader", "header": "a", "value.literal": "b"},
        {"type": "DropHeaders", "headers": "nguon"},
        records=HEADED,
    ),
    _case(
        "header_from_copy",
        {"type": "HeaderFrom$Value", "fields": "ten,id,he_so,la_dang_vien", "headers": "a,b,c,d", "operation": "copy"},
        records=HEADED,
    ),
    _case(
        "header_from_move",
        {
            "type": "HeaderFrom$Value",
            "fields": "ten,luong,sinh,ngay,gio,diem,anh,tien",
            "headers": "t,l,s,n,g,d,a,m",
            "operation": "move",
        },
    ),
    _case(
        "header_from_keep_null",
        {
            "type": "HeaderFrom$Value",
            "fields": "luong",
            "headers": "l",
            "operation": "move",
            "replace.null.with.default": "false",
        },
    ),
    _case("header_from_key", {"type": "HeaderFrom$Key", "fields": "id", "headers": "ma", "operation": "copy"}),
    _case("header_from_missing", {"type": "HeaderFrom$Value", "fields": "x", "headers": "x", "operation": "copy"}),
    _case("route_by_time", {"type": "TimestampRouter"}, records=_TIMED, sink=True),
    _case(
        "route_by_hour",
        {"type": "TimestampRouter", "topic.format": "k_${timestamp}_${topic}", "timestamp.format": "yyyy.MM.dd'T'HH"},
        records=(*_TIMED[:1], {**_TIMED[1], "timestamp": 1600003600000}),
        sink=True,
    ),
    _case("route_by_time_unknown", {"type": "TimestampRouter"}, records=RECORDS[:1]),
    _case("filter_all", {"type": "Filter"}),
    _case(
        "filter_tombstones",
        {"type": "Filter", "predicate": "xoa"},
        predicates={"xoa": {"type": "RecordIsTombstone"}},
    ),
    _case(
        "filter_headed",
        {"type": "Filter", "predicate": "co", "negate": "true"},
        predicates={"co": {"type": "HasHeaderKey", "name": "nguon"}},
        records=HEADED,
    ),
    _case(
        "filter_topic",
        {"type": "Filter", "predicate": "ten"},
        predicates={"ten": {"type": "TopicNameMatches", "pattern": r"tinh_\d+\..*"}},
        records=(*RECORDS, {**RECORDS[0], "topic": "khac"}),
    ),
    _case("unwrap", _UNWRAP, records=CHANGES),
    *(
        _case(f"unwrap_{mode}", {**_UNWRAP, "delete.tombstone.handling.mode": mode}, records=CHANGES)
        for mode in ("drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone")
    ),
    _case(
        "unwrap_added",
        {
            **_UNWRAP,
            "add.fields": "op,table,source.lsn:vi_tri,transaction.id",
            "delete.tombstone.handling.mode": "rewrite",
            "add.headers": "db,op",
        },
        records=CHANGES,
    ),
    _case("unwrap_prefix", {**_UNWRAP, "add.fields": "op,source.ts_ms", "add.fields.prefix": "m_"}, records=CHANGES),
    _case("unwrap_added_missing", {**_UNWRAP, "add.fields": "khong_co"}, records=CHANGES),
    _case("unwrap_routed", {**_UNWRAP, "route.by.field": "loai"}, records=CHANGES),
    _case("unwrap_then_key", _UNWRAP, {"type": "ExtractField$Key", "field": "id"}, records=CHANGES[:6]),
    _case("logical", _ROUTER, records=CHANGES),
    _case("logical_plain_key", {**_ROUTER, "key.enforce.uniqueness": "false"}, records=CHANGES[:6]),
    _case(
        "logical_named_key",
        {**_ROUTER, "key.field.name": "tinh", "key.field.regex": r"tinh_(\d+)\..*", "key.field.replacement": "$1"},
        records=CHANGES[:6],
    ),
    _case("logical_other", {**_ROUTER, "topic.regex": "khong"}, records=CHANGES[:6]),
    _case("outbox", _OUT, records=EVENTS),
    _case(
        "outbox_placed",
        {**_OUT, "table.fields.additional.placement": "type:header:loai,nguon:envelope,phien_ban:envelope:v"},
        # Not the second: Debezium names the schema of all events after the first one's type.
        records=(EVENTS[0], *EVENTS[2:]),
    ),
    _case(
        "outbox_headers", {**_OUT, "table.fields.additional.placement": "nguon:header,phien_ban:header"}, records=EVENTS
    ),
    _case("outbox_partition", {**_OUT, "table.fields.additional.placement": "phien_ban:partition"}, records=_NUMBERED),
    _case("outbox_partition_text", {**_OUT, "table.fields.additional.placement": "nguon:partition"}, records=EVENTS),
    _case(
        "outbox_partition_sink",
        {**_OUT, "table.fields.additional.placement": "phien_ban:partition,nguon:envelope"},
        {"type": "InsertField$Value", "partition.field": "p"},
        records=tuple({**record, "timestamp": 1, "partition": 4, "offset": 7} for record in _NUMBERED[:1]),
        sink=True,
    ),
    _case("outbox_tombstone", {**_OUT, "route.tombstone.on.empty.payload": "true"}, records=EVENTS),
    _case(
        "outbox_routed",
        {**_OUT, "route.by.field": "type", "route.topic.regex": "da_(.*)", "route.topic.replacement": "su_kien.$1"},
        records=EVENTS,
    ),
    _case("outbox_missing", {**_OUT, "table.field.event.key": "khong_co"}, records=EVENTS),
)
