"""Text in the encodings before Unicode: TCVN3 (ABC, .VnTime), VNI-Windows, Windows-1258, and UTF-8 read as CP1252.

A value is decoded only if it as a whole becomes better Vietnamese (DOMAIN §7.2): the share of valid syllables rises.
Called by ``sync.rule.text`` for the few distinct values that look suspicious. Assumes NFC text; U+00AD must still be
there, in TCVN3 it is the letter ư.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from sync.rule.index import cached
from sync.rule.model import Reference
from sync.rule.syllable import place_tone, possible, unusual

_WORD = re.compile(r"[^\W\d_]+")
_UNUSUAL = 0.01
_SIGN = r"[\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7]"
_SIGN_IN_WORD = re.compile(rf"(?<=[^\W\d_]){_SIGN}|{_SIGN}(?=[^\W\d_])")

# The lead bytes of UTF-8 Vietnamese as CP1252 shows them, before a sign.
_MISREAD = re.compile(r"[\u00c3-\u00c6\u00e1][^\x00-\x7f]")

# A final à, of which Ã and a space that is none were left: with the capital before it, a good syllable (HÃ).
_MISREAD_END = re.compile(r"[^\W\d_]\u00c3\u00a0(?=\s|$)")

# A tone of Windows-1258 behind its vowel.
_TONE_BEHIND = re.compile(r"[aeiouyâêôãõýAEIOUYÂÊÔÃÕÝ][ÌÒÞìò]")

SUSPICIOUS = (
    # Latin-1 signs and letters that Vietnamese does not have
    r"[\u00a1-\u00bf\u00c4-\u00c7\u00cb\u00ce-\u00d1\u00d6-\u00d8\u00db\u00dc\u00de\u00df"
    r"\u00e4-\u00e7\u00eb\u00ee-\u00f1\u00f6-\u00f8\u00fb\u00fc\u00fe\u00ff\u0152\u0153\u0178\u0192\u02c6\u2018-\u201e\u2020-\u2026"
    r"\u2030\u2039\u203a\u20ac\u2122]"
    # UTF-8's à, as CP1252 shows it
    r"|\u00c3\u00a0"
    # TCVN3: a capital letter with a mark after a small letter
    r"|[a-z][ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ]"
    # Windows-1258: a vowel, then its tone (iò and uì are also good Vietnamese and prove nothing)
    r"|[aeiouyâêôãõýAEIOUYÂÊÔÃÕÝ][ÌÒÞìò]"
    # VNI: a vowel, then the letter that carries its marks (oà, oá, oã are also good Vietnamese and prove nothing)
    r"|[aA][áàãâêéèúùõÁÀÃÂÊÉÈÚÙÕ]|[eE][áàãâùõÁÀÃÂÙÕ]|[oO][âùõÂÙÕ]|[uUyY][ùõÙÕ]|[ôÔ][ùõÙÕ]"
)
"""A Rust and Python regular expression of what may be an old encoding; whatever it misses is left as it is."""


@lru_cache(maxsize=8192)
def _good(word: str) -> float:
    """How far ``word`` as written is Vietnamese, 0 to 1: no capital inside unless all are, and a possible syllable.

    A tone where none can stand counts half: another decoding may leave it less odd.
    """
    inner = word[1:]
    if not ((inner == inner.lower() or word.isupper()) and possible(word.lower())):
        return 0.0
    return 0.5 if place_tone(word) != word else 1.0


def quality(text: str) -> float:
    """Share of the words of ``text`` that are Vietnamese syllables; signs inside words and inner capitals lower it.

    Words of one letter say nothing: a sign decoded alone (½ → ẳ) would look like an improvement.
    """
    words = [word for word in _WORD.findall(text.replace("Ð", "Đ").replace("ð", "đ")) if len(word) > 1]
    if not words:
        return 0.0
    return sum(map(_good, words)) / (len(words) + len(_SIGN_IN_WORD.findall(text)))


def _jumbled(text: str) -> bool:
    """Whether ``text`` is no Vietnamese in any case: signs or capitals inside words that have letters beyond ASCII."""
    words = (word for word in _WORD.findall(text) if not word.isascii() and not word.isupper())
    return _SIGN_IN_WORD.search(text) is not None or any(word[1:] != word[1:].lower() for word in words)


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


def _separate(text: str) -> str | None:
    """``text`` as Windows-1258, where a tone is a character behind its letter, whose bytes were read as CP1252."""
    try:
        return unicodedata.normalize("NFC", text.encode("cp1252").decode("cp1258"))
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
        misread: str | None = text
        # What was misread twice is garbage after the first time.
        while misread is not None and _MISREAD.search(misread) and (misread := _misread(misread)) is not None:
            yield misread
        if _TONE_BEHIND.search(text) and (separate := _separate(text)) is not None:
            yield separate
        tcvn3 = text.translate(self._tcvn3)
        if tcvn3 != text:
            latin = [char for char in text if char.isascii() and char.isalpha()]
            # The capitals of .VnTimeH are the small letters' codes.
            yield tcvn3.upper() if len(latin) > 1 and all(map(str.isupper, latin)) else tcvn3
        yield self._sequence.sub(lambda match: self._vni[match.group()], text)

    def decode(self, text: str) -> str:
        """Return ``text`` decoded by the encoding that makes it the best Vietnamese, or as it is."""
        best, score = text, quality(text)
        if score == 1 and _MISREAD_END.search(text) and not text.isupper():
            misread = _misread(text)
            return best if misread is None else unicodedata.normalize("NFC", misread)
        improving = True
        while improving and score < 1:
            improving = False
            for candidate in self._candidates(best):
                # A rhyme of a few words speaks against a decoding; as it stands in the text (Ia Boòng) it is right.
                found = quality(candidate) - _UNUSUAL * any(map(unusual, _WORD.findall(candidate)))
                if found > score and not _jumbled(candidate):
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
