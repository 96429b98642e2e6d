"""Names of persons (VR09, VR10; DOMAIN §7.2, §7.5): step ``person_name``, check ``VR09``.

Forms of address and degrees go, capitals become a capital a syllable. A telephone number, an address or another name
behind a name is for a person to judge: the name before it is proposed. A good name is never respelled, and diacritics
that are gone are not made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from sync.rule.batch import Batch, Finding, Terms, check, evaluate, stack, step, unstack
from sync.rule.encoding import SUSPICIOUS, Decoder, decoder
from sync.rule.model import CleanSpec, RuleSpec
from sync.rule.text import put_shortened

_TITLES = r"pgs|gs|ts|ths|cn|ks|bs|bsck\s?i{1,2}|ds|kts|luật sư|đồng chí|đ/c|ông|bà|anh|chị|mr|mrs|ms"
_SURNAMES = (
    "nguyễn|trần|lê|phạm|hoàng|huỳnh|phan|vũ|võ|đặng|bùi|đỗ|hồ|ngô|dương|lý|đào|đinh|lâm|trịnh|mai|trương|lương|đoàn|"
    "hà|tô|tạ|thái|châu|cao|quách|phùng|vương|nông|hứa|lưu|tăng|kiều|chu|la|triệu|lại|vi|lò|giàng|sùng|vàng|thào|cầm|"
    "quàng|hoa|cù|khổng|bế|ma|lục|thạch|danh|kim|sơn|y|h'|k'|siu|rơ|rmah|ksor|đinh|bạch|trang|từ|đàm|tống|nghiêm|viên"
)
_TITLE = rf"(?i)^(?:(?:{_TITLES})\s+)*(?:(?:{_TITLES})\s*[.:,]\s*)+"
_TITLE_WORD = rf"(?i)^(?:(?:{_TITLES})\s+)+(?P<name>(?:{_SURNAMES})\s.*)$"

# Ông before two words may be the surname of a whole name (Ông Cao Thắng).
_PERHAPS_SURNAME = r"(?i)^ông\s+\S+\s+\S+$"

# Several words, or one with the K' or H' of the Cơ Ho, Mạ and Mnông, which is a whole name (K'Brơi).
_GOOD = r"^(?:[\p{L}'’.-]+(?: [\p{L}'’.-]+)+|\p{L}{1,2}['’]\p{L}{2,})$"
# What ends a name: a separator, a dash between blanks, a telephone number and the word for it.
_BEHIND = re.compile(
    r"\s*(?:[,;:/|(\[]|\s[-–—]\s|(?:\b(?:sđt|đt|đtdđ|tel|điện thoại)\b[\s.:]*)?(?:\+|\b)\d(?:[\s.()-]*\d){7,}).*",
    re.IGNORECASE | re.DOTALL,
)

# How a name looks, and what becomes of one in capitals or small letters.
_ONE_CASE = (pl.col("v") == pl.col("v").str.to_uppercase()) | (pl.col("v") == pl.col("v").str.to_lowercase())
_FLAT = (
    _ONE_CASE
    # Made by a program that knows ASCII only: capitals (NGUYễN VăN AN), small letters (nguyỄn), capitals of words
    # (NguyễN, ĐInh; what follows the capital is no word of its own, as in LêThị).
    | (pl.col("v").str.contains(r"[A-Z]\p{L}*[A-Z]") & ~pl.col("v").str.contains("[a-z]"))
    | (pl.col("v").str.contains(r"\p{Ll}[\p{Lu}&&[^A-Z]]") & ~pl.col("v").str.contains("[A-Z]"))
    | pl.col("v").str.contains(
        r"[\p{Ll}&&[^a-z]](?:Ng|Nh|Ch|[NMCPTIUOYA])(?:[\s-]|$)|(?:^|[\s-])[\p{Lu}&&[^A-Z]][A-Z]\p{Ll}"
    )
)
_LOOKS = (
    pl.col("v").str.contains(rf"(?i)^(?:{_TITLES})[\s.,:]").alias("title"),
    _ONE_CASE.alias("flat"),
    pl.col("v").str.contains(r"[^\x00-\x7F][A-Z]|[A-Z][A-Z]|(?:^|[ -])[a-z]").alias("broken"),
    pl.col("v").str.contains(r"[,;:/|(\[]| [-–—] |[0-9]").alias("more"),
)
# What has other signs is damaged, or more than a name.
_LETTERS = pl.col("v").str.contains(r"^[\p{L}\p{M}'’. -]+$")
_CASED = pl.col("v").str.to_lowercase().str.to_titlecase()


def _shortened(column: pl.Series) -> pl.Series:
    return column.str.replace(_TITLE, "").str.replace(_TITLE_WORD, "${name}").str.strip_chars(" ")


def _without_title(column: pl.Series, decode: Decoder) -> pl.Series:
    """Names without Ông, Bà, TS., ...; without a full stop only before a common surname, because Ông is one too, and
    Ông before two words never. What would be taken for an old encoding without its title (TS. Ã©9) stays.
    """
    stripped = _shortened(column)
    stripped = stripped.zip_with(~column.str.contains(_PERHAPS_SURNAME).fill_null(False), column)
    # A name that is nothing but titles stays: a person has to look.
    stripped = stripped.zip_with((stripped.str.len_bytes() > 0).fill_null(True), column)
    return _undecoded(column, stripped, decode)


def _undecoded(column: pl.Series, changed: pl.Series, decode: Decoder) -> pl.Series:
    """``changed``, but the values of ``column`` where the next cleaning would decode the changed ones."""
    suspicious = (changed.str.contains(SUSPICIOUS) & (changed != column)).fill_null(False)
    if not suspicious.any():
        return changed
    places = suspicious.arg_true()
    kept = [place for place, text in zip(places, changed.gather(places), strict=True) if decode.decode(text) != text]
    return changed.scatter(kept, column.gather(kept)) if kept else changed


def _cased(column: pl.Series, decode: Decoder) -> pl.Series:
    """Names in capitals or small letters only with a capital a syllable, others as they are.

    What is no name in capitals, and would be taken for an old encoding in small letters (AÁ), stays.
    """
    return _undecoded(column, evaluate(column, pl.when(_FLAT & _LETTERS).then(_CASED).otherwise("v")), decode)


def _judge_more(batch: Batch, name: str, rows: pl.Series) -> None:
    """Take names with something behind them for a person to judge (VR09), the name alone as proposal."""
    texts = _without_title(batch.columns[name].gather(rows), decoder(batch.reference))
    heads = [_BEHIND.sub("", text) for text in texts.to_list()]
    proposed = _cased(pl.Series(name, heads, dtype=pl.String), decoder(batch.reference))
    doubtful = (pl.Series(heads, dtype=pl.String) != texts) & proposed.str.contains(_GOOD)
    batch.offer(name, rows.filter(doubtful), proposed.filter(doubtful), "VR09")
    batch.doubt(name, rows.filter(doubtful), "VR09", "REVIEW")


def _doubt_surname(batch: Batch, name: str, rows: pl.Series) -> None:
    """Tell of names that begin with Ông before a common surname (NAME_DOUBT); the shorter name is proposed."""
    texts = batch.columns[name].gather(rows)
    shorter = _shortened(texts)
    perhaps = (texts.str.contains(_PERHAPS_SURNAME) & (shorter != texts)).fill_null(False)
    batch.offer(name, rows.filter(perhaps), shorter.filter(perhaps), "NAME_DOUBT")
    batch.refuse(name, rows.filter(perhaps), "NAME_DOUBT", "WARN")


@step("person_name")
def clean_person_name(batch: Batch, spec: CleanSpec) -> None:
    """Strip forms of address and degrees; names in capitals or small letters only get a capital per syllable."""
    names = batch.typed(spec.fields, pl.String)
    if not names:
        return
    stacked = stack([batch.columns[name] for name in names])
    looks = stacked.to_frame().select(_LOOKS)
    if (perhaps := looks["broken"] & ~looks["flat"]).any():
        rows = perhaps.arg_true()
        looks = looks.with_columns(looks["flat"].clone().scatter(rows, evaluate(stacked.gather(rows), _FLAT)))
    parts = [unstack(looks[what], batch.rows) for what in ("title", "flat", "more")]
    for name, title, flat, more in zip(names, *parts, strict=True):
        if more.any():
            _judge_more(batch, name, more.arg_true())
        if title.any():
            stripped = _without_title(batch.columns[name].filter(title), decoder(batch.reference))
            put_shortened(batch, name, title.arg_true(), stripped, spec)
        if flat.any() or title.any():
            # What was behind a title may be in capitals too.
            odd = flat | title
            cased = _cased(batch.columns[name].filter(odd), decoder(batch.reference))
            batch.scatter(name, odd.arg_true(), cased, spec.rule)
        if title.any():
            _doubt_surname(batch, name, title.arg_true())


@check("VR09")
def name_form(terms: Terms, rule: RuleSpec) -> Iterator[Finding]:
    """A person's name has at least two words, or is one with K' or H'; only letters, apostrophe, hyphen, dot."""
    for name in terms.known(rule.fields or ("full_name",)):
        yield Finding(name, ~pl.col(name).str.contains(_GOOD))
