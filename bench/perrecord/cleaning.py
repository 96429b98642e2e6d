"""One record brought to canonical form: text, names, codes, dates, numbers, catalogues, identifiers, places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from bench.perrecord.table import Tables
from sync.rule.agency import agency_code
from sync.rule.contact import plain_phone
from sync.rule.encoding import SUSPICIOUS
from sync.rule.moment import read_date
from sync.rule.number import plain_number
from sync.schema.dataset import Dataset

Record = dict[str, Any]
Found = list[tuple[str, str]]
"""(field, rule)."""

_EPOCH = date(1970, 1, 1)
_ODD = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeffÐð]|  |^ | $"
)
_SUSPECT = re.compile(SUSPICIOUS)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
_BLANKS = re.compile(r"\s+")
_MISSING = re.compile(
    r"(?i)(?:n/a|#n/a|null|none|\(null\)|[-–—_.?]+|0|x{3,}|không rõ|chưa rõ|không có|chưa có|không xác định"
    r"|chưa xác định|chưa cập nhật)?"
)
_MISSING_CODE = re.compile(r"(?i)(?:n/a|#n/a|null|none|\(null\)|[-–—_.?]+)?")
_TITLE = re.compile(
    r"(?i)^(?:(?:pgs|gs|ts|ths|cn|ks|bs|ds|kts|luật sư|đồng chí|đ/c|ông|bà|anh|chị|mr|mrs|ms)\s*[.:,]\s*)+"
)
_CODE = re.compile(r"[A-Z0-9._]+")
_AGENCY = re.compile(r"[A-Y][0-9]{2}(?:\.[0-9A-Z]+)*")
_PHONE = re.compile(r"0[35789][0-9]{8}")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_NAMES = ("full_name", "other_name")
_CODES = ("rank_code", "salary_group", "nationality_code")
_AGENCIES = ("managing_agency_code", "employing_unit_code", "department_code")
_CURRENT = (("permanent_province", "permanent_commune"), ("current_province", "current_commune"))


class Cleaner:
    """Cleans records of one dataset, which come as the source wrote them."""

    def __init__(self, dataset: Dataset, tables: Tables, today: date) -> None:
        self._tables = tables
        self._today = today
        readers: dict[str, Callable[[Any, int], Any]] = {
            "date": self._date,
            "datetime": self._moment,
            "decimal": self._decimal,
            "int": self._int,
            "bool": self._bool,
        }
        self._texts = tuple(
            (field.name, _MISSING_CODE if field.catalogue else _MISSING)
            for field in dataset.fields
            if field.type in ("string", "partial_date")
        )
        self._typed = tuple(
            (field.name, readers[field.type], field.scale) for field in dataset.fields if field.type in readers
        )
        self._coded = tuple(
            (name, names, frozenset(names.codes.dtype.categories)) for name, names in tables.codes.items()
        )
        self._required = frozenset(field.name for field in dataset.fields if field.required)

    def clean(self, record: Record) -> tuple[Found, list[tuple[str, str, str]]]:
        """Clean in place; what was fixed, and what was refused (field, rule, severity)."""
        fixes: Found = []
        refused: list[tuple[str, str, str]] = []
        self._clean_texts(record, fixes)
        self._clean_codes(record, fixes)
        self._clean_typed(record, refused)
        self._clean_catalogues(record, refused)
        self._clean_numbers(record, fixes)
        for province, commune in _CURRENT:
            self._clean_residence(record, province, commune, fixes, refused)
        return fixes, refused

    def _clean_texts(self, record: Record, fixes: Found) -> None:
        for name, missing in self._texts:
            value = record[name]
            if value is None:
                continue
            if (
                (not value.isascii() and not unicodedata.is_normalized("NFC", value))
                or _ODD.search(value)
                or _SUSPECT.search(value)
            ):
                better = self._text(value)
                if better != value:
                    fixes.append((name, "VR10"))
                    record[name] = value = better
            if missing.fullmatch(value):
                fixes.append((name, "VR29"))
                record[name] = None
        for name in _NAMES:
            value = record[name]
            if value is not None:
                better = _TITLE.sub("", value).strip() or value
                if better.isupper() or better.islower():
                    better = better.title()
                if better != value:
                    fixes.append((name, "VR10"))
                    record[name] = better

    def _text(self, value: str) -> str:
        value = unicodedata.normalize("NFC", value)
        if _SUSPECT.search(value):
            value = self._tables.decode.decode(value)
        value = value.replace("Ð", "Đ").replace("ð", "đ")
        return _BLANKS.sub(" ", _INVISIBLE.sub("", value)).strip(" ")

    def _clean_codes(self, record: Record, fixes: Found) -> None:
        for name in _CODES:
            value = record[name]
            if value is not None and not _CODE.fullmatch(value) and value.isascii():
                record[name] = _BLANKS.sub("", value.upper())
                fixes.append((name, "VR10"))
        phone = record["phone"]
        if phone is not None and not _PHONE.fullmatch(phone):
            record["phone"] = plain_phone(phone)
            fixes.append(("phone", "VR10"))
        for name in _AGENCIES:
            value = record[name]
            if value is not None and not _AGENCY.fullmatch(value):
                record[name] = agency_code(value)
                fixes.append((name, "VR27"))

    def _clean_typed(self, record: Record, refused: list[tuple[str, str, str]]) -> None:
        birth = record["birth_date"]
        if birth is not None and not _ISO.fullmatch(birth):
            record["birth_date"], _ = read_date(birth, "dmy", self._today, birth=True)
            if record["birth_date"] is None:
                refused.append(("birth_date", "VR11", "ERROR"))
        size = len(record["birth_date"] or "")
        record["birth_date_precision"] = {10: "0", 4: "1", 7: "2"}.get(size)
        for name, reader, scale in self._typed:
            value = record[name]
            if value is not None:
                try:
                    record[name] = reader(value, scale)
                except (ValueError, InvalidOperation, OverflowError):
                    record[name] = None
                    refused.append((name, "UNREADABLE", "ERROR"))

    def _date(self, value: Any, _: int) -> date:
        if isinstance(value, int):
            return _EPOCH + timedelta(days=value)
        text, _guess = read_date(value, "dmy", self._today, birth=False)
        return date.fromisoformat(text or "")

    def _moment(self, value: Any, _: int) -> datetime:
        return datetime.fromisoformat(value).astimezone(UTC)

    def _decimal(self, value: Any, scale: int) -> Decimal:
        text = plain_number(str(value))
        if text is None:
            raise ValueError
        number = Decimal(text)
        exact = number.quantize(Decimal(1).scaleb(-scale))
        if exact != number:
            raise ValueError
        return exact

    def _int(self, value: Any, _: int) -> int:
        return value if isinstance(value, int) else int(plain_number(value) or "")

    def _bool(self, value: Any, _: int) -> bool:
        return value if isinstance(value, bool) else {"true": True, "1": True, "false": False, "0": False}[str(value)]

    def _clean_catalogues(self, record: Record, refused: list[tuple[str, str, str]]) -> None:
        for name, names, codes in self._coded:
            value = record.get(name)
            if value is not None and value not in codes:
                record[name] = names.code(value)
                if record[name] is None:
                    refused.append((name, "CATALOGUE", "ERROR" if name in self._required else "WARN"))

    def _clean_numbers(self, record: Record, fixes: Found) -> None:
        number = record["citizen_id"]
        if number is not None and not (len(number) == 12 and number.isdigit()):
            plain = re.sub(r"[\s.'’-]", "", number.removesuffix(".0"))
            if plain.isdigit() and len(plain) in (10, 11):
                padded = plain.zfill(12)
                year = 1900 + 100 * (int(padded[3]) // 2) + int(padded[4:6])
                sex = "2" if int(padded[3]) % 2 else "1"
                born = (record["birth_date"] or "")[:4] == str(year)
                if born and padded[:3] in self._tables.prefixes and record["gender"] in (sex, None):
                    fixes.append(("citizen_id", "VR06"))
                    plain = padded
            if plain != number:
                fixes.append(("citizen_id", "VR10"))
                record["citizen_id"] = plain
        old = record["old_id_card_no"]
        if old is not None and len(old) == 8 and old.isdigit():
            record["old_id_card_no"] = old.zfill(9)
            fixes.append(("old_id_card_no", "VR08"))

    def _clean_residence(
        self, record: Record, province: str, commune: str, fixes: Found, refused: list[tuple[str, str, str]]
    ) -> None:
        at, place = record[province], record[commune]
        known = self._tables
        if place is None or (at in known.provinces and place in known.communes):
            return
        if place in known.old_communes and (place not in known.communes or known.old_communes[place][0] == at):
            record[commune] = known.old_communes[place][1]
            if record[commune] is None:
                refused.append((commune, "VR26", "WARN"))
            fixes.append((commune, "VR26"))
        if at is not None:
            record[province] = known.successors.get(at, at)
