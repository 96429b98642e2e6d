"""Text, old encodings and names (VR09, VR10)."""

from __future__ import annotations

import unicodedata

import pytest

from sync.rule.encoding import decoder
from sync.rule.model import Reference
from sync.rule.syllable import place_tones
from sync.rule.vietnamese import quality
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
        ("ThS. TRẦN THỊ LAN", "Trần Thị Lan"),
        ("NguyêÞn Thiò Hýõìng", "Nguyễn Thị Hướng"),
        ("Trâìn Thiò Qúy", "Trấn Thị Quý"),
        ("Nguỹên Hòang Túân", "Nguyễn Hoàng Tuấn"),
        ("HÃ\u00a0 Minh Giang", "Hà Minh Giang"),
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


@pytest.mark.parametrize(
    "text", [*VALID, "12½ Lý Thường Kiệt", "«Hà Nội»", "Đường số 5®", "20 £", "25°C", "µ", "TRAN LÃ\u00a0"]
)
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


@pytest.mark.parametrize("name", ["An", "Nguyễn Văn An 1985", "0912345678"])
def test_a_name_of_one_word_or_with_digits_is_an_error(one: CleanOne, name: str) -> None:
    assert ("full_name", "VR09", "ERROR") in one(full_name=name).violations


def test_a_rank_in_small_letters_becomes_a_code(one: CleanOne) -> None:
    assert one(rank_code="v.07.03.29 ", personnel_type="VC").values["rank_code"] == "V.07.03.29"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("qúy", "quý"),
        ("nghìên", "nghiền"),
        ("hòang", "hoàng"),
        ("đừơng", "đường"),
        ("cuả", "của"),
        ("gía", "giá"),
        ("TÓAN", "TOÁN"),
    ],
)
def test_a_tone_where_none_can_stand_moves_to_its_letter(wrong: str, right: str) -> None:
    assert place_tones(wrong) == right


@pytest.mark.parametrize(
    "word", ["hòa", "hoà", "thúy", "thuý", "Úy", "Uý", "quá", "quí", "giò", "giúp", "khuỷa", "Boòng", "hôị"]
)
def test_both_spellings_of_a_tone_and_what_is_no_syllable_stay(word: str) -> None:
    assert place_tones(word) == word.replace("hôị", "hội")


@pytest.mark.parametrize(
    "behind",
    [" 0912345678", ", 0912 345 678", " - ĐT: 0912.345.678", ", phường Ba Đình", " (Tý)", "; xã Đông Anh, Hà Nội"],
)
def test_what_stands_behind_a_name_is_for_a_person_with_the_name_as_proposal(one: CleanOne, behind: str) -> None:
    found = one(full_name=f"Ông NGUYỄN VĂN AN{behind}")
    assert found.values["full_name"] is None
    assert found.violations == {("full_name", "VR09", "REVIEW")}
    assert found.proposals == {("full_name", "VR09", "Nguyễn Văn An")}
    assert found.fixes == set()


@pytest.mark.parametrize("name", ["BS.0", "TS. không rõ", "Ông: N/A", "bs. -"])
def test_a_title_before_a_placeholder_is_a_missing_name(one: CleanOne, name: str) -> None:
    assert one(full_name=name).values["full_name"] is None


@pytest.mark.parametrize(
    "name",
    [
        *("Davíð Sigurðsson", "Kristjan Mäe", "Mareike Gieß", "Diana Høng", "Kiaran Mac Uí Bheannuille", "Seán Deán"),
        *("K'Brơi", "H’Dung", "Niê KĐăm Y", "Y Moan Êňuôl", "Nguyễn O'Connor"),
    ],
)
def test_a_good_name_of_another_people_or_language_is_left_as_it_is(one: CleanOne, name: str) -> None:
    found = one(full_name=name)
    assert (found.values["full_name"], found.fixes, found.violations) == (name, set(), set())


@pytest.mark.parametrize(
    "text",
    [
        *("Chü-fu", "Möng La", "Ön büro elemanı", "Sør-Trøndelag på Dei øyane", "Compong Baï", "«Xóm xá»…", "TRẦN LÃ…"),
        *("Gal·la Ch·ili", "AT&T; R&D", "Sao thế? Không", "http://x.vn/a?b=c&d=e"),
    ],
)
def test_a_text_that_only_looks_damaged_is_left_as_it_is(one: CleanOne, text: str) -> None:
    found = one(main_task=text)
    assert (found.values["main_task"], found.fixes, found.violations) == (text, set(), set())


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        # The likelier words: TCVN3, not Windows-1258's Hỉn; VNI, not TCVN3's Hửng.
        ("HiÒn Ninh", "Hiền Ninh"),
        ("Thanh Höng", "Thanh Hưng"),
        ("NGUYÔN THANH LAN", "NGUYỄN THANH LAN"),
        ("Phó §«", "Phú Đô"),
        ("§¾k L¾k", "Đắk Lắk"),
        ("Dýõng Chýõng", "Dương Chương"),
        # UTF-8 is proof by itself.
        ("NÃ\u00a0n Ma", "Nàn Ma"),
        ("CÃ´ TÃ´", "Cô Tô"),
        ("Ä\u0090áº¯k Pxi", "Đắk Pxi"),
        ("KrÃ´ng Klang", "Krông Klang"),
        ("BhalÃªÃª", "Bhalêê"),
        ("HÃƒÂ\u00a0ng BÃ¡Â»â„¢t", "Hàng Bột"),
        ("Xã SRÃ³ nhá»\u008f", "Xã SRó nhỏ"),
        # Two encodings in one text.
        ("Trần VÄƒn An", "Trần Văn An"),
        ("Lê V¨n HiÒn", "Lê Văn Hiền"),
        ("Nguyễn Vaên Hoà", "Nguyễn Văn Hoà"),
        ("Vũng Taù", "Vũng Tàu"),
        # Characters that stand for others.
        ("Nguy&#7877;n V&#x103;n &amp; S&#417;n", "Nguyễn Văn & Sơn"),
        ("Ｎｇõ　１２", "Ngõ 12"),
        ("Niê Kðăm, Êðê", "Niê Kđăm, Êđê"),
        ("\u2066Ngõ 12\u2069", "Ngõ 12"),
    ],
)
def test_a_damaged_text_is_repaired(one: CleanOne, damaged: str, expected: str) -> None:
    found = one(main_task=damaged)
    assert found.values["main_task"] == expected
    assert ("main_task", "VR10") in found.fixes


@pytest.mark.parametrize("text", ["Nguy?n V?n An", "???ng Láng", "Số 12 đườ\ufffd", "Nguyá» Hu", "TRÁº¦N"])
def test_lost_letters_are_told_and_not_invented(one: CleanOne, text: str) -> None:
    found = one(main_task=text)
    assert found.values["main_task"] == text
    assert found.violations == {("main_task", "GARBLED", "WARN")}


@pytest.mark.parametrize(
    "damaged", ["NGUYễN VăN ANH", "NguyễN VăN ANh", "nguyỄn vĂn anh", "NguyễN VăN Anh", "NGUYỄN VĂN ANH"]
)
def test_capitals_of_a_program_that_knows_ascii_only_are_repaired(one: CleanOne, damaged: str) -> None:
    assert one(full_name=damaged).values["full_name"] == "Nguyễn Văn Anh"


def test_ong_before_two_words_may_be_a_surname(one: CleanOne) -> None:
    found = one(full_name="Ông Cao Thắng")
    assert found.values["full_name"] == "Ông Cao Thắng"
    assert found.fixes == set()
    assert found.violations == {("full_name", "NAME_DOUBT", "WARN")}
    assert found.proposals == {("full_name", "NAME_DOUBT", "Cao Thắng")}
    assert one(full_name="Ông Cao Văn Thắng").values["full_name"] == "Cao Văn Thắng"
