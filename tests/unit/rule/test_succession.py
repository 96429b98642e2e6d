"""Which unit follows which: by the reference tables, and by a mapping of another merger."""

from __future__ import annotations

from collections import Counter
from datetime import date

import polars as pl
import pytest

from sync.errors import ConfigError
from sync.rule.model import Reference
from sync.rule.succession import Successor, of_mapping, of_reference, of_units

HEADER = "old,new,effective_date,subunits\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("G07", Successor("G09", (), "2025-03-01")),
        ("G09", None),
        # Its new ministry's code is not known.
        ("G13", Successor(None, (), "2025-03-01")),
        # A subordinate unit gets its code from its new body.
        ("G07.12", Successor(None, (), "2025-03-01")),
        # The codes of the new provinces' agencies are not known: the old ones are in use.
        ("H26.12", None),
        ("27", Successor("24", (), "2025-07-01")),
        ("01", None),
        ("00001", Successor("00097", (), "2025-07-01")),
        # In both lists: it means the present unit.
        ("00004", None),
    ],
)
def test_a_unit_is_followed_by_the_one_of_the_tables(
    reference: Reference, code: str, expected: Successor | None
) -> None:
    assert of_reference(reference).of(code) == expected


def test_every_old_commune_that_is_no_present_one_has_its_successor_or_its_candidates(reference: Reference) -> None:
    succession = of_reference(reference)
    table = reference.table("commune_resolution", "old_commune_code", "status", "resolved_new_code", "candidates")
    seen: Counter[str] = Counter()
    for code, status, new, candidates in table.select(
        "old_commune_code", "status", "resolved_new_code", "candidates"
    ).iter_rows():
        found = succession.of(code)
        if found is None:
            continue
        seen[status] += 1
        if status.startswith("UNIQUE"):
            assert found == (new, (), "2025-07-01")
        else:
            assert found.new is None
            assert list(found.candidates) == [one.split(":")[0] for one in (candidates or "").split(";") if one]
            assert (len(found.candidates) > 1) == (status == "AMBIGUOUS")
    assert set(seen) == {"UNIQUE", "UNIQUE_BY_POPULATION", "AMBIGUOUS", "NO_MAPPING"}


def test_a_mapping_may_keep_the_codes_of_subordinate_units() -> None:
    found = of_mapping(HEADER + "G50,G51,2026-01-01,keep\nG52,G53,2026-01-01,\n", "m.csv")
    assert found.of("G50.3.1") == Successor("G51.3.1", (), "2026-01-01")
    assert found.of("G52.3") == Successor(None, (), "2026-01-01")


def test_later_mergers_are_followed_to_their_end_and_those_of_one_day_are_not() -> None:
    found = of_mapping(HEADER + "01,04,2026-01-01,\n04,08,2026-02-01,\n11,12,2026-01-01,\n12,11,2026-01-01,\n", "m.csv")
    assert [found.of(code) for code in ("01", "11", "12")] == [
        Successor("08", (), "2026-02-01"),
        Successor("12", (), "2026-01-01"),
        Successor("11", (), "2026-01-01"),
    ]


UNITS = pl.DataFrame(
    [
        ("G52.3", date(2025, 12, 31), "G53.8"),
        ("G52.4", date(2025, 12, 31), "G53.1; G53.2"),
        ("G60.1", date(2025, 12, 31), "G60.2"),
        ("G52", date(2025, 12, 31), "G99"),
        ("G52.5", None, "G53.9"),
        ("G52.6", date(2025, 12, 31), None),
        ("G52.7", date(2025, 12, 31), "G52.7;?"),
    ],
    schema={"agency_code": pl.String, "valid_to": pl.Date, "successor_codes": pl.String},
    orient="row",
).with_columns(name=pl.lit(None, dtype=pl.String))


def test_units_tell_what_follows_them_where_nothing_else_does() -> None:
    given = of_mapping(HEADER + "G52,G53,2026-01-01,keep\n", "m.csv").beside(of_units(UNITS), within=True)
    assert given.of("G52.3") == Successor("G53.8", (), "2026-01-01")
    assert given.of("G52.3.1") == Successor(None, (), "2026-01-01")
    assert given.of("G52.4") == Successor(None, ("G53.1", "G53.2"), "2026-01-01")
    # The resolution's own line counts before the unit's word; units without one keep their part of the code.
    assert given.of("G52") == Successor("G53", (), "2026-01-01")
    assert [given.of(f"G52.{number}") for number in (5, 6, 7)] == [
        Successor(f"G53.{number}", (), "2026-01-01") for number in (5, 6, 7)
    ]
    # Of another body, which the resolution does not name.
    assert given.of("G60.1") is None


def test_units_below_one_that_names_its_successor_are_followed_by_their_name_there() -> None:
    last = date(2025, 12, 31)
    found = of_units(
        pl.DataFrame(
            [
                ("G52.3", "Cục Phát triển", last, "G53.8"),
                ("G52.3.1", "Phòng Tổ chức - Hành chính", None, None),
                ("G53.8.4", "PHÒNG TỔ CHỨC HÀNH CHÍNH", None, None),
                ("G52.3.1.2", "Tổ Văn thư", last, None),
                ("G53.8.4.9", "Tổ Văn thư", None, None),
                # Two of the name, none that is left, none at all, and one that is not below the successor.
                ("G52.3.5", "Phòng Nghiệp vụ", None, None),
                ("G53.8.5", "Phòng Nghiệp vụ", None, None),
                ("G53.8.6", "Phòng Nghiệp vụ", None, None),
                ("G52.3.7", "Phòng Kế hoạch", None, None),
                ("G53.8.7", "Phòng Kế hoạch", last, None),
                ("G52.3.8", "Phòng Pháp chế", None, None),
                ("G53.9.8", "Phòng Pháp chế", None, None),
                # Several successors of the body: nobody knows below which.
                ("G52.4", "Vụ Lao động", last, "G53.1;G53.2"),
                ("G52.4.1", "Phòng Một", None, None),
                ("G53.1.1", "Phòng Một", None, None),
            ],
            schema={"agency_code": pl.String, "name": pl.String, "valid_to": pl.Date, "successor_codes": pl.String},
            orient="row",
        )
    )
    assert {code: (after.new, after.candidates) for code, after in found.items()} == {
        "G52.3": ("G53.8", ()),
        "G52.3.1": ("G53.8.4", ()),
        "G52.3.1.2": ("G53.8.4.9", ()),
        "G52.3.5": (None, ("G53.8.5", "G53.8.6")),
        "G52.4": (None, ("G53.1", "G53.2")),
    }
    assert found["G52.3.1.2"].effective == "2026-01-01"


def test_units_that_end_within_a_body_that_goes_on_are_followed_without_a_resolution(reference: Reference) -> None:
    found = of_reference(reference).beside(of_units(UNITS), within=False)
    assert found.of("G60.1") == Successor("G60.2", (), "2026-01-01")
    assert found.of("G07.12") == Successor(None, (), "2025-03-01")


def test_several_lines_for_one_unit_are_candidates() -> None:
    found = of_mapping("old,new,effective_date\n00004,00008,2026-01-01\n00004,00025,2026-01-01\n", "m.csv")
    assert found.of("00004") == Successor(None, ("00008", "00025"), "2026-01-01")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("old,new\n", "m.csv: the first line names no"),
        (HEADER, "there is no merger"),
        (HEADER + "7,G09,2025-03-01,\n", "m.csv, line 2: old is no code"),
        (HEADER + "G07,09,2025-03-01,\n", "line 2: new is no other agency"),
        (HEADER + "G07,G07,2025-03-01,\n", "line 2: new is no other agency"),
        (HEADER + "G07,G09,2025-03-01,\nG05,G12,1.3.2025,\n", "line 3: effective_date is no date"),
        (HEADER + "G07,G09,2025-03-01,all\n", "line 2: subunits is neither"),
    ],
)
def test_a_mistake_in_a_mapping_names_its_line_and_the_remedy(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        of_mapping(text, "m.csv")
    assert said in str(raised.value)
    assert "Remedy:" in str(raised.value)
