"""Text, old encodings and names (VR09, VR10)."""

from __future__ import annotations

import unicodedata

import pytest

from sync.rule.encoding import decoder, quality
from sync.rule.model import Reference
from tests.unit.rule.conftest import CleanOne

VALID = ["Nguyễn Văn Hoàng", "Lê Thuý Quỳnh", "Hoà Bình", "Khuê", "Trần Quốc Toản", "Ông Ích Khiêm", "Gia Lai", "K'Đăm"]


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        ("NguyÔn V¨n TuÊn", "Nguyễn Văn Tuấn"),
        ("Vò ThÞ H\u00ad¬ng", "Vũ Thị Hương"),
        ("NGUYÔN V¡N AN", "Nguyễn Văn An"),
        ("Nguyeãn Vaên Huøng", "Nguyễn Văn Hùng"),
        ("Leâ Thò Bích", "Lê Thị Bích"),
        ("Nguyá»…n VÄƒn An", "Nguyễn Văn An"),
        (unicodedata.normalize("NFD", "Nguyễn Thị Hường"), "Nguyễn Thị Hường"),
        ("\ufeff Nguyễn\u00a0\u200b Văn \n An ", "Nguyễn Văn An"),
        ("Ðặng Văn Ðức", "Đặng Văn Đức"),
        ("TRẦN THỊ BÍCH NGỌC", "Trần Thị Bích Ngọc"),
        ("trần thị bích ngọc", "Trần Thị Bích Ngọc"),
        ("H'HEN NIÊ", "H'Hen Niê"),
        ("Ông Nguyễn Văn An", "Nguyễn Văn An"),
        ("PGS.TS. Nguyễn Văn An", "Nguyễn Văn An"),
        ("BÀ TRẦN THỊ LAN", "Trần Thị Lan"),
    ],
)
def test_a_damaged_name_is_repaired_and_the_repair_recorded(one: CleanOne, damaged: str, expected: str) -> None:
    found = one(full_name=damaged)
    assert found.values["full_name"] == expected
    assert ("full_name", "VR10") in found.fixes
    assert found.rules == set()


@pytest.mark.parametrize("name", ["Ông Ích Khiêm", "Nguyễn Thị Hoà", "Lê Thúy Quỳnh", "Y Phôn Ksor", "Bà Thị Lan"])
def test_a_good_name_is_left_as_it_is(one: CleanOne, name: str) -> None:
    found = one(full_name=name)
    assert found.values["full_name"] == name
    assert found.fixes == set()


@pytest.mark.parametrize("text", [*VALID, "12½ Lý Thường Kiệt", "«Hà Nội»", "Đường số 5®", "20 £", "25°C", "µ"])
def test_decoding_leaves_what_does_not_become_better_vietnamese(reference: Reference, text: str) -> None:
    assert decoder(reference).decode(text) == text


@pytest.mark.parametrize("text", VALID[:-1])
def test_vietnamese_names_have_full_quality(text: str) -> None:
    assert quality(text) == 1


@pytest.mark.parametrize("nothing", ["", "   ", "N/A", "null", "-", "...", "không rõ", "Chưa có", "xxx", "0"])
def test_a_placeholder_is_a_missing_value(one: CleanOne, nothing: str) -> None:
    found = one(full_name=nothing)
    assert found.values["full_name"] is None
    assert ("full_name", "VR29") in found.fixes
    assert ("full_name", "VR29", "ERROR") in found.violations


def test_a_code_that_looks_like_a_placeholder_word_stays(one: CleanOne) -> None:
    assert one(gender="0").values["gender"] == "0"
    assert one(religion_code="không có").values["religion_code"] == "00"


@pytest.mark.parametrize("name", ["An", "Nguyễn Văn An 1985", "Nguyễn Văn An; 0912345678"])
def test_a_name_of_one_word_or_with_digits_is_an_error(one: CleanOne, name: str) -> None:
    assert ("full_name", "VR09", "ERROR") in one(full_name=name).violations


def test_a_rank_in_small_letters_becomes_a_code(one: CleanOne) -> None:
    assert one(rank_code="v.07.03.29 ", personnel_type="VC").values["rank_code"] == "V.07.03.29"
