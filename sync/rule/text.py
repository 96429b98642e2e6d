"""Cleaning of text: old encodings, NFC, invisible characters, blanks, placeholders, names (VR09, VR10; DOMAIN §7.2).

Steps ``text``, ``person_name``, ``code`` and check ``VR09``. One scan of a column tells whether any value needs work;
only the values that do are then worked on, so that what becomes of a value never depends on its neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, check, step
from sync.rule.encoding import SUSPICIOUS, Decoder, decoder
from sync.rule.index import TONES
from sync.rule.model import CleanSpec, RuleSpec

# A noncharacter: joins the values of a column for the scan and is in no text.
_END = "\U0010ffff"
_BLANK = r"[\t-\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_INVISIBLE = (
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
_MARK = r"[\u0300-\u036f]"
_MIXED_MARKS = re.compile(f"([{TONES}])([\u0302\u0306\u031b]+)")
# “0” stands for nothing in free text only: in a catalogue it may be a code, as may “không rõ”.
_BLANK_WORDS = r"n/a|#n/a|null|none|\(null\)|[-–—_.?]+"
_MISSING_WORDS = _BLANK_WORDS + r"|0|x{3,}|không rõ|chưa rõ|không có|chưa có|không xác định|chưa xác định|chưa cập nhật"
_WORK = rf"{SUSPICIOUS}|{_BLANK}|{_INVISIBLE}|{_MARK}|[Ðð]|  "

_LEFT = rf"{_WORK}|^ | $"

_TITLES = r"pgs|gs|ts|ths|cn|ks|bs|bsck\s?i{1,2}|ds|kts|luật sư|đồng chí|đ/c|ông|bà|anh|chị|mr|mrs|ms"
_SURNAMES = (
    "nguyễn|trần|lê|phạm|hoàng|huỳnh|phan|vũ|võ|đặng|bùi|đỗ|hồ|ngô|dương|lý|đào|đinh|lâm|trịnh|mai|trương|lương|đoàn|"
    "hà|tô|tạ|thái|châu|cao|quách|phùng|vương|nông|hứa|lưu|tăng|kiều|chu|la|triệu|lại|vi|lò|giàng|sùng|vàng|thào|cầm|"
    "quàng|hoa|cù|khổng|bế|ma|lục|thạch|danh|kim|sơn|y|h'|k'|siu|rơ|rmah|ksor|đinh|bạch|trang|từ|đàm|tống|nghiêm|viên"
)
_TITLE = rf"(?i)^(?:(?:{_TITLES})\s+)*(?:(?:{_TITLES})\s*[.:,]\s*)+"
_TITLE_WORD = rf"(?i)^(?:(?:{_TITLES})\s+)+(?P<name>(?:{_SURNAMES})\s.*)$"


def _scan(words: str) -> str:
    """The expression that finds any value in need of work in a joined column."""
    return rf"{_WORK}|(?:^|{_END}) | (?:$|{_END})|(?:^|{_END})(?i:{words})?(?:{_END}|$)"


def _needs(words: str) -> str:
    """The same for one value."""
    return rf"{_WORK}|^ | $|^(?i:{words})?$"


_SCANS = {words: (_scan(words), _needs(words)) for words in (_MISSING_WORDS, _BLANK_WORDS)}


def _reorder(text: str) -> str:
    """Put the tone of each letter behind the marks that make the letter (circumflex, breve, horn); NFC does not."""
    letters = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", _MIXED_MARKS.sub(r"\2\1", letters))


def _once(values: pl.Series, decode: Decoder) -> pl.Series:
    """NFC, decode, repair Ð, drop invisible characters, collapse blanks: one round."""
    values = values.str.normalize("NFC")
    marked = values.filter(values.str.contains(_MARK)).unique()
    if len(marked):
        values = values.replace({text: _reorder(text) for text in marked.to_list()})
    suspicious = values.filter(values.str.contains(SUSPICIOUS)).unique()
    if len(suspicious):
        decoded = {text: better for text in suspicious.to_list() if (better := decode.decode(text)) != text}
        if decoded:
            values = values.replace(decoded)
    cleaned = (
        pl.col(values.name)
        .str.replace_many(["Ð", "ð"], ["Đ", "đ"])
        .str.replace_all(_INVISIBLE, "")
        .str.replace_all(rf"(?:{_BLANK}| )+", " ")
        .str.strip_chars(" ")
    )
    return values.to_frame().select(cleaned).to_series()


def normalise(values: pl.Series, decode: Decoder) -> pl.Series:
    """Clean text values until nothing changes: what a round uncovers (a mark under a ZWSP) the next one repairs."""
    result = _once(values, decode)
    for _ in range(8):
        # Most values are good after one round; only what still looks bad goes on.
        rows = result.str.contains(_LEFT).fill_null(False).arg_true()
        before = result.gather(rows)
        after = _once(before, decode) if len(rows) else before
        if after.equals(before):
            break
        result = result.clone().scatter(rows, after)
    return result


def _clean_column(batch: Batch, name: str, words: str, spec: CleanSpec, decode: Decoder) -> None:
    """Clean those values of one column that need it; record changes and placeholders."""
    column = batch.columns[name]
    rows = column.str.contains(_SCANS[words][1]).fill_null(False).arg_true()
    if len(rows) == 0:
        return
    before = column.gather(rows)
    after = normalise(before, decode)
    missing = after.str.contains(rf"^(?i:{words})?$")
    after = after.set(missing.fill_null(False), None)
    batch.scatter(name, rows.filter(~missing), after.filter(~missing), spec.rule)
    batch.scatter(name, rows.filter(missing), after.filter(missing), str(spec.params.get("missing", "VR29")))


@step("text")
def clean_text(batch: Batch, spec: CleanSpec) -> None:
    """Repair every text column (VR10); placeholders become null, recorded as VR29 (``params["missing"]``)."""
    wanted = spec.fields or batch.columns
    free: list[str] = []
    coded: list[str] = []
    for name in batch.present(wanted):
        if batch.columns[name].dtype == pl.String:
            field = batch.fields[name]
            (coded if field.catalogue or field.type in ("decimal", "int", "bool") else free).append(name)
    decode = decoder(batch.reference)
    for names, words in ((free, _MISSING_WORDS), (coded, _BLANK_WORDS)):
        if not names:
            continue
        frame = pl.DataFrame([batch.columns[name] for name in names])
        dirty = frame.select(pl.all().str.join(_END).str.contains(_SCANS[words][0])).row(0)
        for name, needed in zip(names, dirty, strict=True):
            if needed:
                _clean_column(batch, name, words, spec, decode)


def _without_title(column: pl.Series) -> pl.Series:
    """Names without Ông, Bà, TS., ...; without a full stop only before a common surname, because Ông is one too."""
    stripped = column.str.replace(_TITLE, "").str.replace(_TITLE_WORD, "${name}").str.strip_chars(" ")
    # A name that is nothing but titles stays: a person has to look.
    return stripped.zip_with((stripped.str.len_bytes() > 0).fill_null(True), column)


@step("person_name")
def clean_person_name(batch: Batch, spec: CleanSpec) -> None:
    """Strip forms of address and degrees; names in capitals or small letters only get a capital per syllable."""
    names = [name for name in batch.present(spec.fields) if batch.columns[name].dtype == pl.String]
    if not names:
        return
    title = rf"(?i)^(?:{_TITLES})[\s.,:]"
    flat = (pl.all() == pl.all().str.to_uppercase()) | (pl.all() == pl.all().str.to_lowercase())
    looks = batch.frame(names).select(
        pl.all().str.contains(title).name.suffix(" title"), flat.name.suffix(" flat")
    ).fill_null(False)  # fmt: skip
    for name in names:
        if looks[f"{name} title"].any():
            rows = looks[f"{name} title"].arg_true()
            batch.scatter(name, rows, _without_title(batch.columns[name].gather(rows)), spec.rule)
        if looks[f"{name} flat"].any():
            rows = looks[f"{name} flat"].arg_true()
            cased = batch.columns[name].gather(rows).str.to_lowercase().str.to_titlecase()
            batch.scatter(name, rows, cased, spec.rule)


@step("code")
def clean_code(batch: Batch, spec: CleanSpec) -> None:
    """Codes in upper case without blanks (v.07.03.29 → V.07.03.29)."""
    names = [name for name in batch.present(spec.fields) if batch.columns[name].dtype == pl.String]
    if not names:
        return
    looks = batch.frame(names).select(pl.all().str.contains(r"[\s\p{Ll}]"))
    for name in names:
        if looks[name].any():
            rows = looks[name].fill_null(False).arg_true()
            cleaned = batch.columns[name].gather(rows).str.to_uppercase().str.replace_all(r"\s+", "")
            batch.scatter(name, rows, cleaned, spec.rule)


@check("VR09")
def name_form(batch: Batch, rule: RuleSpec) -> Iterator[Finding]:
    """A person's name has at least two words and only letters, blanks, apostrophe, hyphen, dot."""
    for name in batch.present(rule.fields or ("full_name",)):
        yield Finding(name, ~pl.col(name).str.contains(r"^[\p{L}'’.-]+(?: [\p{L}'’.-]+)+$"))
