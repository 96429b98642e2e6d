"""The decision on a record beside the register's row (DOMAIN §7.7)."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rule.index import name_key
from sync.rule.matching import match, spelling_key

PERSON = ("Nguyễn Thúy Hoà", "1985-05-17", "2")
SCHEMA = ["full_name", "birth_date", "gender"]


def decide(
    record: tuple[str | None, ...], register: tuple[str | None, ...] = PERSON, padded: bool = False
) -> tuple[str, str]:
    """Code and outcome of one record beside one row."""
    frame = pl.DataFrame([record], schema=dict.fromkeys(SCHEMA, pl.String), orient="row")
    beside = pl.DataFrame([register], schema=dict.fromkeys((f"r_{name}" for name in SCHEMA), pl.String), orient="row")
    row = match(frame.with_columns(padded=pl.lit(padded)), beside).row(0, named=True)
    return row["code"], row["outcome"]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (PERSON, "MATCH"),
        (("NGUYỄN THUÝ HÒA", "1985-05-17", "2"), "MATCH"),
        (("Nguyễn Thúy Hoà", "1985-05-17", "0"), "MATCH"),
        (("Nguyễn Thúy Hoà", "1985-05-17", None), "MATCH"),
        (("Nguyễn Thúy Hoà", "1985-05", "2"), "MATCH_WITH_FIX"),
        (("Nguyễn Thúy Hoà", "1985", "2"), "MATCH_WITH_FIX"),
        (("Nguyen Thuy Hoa", "1985-05-17", "2"), "NAME_DIFFERS"),
        (("Nguyễn Thúy Hoa", "1985-05-17", "2"), "NAME_DIFFERS"),
        ((None, "1985-05-17", "2"), "NAME_DIFFERS"),
        (("Nguyễn Thúy Hoà", "1985-05-18", "2"), "BIRTH_DATE_DIFFERS"),
        (("Nguyễn Thúy Hoà", "1985-01-01", "2"), "BIRTH_DATE_DIFFERS"),
        (("Nguyễn Thúy Hoà", None, "2"), "BIRTH_DATE_DIFFERS"),
        (("Nguyễn Thúy Hoà", "1985-05-17", "1"), "SEX_DIFFERS"),
    ],
)
def test_the_evidence_decides(record: tuple[str | None, ...], code: str) -> None:
    assert decide(record) == (code, code if code.startswith("MATCH") else "REVIEW")


def test_a_record_without_a_row_is_not_in_the_register() -> None:
    assert decide(PERSON, (None, None, None)) == ("NOT_IN_REGISTER", "REVIEW")


def test_the_registers_precision_is_enough() -> None:
    assert decide(PERSON, ("Nguyễn Thúy Hoà", "1985", "2")) == ("MATCH", "MATCH")


def test_a_padded_number_makes_a_match_one_with_a_fix_and_nothing_else_a_match() -> None:
    assert decide(PERSON, padded=True) == ("MATCH_WITH_FIX", "MATCH_WITH_FIX")
    assert decide(("An Bình", "1985-05-17", "2"), padded=True) == ("NAME_DIFFERS", "REVIEW")


@pytest.mark.parametrize(
    ("a", "b"), [("Lý Mỹ", "Lí Mĩ"), ("Trần Quý", "Trần Quí"), ("Ngô Vy", "Ngô Vi"), ("Y Bih", "I Bih")]
)
def test_i_and_y_are_one_spelling_that_the_owner_confirms(a: str, b: str) -> None:
    assert name_key(a) != name_key(b)
    assert spelling_key(a) == spelling_key(b)
    assert decide((a, "1985-05-17", "2"), (b, "1985-05-17", "2"))[0] == "MATCH_WITH_FIX"


@pytest.mark.parametrize(("a", "b"), [("Tay", "Tai"), ("Thúy", "Thúi"), ("Mây", "Mâi"), ("Quy", "Quỳ")])
def test_other_i_and_y_are_different_names(a: str, b: str) -> None:
    assert spelling_key(a) != spelling_key(b)


def test_found_tells_that_there_is_a_row() -> None:
    frame = pl.DataFrame({"full_name": ["An Bình"], "birth_date": ["1985"], "gender": ["1"]})
    register = frame.select(pl.all().name.prefix("r_"), found=pl.lit(False))
    assert match(frame, register)["code"].to_list() == ["NOT_IN_REGISTER"]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=8))] * 6), max_size=20))
def test_each_row_is_decided_alone_and_has_an_outcome(rows: list[tuple[str | None, ...]]) -> None:
    schema = dict.fromkeys((*SCHEMA, *(f"r_{name}" for name in SCHEMA)), pl.String)
    both = pl.DataFrame(rows, schema=schema, orient="row")
    decided = match(both.select(SCHEMA), both.select(pl.selectors.starts_with("r_")))
    assert decided["outcome"].is_in(["MATCH", "MATCH_WITH_FIX", "REVIEW"]).all()
    for number in range(both.height):
        alone = both.slice(number, 1)
        assert match(alone.select(SCHEMA), alone.select(pl.selectors.starts_with("r_"))).row(0) == decided.row(number)


@pytest.mark.parametrize(
    ("own", "register", "doubted", "code"),
    [
        ("1985-01-01", "1985-05-17", True, "MATCH_WITH_FIX"),
        ("1985-01-01", "1985-01-01", True, "MATCH"),
        ("1985-01-01", "1985", True, "MATCH"),
        ("1985-01-01", "1984-05-17", True, "BIRTH_DATE_DIFFERS"),
        ("1985-05-18", "1985-05-17", True, "BIRTH_DATE_DIFFERS"),
        ("1985-01-01", "1985-05-17", False, "BIRTH_DATE_DIFFERS"),
    ],
)
def test_a_first_of_january_that_stands_for_the_year_is_compared_by_the_year(
    own: str, register: str, doubted: bool, code: str
) -> None:
    name = "Nguyễn Thúy Hoà"
    frame = pl.DataFrame([(name, own, "2", doubted)], schema=[*SCHEMA, "doubted"], orient="row")
    beside = pl.DataFrame([(name, register, "2")], schema=[f"r_{column}" for column in SCHEMA], orient="row")
    assert match(frame, beside)["code"].to_list() == [code]
