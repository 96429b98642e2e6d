"""Mappings read backwards."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sync.demo.database import Layouts
from sync.demo.layout import copy_line
from sync.demo.registration import adapted, connectors_root, read, registrations
from sync.demo.site import locality, sites
from sync.demo.world import World


@pytest.mark.parametrize(
    ("mapping", "field", "value", "text"),
    [
        ("vn_short", "birth_date", "1980-02-01", "01/02/1980"),
        ("vn_short", "birth_date", "1980-02", "02/1980"),
        ("vn_short", "first_recruitment_date", date(2001, 2, 3), "03/02/2001"),
        ("vn_short", "gender", "2", "Nữ"),
        ("vn_short", "ethnic_code", "01", "Kinh"),
        ("staff_message", "first_recruitment_date", date(2001, 2, 3), "2001-02-03"),
        ("staff_message", "is_party_member", True, "1"),
        ("vn_title", "gender", "2", "0"),
        ("vn_title", "is_party_member", False, ""),
        ("vn_title", "salary_coefficient", Decimal("2.34"), "2,34"),
        ("ministry", "salary_coefficient", Decimal("2.34"), "2.34"),
        ("ministry", "is_party_member", False, "false"),
        ("ministry", "phone", None, None),
    ],
)
def test_a_value_is_written_as_its_source_writes_it(
    layouts: Layouts, mapping: str, field: str, value: object, text: str | None
) -> None:
    assert layouts.by_name["civil_servant", mapping].column(field).text(value) == text


def test_a_constant_of_a_mapping_is_a_field_without_a_column(layouts: Layouts) -> None:
    layout = layouts.by_name["civil_servant", "vn_title"]
    assert "nationality_code" in layout.fields
    assert all(column.field.name != "nationality_code" for column in layout.columns)


def test_copy_escapes_what_has_a_meaning_and_tells_null_from_empty() -> None:
    assert copy_line([None, "", "a\tb\\c\nd"]) == "\\N\t\ta\\tb\\\\c\\nd\n"


def test_each_locality_gets_its_own_connectors(there: World) -> None:
    configs = registrations(sites(there))
    assert set(configs) == {"dancu", "bonoivu", "trungtam-sink"} | {
        name for code in there.connected for name in (f"tinh_{code}", f"tinh_{code}-sink")
    }
    assert configs["tinh_79"]["dongbo.source.locality"] == "79"
    assert "civil_servant/staff_message" in configs["tinh_79"]["dongbo.mappings"]
    assert configs["tinh_79-sink"]["topics"].split(",")[0] == "civil_servant.golden.79"
    assert "01" not in configs["tinh_79"]["slot.name"]


def test_the_template_adapted_to_itself_stays_as_it_is(there: World) -> None:
    for name in ("tinh_01", "tinh_01-sink"):
        config = read(connectors_root(), name)
        assert adapted(config, locality(there, "01")) == config


def test_no_secret_stands_in_a_connectors_file() -> None:
    for path in connectors_root().glob("*.json"):
        config = read(path.parent, path.stem)
        for key, value in config.items():
            if "password" in key:
                assert value.startswith("${env:")
