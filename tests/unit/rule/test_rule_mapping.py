"""From source columns to canonical names."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest

from sync.rule.mapping import map_columns
from sync.rule.model import FieldMapping, SourceMapping

MAPPING = SourceMapping(
    "test",
    (
        FieldMapping("citizen_id", "so_cccd"),
        FieldMapping("gender", "gioi_tinh", {"Nam": "1", "Nữ": "2", "true": "1"}),
        FieldMapping("birth_date", "ngay_sinh"),
        FieldMapping("nationality_code", constant="VN"),
        FieldMapping("religion_code", "ton_giao"),
    ),
)


def test_columns_are_renamed_recoded_and_kept_in_the_order_of_the_mapping() -> None:
    frame = pl.DataFrame(
        {"gioi_tinh": [" Nam", "Nữ", "x", None], "so_cccd": ["1", "2", None, "4"], "khac": [1, 2, 3, 4]}
    )
    mapped = map_columns(frame, MAPPING)
    assert mapped.columns == ["citizen_id", "gender", "nationality_code"]
    assert mapped["gender"].to_list() == ["1", "2", "x", None]
    assert mapped["nationality_code"].to_list() == ["VN"] * 4


def test_types_stay_the_sources_own() -> None:
    frame = pl.DataFrame({"so_cccd": [Decimal("1.50")], "ngay_sinh": [date(2000, 1, 1)], "ton_giao": [3]})
    mapped = map_columns(frame, MAPPING)
    assert [str(kind) for kind in mapped.dtypes[:1]] == ["Decimal(precision=38, scale=2)"]
    assert mapped.schema["birth_date"] == pl.Date
    assert mapped.schema["religion_code"] == pl.Int64


def test_a_recoded_column_may_be_of_any_type() -> None:
    assert map_columns(pl.DataFrame({"gioi_tinh": [True, False]}), MAPPING)["gender"].to_list() == ["1", "false"]


def test_debezium_integers_become_dates_and_times() -> None:
    frame = pl.DataFrame({"ngay_sinh": [7336, None], "ton_giao": [1_000_000, 0]})
    mapped = map_columns(
        frame, MAPPING, {"ngay_sinh": "io.debezium.time.Date", "ton_giao": "io.debezium.time.MicroTimestamp"}
    )
    assert mapped["birth_date"].to_list() == [date(1990, 2, 1), None]
    assert mapped["religion_code"][0] == datetime(1970, 1, 1, 0, 0, 1)


def test_constants_alone_and_no_rows_keep_the_height() -> None:
    constants = SourceMapping("test", (FieldMapping("nationality_code", constant="VN"),))
    assert map_columns(pl.DataFrame({"a": [1, 2]}), constants).height == 2
    assert map_columns(pl.DataFrame({"a": []}), constants).height == 0
    assert map_columns(pl.DataFrame({"a": [1, 2]}), SourceMapping("test", ())).height == 2


@pytest.mark.parametrize(
    ("scale", "unscaled", "text"),
    [(2, 250, "2.50"), (0, -7, "-7"), (3, -1, "-0.001"), (-2, 5, "500"), (1, 10**40 + 5, "1" + "0" * 39 + ".5")],
)
def test_a_decimal_of_any_scale_becomes_text(scale: int, unscaled: int, text: str) -> None:
    value = unscaled.to_bytes(20, "big", signed=True)
    frame = pl.DataFrame({"so_cccd": [{"scale": scale, "value": value}, None]})
    mapped = map_columns(frame, MAPPING, {"so_cccd": "io.debezium.data.VariableScaleDecimal"})
    assert mapped["citizen_id"].to_list() == [text, None]
