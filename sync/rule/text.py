"""Cleaning of text: old encodings, NFC, tones, invisible characters, blanks, placeholders (VR10; DOMAIN §7.2).

Steps ``text`` and ``code``. One scan of a column tells whether any value needs work;
only the values that do are then worked on, so that what becomes of a value never depends on its neighbours.
"""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from sync.rule.batch import Batch, evaluate, stack, step, unstack
from sync.rule.character import STANDING_IN, plain_characters
from sync.rule.encoding import SUSPICIOUS, Decoder, decoder
from sync.rule.index import TONES
from sync.rule.model import CleanSpec
from sync.rule.mojibake import RESIDUE
from sync.rule.syllable import MISPLACED, place_tones

# A noncharacter: joins the values of a column for the scan and is in no text.
_END = "\U0010ffff"
_BLANK = r"[\t-\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_INVISIBLE = (
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_MARK = r"[\u0300-\u036f]"
# Letters that were lost on the way (Nguy?n V?n An), and what nothing could be made of.
_LOST = rf"\ufffd|(?:^|[\s(,;-])\p{{L}}*\?+\p{{Ll}}|\p{{L}}[¡-©«-®¶¸-»¼-¾]\p{{L}}|{RESIDUE}"
# «xá»…
_QUOTED = "«[^»]*»"
_MIXED_MARKS = re.compile(f"([{TONES}])([\u0302\u0306\u031b]+)")
# “0” stands for nothing in free text only: in a catalogue it may be a code, as may “không rõ”.
_BLANK_WORDS = r"n/a|#n/a|null|none|\(null\)|[-–—_.…?]+"
_MISSING_WORDS = _BLANK_WORDS + r"|0|x{3,}|không rõ|chưa rõ|không có|chưa có|không xác định|chưa xác định|chưa cập nhật"
# A superset of STANDING_IN and of _LOST (whose signs are suspicious) that takes little to look for.
_STANDING_IN = r"[Ðð]|[\uff01-\uff5e]|&[#0-9A-Za-z]+;"
_WORK = rf"{SUSPICIOUS}|{MISPLACED}|{_BLANK}|{_INVISIBLE}|{_MARK}|{_STANDING_IN}|\ufffd|\?[a-z\u00e0-\u1ef9]|  "

# Rows of a batch up to which values are looked at one by one, all columns together.
_FEW = 32

# What a round may leave for the next; misplaced tones are settled in one.
_LEFT = rf"{_WORK}|^ | $"


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


def _once(values: pl.Series, decode: Decoder, *, key: bool) -> pl.Series:
    """One round: NFC, decode, put the characters that are meant, drop invisible ones, collapse blanks, place tones."""
    name = values.name
    values = evaluate(values, pl.col("v").str.normalize("NFC"))
    marked, suspect = values.to_frame().select(_ODD).get_columns()
    if marked.any():
        values = values.replace({text: _reorder(text) for text in values.filter(marked).unique().to_list()})
        suspect = values.str.contains(SUSPICIOUS)
    if suspect.any() and not key:
        suspicious = values.filter(suspect).unique()
        decoded = {text: better for text in suspicious.to_list() if (better := decode.decode(text)) != text}
        if decoded:
            values = values.replace(decoded)
    standing_in = values.str.contains(STANDING_IN)
    if standing_in.any():
        values = values.replace(
            {text: plain_characters(text) for text in values.filter(standing_in).unique().to_list()}
        )
    values = evaluate(values, _TIDY).alias(name)
    # Beside letters that are lost, a tone tells nothing of its own.
    misplaced = values.str.contains(MISPLACED) & ~values.str.contains(_LOST)
    if misplaced.any() and not key:
        texts = values.filter(misplaced).unique().to_list()
        values = values.replace({text: placed for text in texts if (placed := place_tones(text)) != text})
    return values


_ODD = (pl.col("v").str.contains(_MARK).alias("marked"), pl.col("v").str.contains(SUSPICIOUS).alias("suspect"))
_TIDY = pl.col("v").str.replace_all(_INVISIBLE, "").str.replace_all(rf"(?:{_BLANK}| )+", " ").str.strip_chars(" ")


def normalise(values: pl.Series, decode: Decoder, *, key: bool = False) -> pl.Series:
    """Clean text values until nothing changes: what a round uncovers (a mark under a ZWSP) the next one repairs."""
    result = _once(values, decode, key=key)
    for _ in range(8):
        # Most values are good after one round; only what still looks bad goes on.
        bad = result.str.contains(_LEFT)
        if not bad.any():
            break
        before = result.filter(bad)
        after = _once(before, decode, key=key)
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
    key = name in spec.params.get("keys", ())
    after = normalise(column.filter(needed), decode, key=key)
    _put(batch, name, rows, after, spec, words)
    lost = after.str.contains(_LOST) & ~after.str.contains(_QUOTED)
    if lost.any() and not key:
        batch.refuse(name, rows.filter(lost), "GARBLED", "WARN")


def _put(batch: Batch, name: str, rows: pl.Series, after: pl.Series, spec: CleanSpec, words: str) -> None:
    missing = after.str.contains(rf"^(?i:{words})?$")
    batch.scatter(name, rows.filter(~missing), after.filter(~missing), spec.rule)
    gone = rows.filter(missing)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(gone))
    batch.scatter(name, gone, nothing, str(spec.params.get("missing", "VR29")))


def put_shortened(batch: Batch, name: str, rows: pl.Series, after: pl.Series, spec: CleanSpec) -> None:
    """Put what a step left of texts: a fix; where a placeholder is left (``BS. 0``), nothing is, as for ``text``."""
    _put(batch, name, rows, after, spec, _MISSING_WORDS)


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


@step("text", params={"keys": "fields", "missing": "rule"})
def clean_text(batch: Batch, spec: CleanSpec) -> None:
    """Repair every text column (VR10); placeholders become null, recorded as VR29 (``params["missing"]``).

    ``keys``: fields that hold comparison keys, whose tones stand at the end of syllables: nothing is decoded or
    placed there.
    """
    free: list[str] = []
    coded: list[str] = []
    for name in batch.typed(spec.fields or batch.columns, pl.String):
        field = batch.fields[name]
        (coded if field.catalogue or field.type in ("decimal", "int", "bool") else free).append(name)
    decode = decoder(batch.reference)
    for names, words in ((free, _MISSING_WORDS), (coded, _BLANK_WORDS)):
        for name in _dirty(batch, names, words) if names else ():
            _clean_column(batch, name, words, spec, decode)


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
            put_shortened(batch, name, there.arg_true(), cleaned, spec)
