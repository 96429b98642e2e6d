"""Official names as they are, and through every encoding: what no list of hard cases can think of.

The names are those of the 10,054 old communes with district and province, 54 ethnic groups' villages among them. What
an encoding makes of a name is said by Python's codecs, or by the published tables of TCVN3 and VNI.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rule.encoding import decoder
from sync.rule.model import Reference
from sync.rule.text import normalise
from tests.corpus.text import TONES, misread

EACH = 7
"""Every seventh name goes through the encodings: neighbours in the list are much alike."""


def words(name: str) -> str:
    """NFC, in blanks as they are printed."""
    return " ".join(unicodedata.normalize("NFC", name).split())


@pytest.fixture(scope="module")
def names(reference: Reference) -> list[str]:
    """``commune, district, province``."""
    tables = reference.tables
    districts = dict(tables["districts_old"].select("code", "name").rows())
    provinces = dict(tables["provinces_old"].select("old_gso_code", "old_name").rows())
    rows = tables["commune_resolution"].select("old_commune", "old_district_code", "old_province_code").rows()
    return [words(f"{name}, {districts[district]}, {provinces[province]}") for name, district, province in rows]


@pytest.fixture(scope="module")
def syllables(names: list[str]) -> list[str]:
    """The words of all names."""
    return sorted({word for name in names for word in name.replace(",", "").split() if word.isalpha()})


def separated(text: str) -> str:
    """Each tone behind its letter, as Windows-1258 writes it."""
    written = ""
    for letter in text:
        marks = unicodedata.normalize("NFD", letter)
        written += unicodedata.normalize("NFC", "".join(mark for mark in marks if mark not in TONES))
        written += "".join(mark for mark in marks if mark in TONES)
    return written


CODECS: dict[str, Callable[[str], str]] = {
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "UTF-8 read as CP1252": misread,
    "UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "read so twice": lambda text: misread(misread(text)),
    "Windows-1258": lambda text: separated(text).encode("cp1258").decode("cp1252"),
    "HTML": lambda text: text.encode("ascii", "xmlcharrefreplace").decode(),
}


def test_every_official_name_is_left_as_it_is(reference: Reference, names: list[str]) -> None:
    decode = decoder(reference)
    for case in (names, [name.upper() for name in names]):
        assert normalise(pl.Series(case), decode).to_list() == case


@pytest.mark.parametrize("codec", CODECS)
def test_official_names_come_back_from_every_encoding(reference: Reference, names: list[str], codec: str) -> None:
    chosen = names[::EACH]
    damaged = pl.Series([CODECS[codec](name) for name in chosen])
    assert normalise(damaged, decoder(reference)).to_list() == chosen


@pytest.mark.parametrize("table", ["tcvn3_map", "vni_map"])
def test_official_names_come_back_from_the_encodings_of_fonts(
    reference: Reference, names: list[str], table: str
) -> None:
    frame = reference.tables[table]
    written = {"tcvn3_map": "latin1_char", "vni_map": "latin1_seq"}[table]
    codes = {letter: code for code, letter in frame.select(written, "unicode").reverse().rows()}
    # TCVN3 has no capitals with a tone of their own.
    chosen = [name for name in names[::EACH] if all(letter.isascii() or letter in codes for letter in name)]
    damaged = pl.Series(["".join(codes.get(letter, letter) for letter in name) for name in chosen])
    repaired = normalise(damaged, decoder(reference)).to_list()
    wrong = [(name, found) for name, found in zip(chosen, repaired, strict=True) if name != found]
    assert len(chosen) > 1_400
    assert wrong == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6), st.sampled_from((str.lower, str.title, str.upper)))
def test_any_words_of_official_names_in_any_order_are_left_as_they_are(
    reference: Reference, syllables: list[str], places: list[int], change: Callable[[str], str]
) -> None:
    text = unicodedata.normalize("NFC", change(" ".join(syllables[place % len(syllables)] for place in places)))
    assert normalise(pl.Series([text]), decoder(reference)).to_list() == [text]
