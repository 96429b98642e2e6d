"""Several damages in one record or one text, damage that can't be undone, and good texts of many languages.

What an encoding makes of a text is Python's own codecs' and ``unicodedata``'s word wherever they know the encoding.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date
from itertools import pairwise

from sync.demo.error import AMBIGUOUS
from tests.corpus.case import Case, Label, kind, pick, repaired
from tests.corpus.moment import day
from tests.corpus.text import FREE, VNI_PAIR, misread, to_tcvn3, to_vni

LOST_IN = ("main_task", "permanent_address", "current_address")


def _telling(word: str) -> bool:
    """Whether a word in TCVN3 shows that it is none in Unicode, or is the same in both."""
    return word.isascii() or any(ord(letter) > 127 and letter not in AMBIGUOUS for letter in word)


@kind
def half_tcvn3(case: Case) -> Label | None:
    """The first word in Unicode, the others in TCVN3, as where two files were put together."""

    def damage(text: str) -> str | None:
        first, _, rest = text.partition(" ")
        encoded = to_tcvn3(case, rest)
        if encoded is None or encoded == rest or not all(map(_telling, encoded.split())):
            return None
        # Only letters that TCVN3 can't show prove that the first word is Unicode.
        return f"{first} {encoded}" if any(ord(letter) > 255 for letter in first) else None

    return repaired(case, "full_name", damage)


@kind
def half_misread(case: Case) -> Label | None:
    """One word is UTF-8 read as CP1252, the others are sound."""

    def damage(text: str) -> str | None:
        words = text.split(" ")
        odd = [place for place, word in enumerate(words) if not word.isascii()]
        if not odd:
            return None
        place = case.rng.choice(odd)
        words[place] = misread(words[place])
        # A mark that closes, or a blank, behind Ã is what a text in capitals has too.
        return None if words[place].endswith(("\u00a0", "…", "”", "’", "»")) else " ".join(words)

    return repaired(case, pick(case, *FREE), damage)


@kind
def misread_twice(case: Case) -> Label | None:
    """UTF-8 read as CP1252, written as UTF-8 and read as CP1252 again."""
    return repaired(case, pick(case, *FREE), lambda text: misread(misread(text)))


@kind
def decomposed_and_misread(case: Case) -> Label | None:
    """NFD in UTF-8, read as CP1252."""
    return repaired(case, pick(case, *FREE), lambda text: misread(unicodedata.normalize("NFD", text)))


@kind
def tcvn3_decomposed(case: Case) -> Label | None:
    """TCVN3 whose letters a file system then decomposed."""

    def damage(text: str) -> str | None:
        encoded = to_tcvn3(case, text)
        if encoded is None or not any(ord(letter) > 127 and letter not in AMBIGUOUS for letter in encoded):
            return None
        return unicodedata.normalize("NFD", encoded)

    return repaired(case, pick(case, *FREE), damage)


@kind
def two_encodings_and_a_serial(case: Case) -> Label | None:
    """A name in VNI, an address in TCVN3 and a spreadsheet's number for a date in one record."""
    name, address = to_vni(case, case.truth["full_name"]), to_tcvn3(case, case.truth["permanent_address"])
    serial = (day(case, "step_effective_date") - date(1899, 12, 30)).days
    if address is None or all(map(str.isascii, address.split())) or not VNI_PAIR.search(name) or serial < 10_000:
        return None
    if not any(ord(letter) > 127 and letter not in AMBIGUOUS for letter in address):
        return None
    case.raw.update(full_name=name, permanent_address=address, step_effective_date=str(serial))
    return Label("repaired", "full_name", "VR10")


@kind
def html_references(case: Case) -> Label | None:
    """HTML's references for all that is not ASCII."""
    return repaired(case, pick(case, *FREE), lambda text: text.encode("ascii", "xmlcharrefreplace").decode())


@kind
def full_width(case: Case) -> Label | None:
    """Full-width letters and digits of an East Asian keyboard."""
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    name = case.rng.choice(("full_name", "citizen_id", "phone", "current_address"))
    return repaired(case, name if case.truth.get(name) else None, lambda text: text.translate(wide))


@kind
def directional_marks(case: Case) -> Label | None:
    """Marks of the direction of writing, as copied from web pages."""

    def damage(text: str) -> str:
        return case.rng.choice((f"\u202a{text}\u202c", f"\u200e{text}", f"\u2066{text}\u2069", f"{text}\u200f"))

    return repaired(case, pick(case, *FREE, "citizen_id"), damage)


def _ascii_words(text: str, change: Callable[[str, bool], str]) -> str:
    """A text changed by a program that takes every letter beyond ASCII for no letter."""
    changed, inside = "", False
    for letter in text:
        changed += change(letter, inside) if letter.isascii() else letter
        inside = letter.isascii() and letter.isalnum()
    return changed


@kind
def capitals_of_ascii(case: Case) -> Label | None:
    """UPPER of a database that knows ASCII only: NGUYễN VăN AN."""
    return repaired(case, "full_name", lambda text: _ascii_words(text.lower(), lambda letter, _: letter.upper()))


@kind
def capital_words_of_ascii(case: Case) -> Label | None:
    """INITCAP of such a database: NguyễN VăN An."""

    def damage(text: str) -> str:
        return _ascii_words(text, lambda letter, inside: letter if inside else letter.upper())

    return repaired(case, "full_name", damage)


def _lost(case: Case, damage: Callable[[str], str | None]) -> Label | None:
    """Damage that can't be undone: the text stays, and is told of. ``damage`` gives None where it does not show."""
    name = pick(case, *LOST_IN)
    damaged = damage(case.truth[name]) if name else None
    if name is None or damaged is None:
        return None
    case.truth[name] = case.raw[name] = damaged
    return Label("warned", name, "GARBLED")


@kind
def letters_lost(case: Case) -> Label | None:
    """Question marks for what CP1252 can't show: nothing is invented."""

    def damage(text: str) -> str | None:
        cut = text.encode("cp1252", "replace").decode("cp1252")
        # Only a mark before a small letter is none that ends a sentence.
        return cut if any(mark == "?" and after.islower() for mark, after in pairwise(cut)) else None

    return _lost(case, damage)


@kind
def cut_in_a_letter(case: Case) -> Label | None:
    """UTF-8 cut at a column's width, in the middle of a letter."""

    def damage(text: str) -> str | None:
        cuts = (text.encode()[:width].decode("utf-8", "replace") for width in range(len(text.encode()), 0, -1))
        return next((cut for cut in cuts if cut.endswith("\ufffd")), None)

    return _lost(case, damage)


@kind
def misread_in_capitals(case: Case) -> Label | None:
    """Mojibake put into capitals: á is Á now, another byte. Nothing is invented, and a name is refused."""
    name = case.truth["full_name"]
    damaged = misread(name).upper()
    # Where a byte is a blank or invisible, cleaning drops it, as it does everywhere.
    if not any(pair in damaged for pair in ("Áº", "Á»")) or not damaged.isprintable():
        return None
    case.raw["full_name"] = damaged
    return Label("rejected", "full_name", "VR09")


PEOPLES = (
    *("H'Hen Niê", "Y Moan Êňuôl", "H Ngăm Niê KĐăm", "K'Sor H'Yên", "Rơ Châm H'Phik", "R'Com Sa Duyên", "Kpă Ó"),
    *("Y Bloóc", "Bríu Liếc", "Bhling Mia", "Bhơriu Pố", "Alăng Bhuốch", "Zơ Râm Buôn", "Arất Blúi", "Hôih Dzúc"),
    *("Hồ Kan Lịch", "Lò Văn Ón", "Quàng Thị Xôm", "Cà Thị Ỏm", "Bùi Thị Ơ", "Hà Thị E", "Vi Thị Ủ", "Thào Mí Lử"),
    *("Vừ Mí Kẻ", "Cứ A Páo", "Chảo Láo Sử", "Phàn Mùi Khé", "Chíu Say Dưỡng", "Sìn Lò Pù", "Pờ Ê Sang"),
    *("Po Mỳ Lé", "Sờ Cô Sử", "Cụt Văn Ỏn", "Moong Phò Ngoan", "Neáng Samết", "Chau Sóc Sênh", "Thạch Thị Sa Rết"),
    *("Lâm Es", "Ka Sô Liễng", "K'Dêng K'Brêl", "K'Brơi", "K’Tiếu", "H'Dung", "Cil Múp Ha Juel", "Kra Jăn Tham"),
    *("Jơ Nơng Sang Luôn", "Điểu K'Ré", "Chamaléa Âu", "Pi Năng Tắc", "La O Hờ", "Sô Y Tiết", "Voòng Thị Khúc"),
    *("Tsằn A Nhì", "Đàng Năng Thọ", "Nguyễn Ái", "Trần Ỷ", "Lê Ô", "Công Tằng Tôn Nữ Hỷ Khương", "Bửu Ý"),
    *("Ung Nho Huệ", "Ông Thị Hoa", "Bá Thị Bích", "Ân Thị Út", "Nguyễn O'Connor", "Björk Guðmundsdóttir"),
    *("Davíð Sigurðsson", "Kristjan Mäe", "Mareike Gieß", "Diana Høng", "Seán Mac Uí Néill", "João Conceição"),
    *("François Bizot", "Åsa Ögren", "Iñigo Müller", "Zoë Nguyễn", "Łukasz Żak", "Vüsal Çelik", "Jean-Paul Huỳnh"),
)  # fmt: skip


@kind
def name_of_another_people(case: Case) -> Label:
    """A good name of one of Vietnam's peoples, or of a foreigner."""
    case.truth["full_name"] = case.rng.choice(PEOPLES)
    return Label("untouched", "full_name")


FOREIGN = (
    *("Universität Tübingen", "Technische Universität München", "Université de Genève", "École Normale Supérieure"),
    *("Universidade de São Paulo", "Lü-shun", "Möng La", "Caën", "Ön büro", "Háskóli Íslands, Suðurgata"),
    *("Ålborg Universitet", "Công ty TNHH R&D \"Sao Mai\" (AT&T)", "Q&A; FAQ", "Sao thế? Không biết!"),
    *("http://moha.gov.vn/tim?tu=khoa&trang=2", "Xã Ia Rtô, huyện Krông Pa", "Đạ M'ri; Cư M'gar; Ea H'leo"),
    *("Xã SRó", "Bhalêê, Zuôih", "TRẦN LÃ…", "«Xóm xá»…", "m² × 3 ± 5 %", "Nhà máy ô tô VinFast – Hải Phòng"),
    *("Trường THPT Nguyễn Thị Minh Khai", "Số 5½ hẻm 12/3/4A", "Ngõ 1·2", "Th.S – Bác sĩ CKII"),
)  # fmt: skip


@kind
def foreign_text(case: Case) -> Label:
    """A good text with foreign words, or with signs that stand for letters elsewhere."""
    case.truth["current_address"] = case.rng.choice(FOREIGN)
    return Label("untouched", "current_address")
