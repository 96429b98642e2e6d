"""Differences from the register by field: equal values and missing ones say nothing, the others what they are."""

from __future__ import annotations

import polars as pl
import pytest

from sync.rule.mismatch import mismatches, owned
from sync.schema.dataset import load

POLICY = load("civil_servant").policy
HOA = {
    "full_name": "Nguyễn Thị Hòa",
    "birth_date": "1980-03-12",
    "birth_date_precision": "0",
    "gender": "2",
    "ethnic_code": "01",
    "phone": "0912345678",
}


def found(own: dict[str, str | None], register: dict[str, str | None]) -> list[tuple[str, str]]:
    schema = dict.fromkeys(HOA, pl.String)
    (row,) = mismatches(
        pl.DataFrame([{**HOA, **own}], schema=schema), pl.DataFrame([{**HOA, **register}], schema=schema), POLICY
    )
    return row


@pytest.mark.parametrize(
    ("own", "register", "expected"),
    [
        ({}, {}, []),
        ({"full_name": "NGUYỄN THỊ HOÀ"}, {}, []),
        ({"full_name": "Nguyễn Thị Hoa"}, {}, [("full_name", "NAME_DIFFERS")]),
        ({"full_name": "Nguyễn Thị Lý"}, {"full_name": "Nguyễn Thị Lí"}, [("full_name", "NAME_SPELLING")]),
        ({"birth_date": "1980-03-12"}, {"birth_date": "1980", "birth_date_precision": "1"}, []),
        ({"birth_date": "1980", "birth_date_precision": "1"}, {}, [("birth_date", "BIRTH_DATE_LESS_PRECISE")]),
        ({"birth_date": "1981-03-12"}, {}, [("birth_date", "BIRTH_DATE_DIFFERS")]),
        ({"gender": "1"}, {}, [("gender", "SEX_DIFFERS")]),
        ({"gender": "0"}, {}, []),
        ({"ethnic_code": "02"}, {}, [("ethnic_code", "VALUE_DIFFERS")]),
        ({"ethnic_code": None}, {}, []),
        ({}, {"ethnic_code": None}, []),
        ({"phone": "0987654321"}, {}, []),
    ],
)
def test_each_field_that_the_register_owns_is_compared_by_what_it_means(
    own: dict[str, str | None], register: dict[str, str | None], expected: list[tuple[str, str]]
) -> None:
    assert found(own, register) == expected


def test_several_differences_stand_in_the_policys_order() -> None:
    unlike = found({"gender": "1", "full_name": "Trần Văn Bưởi", "ethnic_code": "02"}, {})
    assert [name for name, _ in unlike] == ["full_name", "gender", "ethnic_code"]


def test_what_the_register_owns_is_what_stands_in_the_groups_in_which_it_is_first() -> None:
    assert {"full_name", "birth_date", "permanent_address"} <= set(owned(POLICY))
    assert "phone" not in owned(POLICY)
