"""How far a text is Vietnamese: the evidence by which ``sync.rule.encoding`` judges what a text may be.

All is told by the word between blanks (*token*), so it is kept by token: the words of a source recur. Assumes NFC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from sync.rule.syllable import place_tone, possible

_WORD = re.compile(r"[^\W\d_]+")
_TOKENS = re.compile(r"\s+|\S+")
_SIGN = r"[\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7]"
SIGN_IN_WORD = re.compile(rf"(?<=[^\W\d_]){_SIGN}|{_SIGN}(?=[^\W\d_])|(?<!\S){_SIGN}(?={_SIGN}(?!\S))")
"""A sign beside a letter, or a word of nothing but signs (§«: TCVN3's Đô)."""
_D = str.maketrans("Ðð", "Đđ")


@dataclass(frozen=True, slots=True)
class Measure:
    """``words``: how many tell a language, ``good``: how many of them are syllables, ``signs``: signs inside words.

    ``jumbled``: it is no Vietnamese in any case.
    """

    words: int
    good: float
    signs: int
    jumbled: bool

    @property
    def quality(self) -> float:
        """Share of the words that are Vietnamese syllables; signs inside words lower it."""
        return self.good / (self.words + self.signs) if self.words else 0.0


@lru_cache(maxsize=8192)
def _good(word: str) -> float:
    """How far ``word`` as written is Vietnamese, 0 to 1: no capital inside unless all are, and a possible syllable.

    A tone where none can stand counts half: another decoding may leave it less odd.
    """
    inner = word[1:]
    if not ((inner == inner.lower() or word.isupper()) and possible(word.lower())):
        return 0.0
    return 0.5 if place_tone(word) != word else 1.0


def _jumbled(token: str) -> bool:
    """Whether signs stand inside words, or capitals beyond ASCII behind small letters (SRó and KĐăm are good)."""
    return SIGN_IN_WORD.search(token) is not None or any(
        after.isupper() and not after.isascii() and before.islower()
        for word in _WORD.findall(token)
        for before, after in pairwise(word)
    )


def words(token: str) -> list[str]:
    """The words of a token that tell its language.

    Those of one letter say nothing: a sign decoded alone (½ → ẳ) would look like an improvement.
    """
    return [word for word in _WORD.findall(token.translate(_D)) if len(word) > 1]


@lru_cache(maxsize=32_768)
def measure(token: str) -> Measure:
    """The measure of one token."""
    found = words(token)
    return Measure(len(found), sum(map(_good, found)), len(SIGN_IN_WORD.findall(token)), _jumbled(token))


def total(parts: Iterable[str]) -> Measure:
    """The measure of a text given as its tokens; blanks among them count nothing."""
    count, good, signs, jumbled = 0, 0.0, 0, False
    for part in parts:
        found = measure(part)
        count += found.words
        good += found.good
        signs += found.signs
        jumbled |= found.jumbled
    return Measure(count, good, signs, jumbled)


def tokens(text: str) -> list[str]:
    """Words and the blanks between them: joined, they are ``text``."""
    return _TOKENS.findall(text)


def quality(text: str) -> float:
    """Share of the words of ``text`` that are Vietnamese syllables; signs inside words and inner capitals lower it."""
    return total(tokens(text)).quality
