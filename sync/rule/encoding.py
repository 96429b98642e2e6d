"""Text in the encodings before Unicode: TCVN3 (ABC, .VnTime), VNI-Windows, and UTF-8 read as CP1252.

A value is decoded only if it as a whole becomes better Vietnamese (DOMAIN §7.2): the share of valid syllables rises.
Called by ``sync.rule.text`` for the few distinct values that look suspicious. Assumes NFC text; U+00AD must still be
there, in TCVN3 it is the letter ư.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from sync.rule.index import TONES, cached
from sync.rule.model import Reference

_ONSETS = "ngh|ng|gh|gi|kh|nh|ph|qu|th|tr|ch|[bcdđghklmnrstvx]"
_RHYMES = (
    "a|ac|ach|ai|am|an|ang|anh|ao|ap|at|au|ay|ăc|ăm|ăn|ăng|ăp|ăt|âc|âm|ân|âng|âp|ât|âu|ây|e|ec|em|en|eng|eo|ep|et|"
    "ê|êch|êm|ên|ênh|êp|êt|êu|i|ia|ich|iêc|iêm|iên|iêng|iêp|iêt|iêu|im|in|inh|ip|it|iu|o|oa|oac|oach|oai|oam|oan|oang|"
    "oanh|oao|oap|oat|oay|oăc|oăm|oăn|oăng|oăt|oc|oe|oen|oeo|oet|oi|om|on|ong|oong|ooc|op|ot|ô|ôc|ôi|ôm|ôn|ông|ôp|ôt|ơ|"
    "ơi|ơm|ơn|ơp|ơt|u|ua|uân|uâng|uât|uây|uc|uê|uêch|uênh|ui|um|un|ung|uơ|uôc|uôi|uôm|uôn|uông|uôt|up|ut|uy|uya|uych|"
    "uyên|uyêt|uynh|uyt|uyu|uyp|ư|ưa|ưc|ưi|ưng|ươc|ươi|ươm|ươn|ương|ươp|ươt|ươu|ưt|ưu|y|yêm|yên|yêng|yêt|yêu|ynh|yt"
)
_SYLLABLE = re.compile(rf"(?:{_ONSETS})?(?:{_RHYMES})")
_STOPPED = re.compile(r"(?:c|ch|p|t)$")
_ONLY_MARKS = str.maketrans("", "", TONES)
_WORD = re.compile(r"[^\W\d_]+")
_SIGN = r"[\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7]"
_SIGN_IN_WORD = re.compile(rf"(?<=[^\W\d_]){_SIGN}|{_SIGN}(?=[^\W\d_])")

# The lead bytes of UTF-8 Vietnamese as CP1252 shows them, before a sign.
_MISREAD = re.compile(r"[\u00c3-\u00c6\u00e1][^\x00-\x7f]")

SUSPICIOUS = (
    # Latin-1 signs and letters that Vietnamese does not have
    r"[\u00a1-\u00bf\u00c4-\u00c7\u00cb\u00ce-\u00d1\u00d6-\u00d8\u00db\u00dc\u00de\u00df"
    r"\u00e4-\u00e7\u00eb\u00ee-\u00f1\u00f6-\u00f8\u00fb\u00fc\u00fe\u00ff\u0152\u0153\u0178\u0192\u02c6\u2018-\u201e\u2020-\u2026"
    r"\u2030\u2039\u203a\u20ac\u2122]"
    # TCVN3: a capital letter with a mark after a small letter
    r"|[a-z][ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ]"
    # VNI: a vowel, then the letter that carries its marks (oà, oá, oã are also good Vietnamese and prove nothing)
    r"|[aA][áàãâêéèúùõÁÀÃÂÊÉÈÚÙÕ]|[eE][áàãâùõÁÀÃÂÙÕ]|[oO][âùõÂÙÕ]|[uUyY][ùõÙÕ]|[ôÔ][ùõÙÕ]"
)
"""A Rust and Python regular expression of what may be an old encoding; whatever it misses is left as it is."""


@lru_cache(maxsize=8192)
def _valid(word: str) -> bool:
    """Whether ``word`` (letters, lower case, NFC) is a possible Vietnamese syllable."""
    letters = unicodedata.normalize("NFD", word)
    tones = [c for c in letters if c in TONES]
    base = unicodedata.normalize("NFC", letters.translate(_ONLY_MARKS))
    if len(tones) > 1 or not _SYLLABLE.fullmatch(base):
        return False
    # A syllable that ends in a stop carries only sắc or nặng.
    return not (tones and _STOPPED.search(base)) or tones[0] in "\u0301\u0323"


@lru_cache(maxsize=8192)
def _good(word: str) -> bool:
    """Whether ``word`` as written is Vietnamese: no capital inside unless all are, and a possible syllable."""
    inner = word[1:]
    return (inner == inner.lower() or word.isupper()) and _valid(word.lower())


def quality(text: str) -> float:
    """Share of the words of ``text`` that are Vietnamese syllables; signs inside words and inner capitals lower it.

    Words of one letter say nothing: a sign decoded alone (½ → ẳ) would look like an improvement.
    """
    words = [word for word in _WORD.findall(text.replace("Ð", "Đ").replace("ð", "đ")) if len(word) > 1]
    if not words:
        return 0.0
    return sum(map(_good, words)) / (len(words) + len(_SIGN_IN_WORD.findall(text)))


def _misread(text: str) -> str | None:
    """``text`` as UTF-8 whose bytes were read as CP1252 (or Latin-1, for the bytes CP1252 leaves out)."""
    read = bytearray()
    for char in text:
        try:
            read += char.encode("cp1252")
        except UnicodeError:
            if ord(char) > 255:
                return None
            read.append(ord(char))
    try:
        return read.decode("utf-8")
    except UnicodeError:
        return None


class Decoder:
    """Decoding with the maps of the reference tables ``tcvn3_map`` and ``vni_map``."""

    def __init__(self, tcvn3: Mapping[str, str], vni: Mapping[str, str]) -> None:
        self._tcvn3 = str.maketrans(dict(tcvn3))
        self._vni = dict(vni)
        longest_first = sorted(self._vni, key=len, reverse=True)
        self._sequence = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def _candidates(self, text: str) -> Iterator[str]:
        if _MISREAD.search(text) and (misread := _misread(text)) is not None:
            yield misread
        tcvn3 = text.translate(self._tcvn3)
        if tcvn3 != text:
            latin = [char for char in text if char.isascii() and char.isalpha()]
            # The capitals of .VnTimeH are the small letters' codes.
            yield tcvn3.upper() if len(latin) > 1 and all(map(str.isupper, latin)) else tcvn3
        yield self._sequence.sub(lambda match: self._vni[match.group()], text)

    def decode(self, text: str) -> str:
        """Return ``text`` decoded by the encoding that makes it the best Vietnamese, or as it is."""
        best, score = text, quality(text)
        improving = True
        while improving and score < 1:
            improving = False
            for candidate in self._candidates(best):
                found = quality(candidate)
                if found > score:
                    best, score, improving = candidate, found, True
                    if score == 1:
                        break
        return unicodedata.normalize("NFC", best)


def decoder(reference: Reference) -> Decoder:
    """The decoder of these reference tables, built once."""

    def build(tables: Reference) -> Decoder:
        tcvn3 = tables.table("tcvn3_map", "latin1_char", "unicode")
        vni = tables.table("vni_map", "latin1_seq", "unicode")
        return Decoder(
            dict(zip(tcvn3["latin1_char"].to_list(), tcvn3["unicode"].to_list(), strict=True)),
            dict(zip(vni["latin1_seq"].to_list(), vni["unicode"].to_list(), strict=True)),
        )

    return cached(reference, "decoder", build)
