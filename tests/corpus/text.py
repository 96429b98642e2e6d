"""Errors of text and names (DOMAIN.md §7.2), and texts that look damaged and are not."""

from __future__ import annotations

import re
import unicodedata

from sync.demo.error import AMBIGUOUS
from sync.demo.names import unaccented
from tests.corpus.case import Case, Label, kind, pick, repaired

FREE = ("full_name", "permanent_address", "current_address", "main_task", "id_issue_place")
TONES = "\u0300\u0301\u0303\u0309\u0323"
VNI_PAIR = re.compile(r"(?i)[aeuy][ùøûõïåäüë]|[ae][âáàãêéèú]|o[ùøûõïâåäêéèúüë]|[ôö][ùøûõï]")
"""A vowel and the letter of its marks in VNI that are no Vietnamese (oà, oá, oã are)."""


def to_tcvn3(case: Case, text: str) -> str | None:
    """``text`` in TCVN3 as Latin-1 shows it; None where TCVN3 lacks a letter."""
    if any(ord(letter) > 127 and letter not in case.world.tcvn3 for letter in text):
        return None
    return "".join(case.world.tcvn3.get(letter, letter) for letter in text)


def to_vni(case: Case, text: str) -> str:
    """``text`` in VNI-Windows as Latin-1 shows it."""
    return "".join(case.tables.vni.get(letter, letter) for letter in text)


def misread(text: str) -> str:
    """The UTF-8 of ``text`` read as CP1252, as Latin-1 where CP1252 has no character for a byte."""
    return "".join(bytes([byte]).decode("cp1252", errors="ignore") or chr(byte) for byte in text.encode("utf-8"))


@kind
def decomposed(case: Case) -> Label | None:
    """Text in NFD, as macOS and some forms give it."""
    return repaired(case, pick(case, *FREE), lambda text: unicodedata.normalize("NFD", text))


@kind
def marks_out_of_order(case: Case) -> Label | None:
    """A tone before the mark that makes the letter: ẽ̂ for ễ."""

    def damage(text: str) -> str:
        letters = unicodedata.normalize("NFD", text)
        return re.sub(f"([\u0302\u0306\u031b])([{TONES}])", r"\2\1", letters)

    return repaired(case, pick(case, *FREE), damage)


@kind
def tcvn3(case: Case) -> Label | None:
    """TCVN3 (ABC, .VnTime)."""

    def damage(text: str) -> str | None:
        encoded = to_tcvn3(case, text)
        if encoded is None:
            return None
        # Letters that are Vietnamese in both encodings are no evidence for a decoder; such a text stays as it is.
        return encoded if any(ord(letter) > 127 and letter not in AMBIGUOUS for letter in encoded) else None

    return repaired(case, pick(case, *FREE), damage)


@kind
def tcvn3_capitals(case: Case) -> Label | None:
    """A name in .VnTimeH: capitals whose codes are those of the small letters."""

    def damage(text: str) -> str | None:
        encoded = "".join(case.world.tcvn3.get(letter, letter.upper()) for letter in text.lower())
        good = any(ord(letter) > 127 and letter.lower() not in AMBIGUOUS for letter in encoded)
        return encoded if good else None

    return repaired(case, "full_name", damage)


@kind
def vni(case: Case) -> Label | None:
    """VNI-Windows."""

    def damage(text: str) -> str | None:
        encoded = to_vni(case, text)
        # Two signs together show the encoding; a single ñ or ö in a text may be a foreign word's.
        return encoded if re.search(VNI_PAIR, encoded) else None

    return repaired(case, "full_name", damage)


@kind
def cp1258(case: Case) -> Label | None:
    """Windows-1258 (letter, then tone) read as CP1252."""

    def damage(text: str) -> str | None:
        written = "".join(
            unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFD", letter) if c not in TONES))
            + "".join(c for c in unicodedata.normalize("NFD", letter) if c in TONES)
            for letter in text
        )
        encoded = written.encode("cp1258").decode("cp1252")
        return encoded if re.search("[aeuyâêôãõýAEUYÂÊÔÃÕÝ][ÌÒÞìò]|[oO][ÌÒÞì]", encoded) else None

    return repaired(case, "full_name", damage)


@kind
def misread_utf8(case: Case) -> Label | None:
    """UTF-8 read as CP1252."""
    return repaired(case, pick(case, *FREE), misread)


@kind
def eth_for_d(case: Case) -> Label | None:
    """U+00D0 for Đ and U+00F0 for đ."""
    return repaired(case, pick(case, *FREE), lambda text: text.translate(str.maketrans("Đđ", "Ðð")))


MISPLACED = {
    "uý": None, "oàng": "òang", "uấn": "úân", "iệp": "ịêp", "iến": "íên", "iền": "ìên", "ường": "ừơng", "ương": None,
    "oán": "óan", "oài": "òai", "uyễn": "uỹên", "uyết": "uýêt", "iệt": "ịêt", "uế": "úê", "uỳnh": "ùynh", "oạn": "ọan",
    "oàn": "òan", "uyền": "uỳên", "uốc": "úôc", "ước": "ứơc", "iển": "ỉên", "iều": "ìêu", "ượng": "ựơng", "iên": None,
}  # fmt: skip


@kind
def tone_misplaced(case: Case) -> Label | None:
    """A tone where neither the old nor the new spelling has it: Nguỹên, Hòang, Túân."""

    def damage(text: str) -> str:
        for right, wrong in MISPLACED.items():
            if wrong is not None and right in text:
                return text.replace(right, wrong)
        return text.replace("Quý", "Qúy")

    return repaired(case, pick(case, *FREE), damage)


@kind
def invisible(case: Case) -> Label | None:
    """No-break, zero-width and doubled spaces, byte order marks, newlines and tabs in a cell."""

    def damage(text: str) -> str:
        return case.rng.choice(
            (
                f" {text} ",
                text.replace(" ", "\u00a0", 1),
                text.replace(" ", "  ", 1),
                text.replace(" ", " \u200b", 1),
                f"\ufeff{text}",
                text.replace(" ", "\n", 1),
                text.replace(" ", "\t", 1) + "\u2060",
                f"{text}\r\n",
            )
        )

    return repaired(case, pick(case, *FREE), damage)


NOTHING = (
    "N/A",
    "không rõ",
    "-",
    ".",
    "chưa có",
    "0",
    "null",
    "xxx",
    "",
    "  ",
    "Không có",
    "…",
    "#N/A",
    "chưa rõ",
    "(null)",
)


@kind
def placeholder(case: Case) -> Label | None:
    """A word for nothing in a field that may be empty."""
    name = pick(case, "current_address", "main_task", "strength", "major", "old_id_card_no", "tax_code")
    if name is None:
        return None
    del case.truth[name]
    case.raw[name] = case.rng.choice(NOTHING)
    return Label("repaired", name, "VR29")


@kind
def placeholder_required(case: Case) -> Label | None:
    """A word for nothing in a field that must be filled."""
    name = case.rng.choice(("full_name", "recruiting_agency", "employee_code", "job_position_code"))
    case.raw[name] = case.rng.choice(NOTHING)
    return Label("rejected", name, "VR29")


@kind
def capitals(case: Case) -> Label | None:
    """A name in capitals, or without any."""
    change = case.rng.choice((str.upper, str.lower))
    return repaired(case, "full_name", change)


@kind
def titles(case: Case) -> Label | None:
    """Forms of address and degrees before a name."""
    before = ("Ông ", "Bà ", "TS. ", "ThS. ", "PGS.TS. ", "Đồng chí ", "Đ/c ", "BS. ", "Ông TS. ", "GS, ", "Anh: ")
    return repaired(case, "full_name", lambda text: case.rng.choice(before) + text)


@kind
def telephone_in_name(case: Case) -> Label | None:
    """A telephone number behind the name: a person decides."""
    name = case.truth["full_name"]
    number = case.rng.choice(("0912345678", "0912 345 678", "(0912.345.678)", "+84912345678", "ĐT: 0912345678"))
    case.raw["full_name"] = f"{name}{case.rng.choice((' ', ', ', ' - ', '; '))}{number}"
    return Label("review", "full_name", "VR09", (("full_name", name),))


@kind
def address_in_name(case: Case) -> Label | None:
    """An address behind the name: a person decides."""
    name = case.truth["full_name"]
    place = case.rng.choice(("phường Ba Đình", "xã Đông Anh, Hà Nội", "số 12 đường Láng", "thôn 3", "TP. Huế", "tổ 5"))
    case.raw["full_name"] = f"{name}{case.rng.choice((', ', ' - ', '; '))}{place}"
    return Label("review", "full_name", "VR09", (("full_name", name),))


@kind
def digits_in_name(case: Case) -> Label | None:
    """A digit among the letters of a name."""
    case.raw["full_name"] = case.truth["full_name"] + case.rng.choice(("1", " 2", " 1985"))
    return Label("rejected", "full_name", "VR09")


@kind
def one_word_name(case: Case) -> Label | None:
    """Half a name."""
    case.raw["full_name"] = case.truth["full_name"].split()[0]
    return Label("rejected", "full_name", "VR09")


@kind
def without_diacritics(case: Case) -> Label | None:
    """NGUYEN VAN A: what is lost is not made up."""
    plain = " ".join(unaccented(word).title() for word in case.truth["full_name"].split())
    case.truth["full_name"] = plain
    return repaired(case, "full_name", str.upper)


NAMES = (
    *("Ông Ích Khiêm", "Bà Thị Lan", "Y Phôn Ksor", "H’Hen Niê", "Rơ Châm Krih", "Nguyễn Thị Hoà", "Lê Thúy Quỳnh"),
    *(
        "Lê Thuý Quỳnh",
        "Lý Thị Mỹ",
        "Lí Thị Mĩ",
        "Vừ A Páo",
        "Cù Thị Khuê",
        "Trần Quốc Toản",
        "Đỗ Thị Gìn",
        "Nguyễn Uý",
    ),
    *("Phạm Khuya", "Ngô Thuở", "Đào Duy Hoẻ", "Tạ Thị Oanh", "Công Tằng Tôn Nữ Thị Ninh", "Ma A Lềnh", "Hà Giang"),
    *(
        "Nguyễn Xoè",
        "Anh Đức",
        "Cao Bá Quát",
        "Bùi Thị Xuân",
        "Nguyễn Thị Thu-Hà",
        "Y Bih Alêô",
        "Đinh Núp",
        "Thạch Sóc Kha",
    ),
)


@kind
def unusual_name(case: Case) -> Label | None:
    """A good name that a careless rule would change."""
    case.truth["full_name"] = case.rng.choice(NAMES)
    return Label("untouched", "full_name")


TEXTS = (
    *("12½ Lý Thường Kiệt", "«Hà Nội»", "Đường số 5®", "25°C", "Hoà Bình – Thuỷ Nguyên", "Số 1/2 ngõ 3", "Khu A & B"),
    *("Café Noël", "Đạ M’ri", "Đạ M'ri", "tổ 0", "Quý I/2025", "N/A Shop", "xã Ea Kly", "P. 12, Q. 3"),
    *("GIẤY XÁC NHẬN", "hòa/hoà", "§ 5 khoản 2", "Tiến sĩ – Viện Hàn lâm", "“Vì nhân dân phục vụ”", "Straße", "Ñandú"),
)


@kind
def unusual_text(case: Case) -> Label | None:
    """A good text with signs that legacy encodings use too."""
    case.truth["current_address"] = case.rng.choice(TEXTS)
    return Label("untouched", "current_address")
