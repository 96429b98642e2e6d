"""Cleaning of text: old encodings, NFC, invisible characters, blanks, placeholders, names (VR09, VR10; DOMAIN §7.2).

Steps ``text``, ``person_name``, ``code`` and check ``VR09``. One scan of a column tells whether any value needs work;
only the values that do are then worked on, so that what becomes of a value never depends on its neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, evaluate, stack, step, unstack
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

# Rows of a batch up to which values are looked at one by one, all columns together.
_FEW = 32

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
    name = values.name
    values = evaluate(values, pl.col("v").str.normalize("NFC"))
    marked, suspect = values.to_frame().select(_ODD).get_columns()
    if marked.any():
        values = values.replace({text: _reorder(text) for text in values.filter(marked).unique().to_list()})
        suspect = values.str.contains(SUSPICIOUS)
    if suspect.any():
        suspicious = values.filter(suspect).unique()
        decoded = {text: better for text in suspicious.to_list() if (better := decode.decode(text)) != text}
        if decoded:
            values = values.replace(decoded)
    return evaluate(values, _TIDY).alias(name)


_ODD = (pl.col("v").str.contains(_MARK).alias("marked"), pl.col("v").str.contains(SUSPICIOUS).alias("suspect"))
_TIDY = (
    pl.col("v")
    .str.replace_many(["Ð", "ð"], ["Đ", "đ"])
    .str.replace_all(_INVISIBLE, "")
    .str.replace_all(rf"(?:{_BLANK}| )+", " ")
    .str.strip_chars(" ")
)


def normalise(values: pl.Series, decode: Decoder) -> pl.Series:
    """Clean text values until nothing changes: what a round uncovers (a mark under a ZWSP) the next one repairs."""
    result = _once(values, decode)
    for _ in range(8):
        # Most values are good after one round; only what still looks bad goes on.
        bad = result.str.contains(_LEFT)
        if not bad.any():
            break
        before = result.filter(bad)
        after = _once(before, decode)
        if after.equals(before):
            break
        result = result.clone().scatter(bad.arg_true(), after)
    return result


def _clean_column(batch: Batch, name: str, words: str, spec: CleanSpec, decode: Decoder) -> None:
    """Clean those values of one column that need it; record changes and placeholders."""
    column = batch.columns[name]
    needed = column.str.contains(_SCANS[words][1])
    if not needed.any():
        return
    rows = needed.arg_true()
    after = normalise(column.filter(needed), decode)
    missing = after.str.contains(rf"^(?i:{words})?$")
    batch.scatter(name, rows.filter(~missing), after.filter(~missing), spec.rule)
    gone = rows.filter(missing)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(gone))
    batch.scatter(name, gone, nothing, str(spec.params.get("missing", "VR29")))


def _dirty(batch: Batch, names: list[str], words: str) -> list[str]:
    """The columns of ``names`` in which any value needs work."""
    columns = [batch.columns[name] for name in names]
    joined, single = _SCANS[words]
    if batch.rows > _FEW:
        # A call of the expression for each value would cost more than the joining.
        found = pl.DataFrame(columns).select(pl.all().str.join(_END).str.contains(joined)).row(0)
        return [name for name, needed in zip(names, found, strict=True) if needed]
    needed = stack(columns).str.contains(single)
    if not needed.any():
        return []
    return [name for name, part in zip(names, unstack(needed, batch.rows), strict=True) if part.any()]


@step("text")
def clean_text(batch: Batch, spec: CleanSpec) -> None:
    """Repair every text column (VR10); placeholders become null, recorded as VR29 (``params["missing"]``)."""
    free: list[str] = []
    coded: list[str] = []
    for name in batch.typed(spec.fields or batch.columns, pl.String):
        field = batch.fields[name]
        (coded if field.catalogue or field.type in ("decimal", "int", "bool") else free).append(name)
    decode = decoder(batch.reference)
    for names, words in ((free, _MISSING_WORDS), (coded, _BLANK_WORDS)):
        for name in _dirty(batch, names, words) if names else ():
            _clean_column(batch, name, words, spec, decode)


# How a name looks, and what becomes of one in capitals or small letters.
_LOOKS = (
    pl.col("v").str.contains(rf"(?i)^(?:{_TITLES})[\s.,:]").alias("title"),
    ((pl.col("v") == pl.col("v").str.to_uppercase()) | (pl.col("v") == pl.col("v").str.to_lowercase())).alias("flat"),
)
_CASED = pl.col("v").str.to_lowercase().str.to_titlecase()


def _without_title(column: pl.Series) -> pl.Series:
    """Names without Ông, Bà, TS., ...; without a full stop only before a common surname, because Ông is one too."""
    stripped = column.str.replace(_TITLE, "").str.replace(_TITLE_WORD, "${name}").str.strip_chars(" ")
    # A name that is nothing but titles stays: a person has to look.
    return stripped.zip_with((stripped.str.len_bytes() > 0).fill_null(True), column)


@step("person_name")
def clean_person_name(batch: Batch, spec: CleanSpec) -> None:
    """Strip forms of address and degrees; names in capitals or small letters only get a capital per syllable."""
    names = batch.typed(spec.fields, pl.String)
    if not names:
        return
    looks = stack([batch.columns[name] for name in names]).to_frame().select(_LOOKS)
    titles, flats = (unstack(looks[what], batch.rows) for what in ("title", "flat"))
    for name, title, flat in zip(names, titles, flats, strict=True):
        if title.any():
            stripped = _without_title(batch.columns[name].filter(title))
            batch.scatter(name, title.arg_true(), stripped, spec.rule)
        if flat.any():
            cased = evaluate(batch.columns[name].filter(flat), _CASED)
            batch.scatter(name, flat.arg_true(), cased, spec.rule)


@step("code")
def clean_code(batch: Batch, spec: CleanSpec) -> None:
    """Codes in upper case without blanks (v.07.03.29 → V.07.03.29).

    A value with other letters than ASCII's is no code, and stays: its capitals may mean something else in an old
    encoding (ñ is VNI's đ, Ñ is TCVN3's ẹ), which the next cleaning would decode.
    """
    names = batch.typed(spec.fields, pl.String)
    if not names:
        return
    odd = stack([batch.columns[name] for name in names]).str.contains(r"^[\x00-\x7f]*[\sa-z][\x00-\x7f]*$")
    if not odd.any():
        return
    for name, there in zip(names, unstack(odd, batch.rows), strict=True):
        if there.any():
            cleaned = batch.columns[name].filter(there).str.to_uppercase().str.replace_all(r"\s+", "")
            batch.scatter(name, there.arg_true(), cleaned, spec.rule)


@check("VR09")
def name_form(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A person's name has at least two words and only letters, blanks, apostrophe, hyphen, dot."""
    for name in terms.known(rule.fields or ("full_name",)):
        yield Finding(name, ~pl.col(name).str.contains(r"^[\p{L}'’.-]+(?: [\p{L}'’.-]+)+$"))
