"""Vietnamese syllables: which are possible, where their tone stands, and the repair of one that stands nowhere.

Both spellings in use are right and left alone (hòa and hoà, thúy and thuý); a tone that neither has on its letter
(qúy, Nguỹên, hòang) moves to the one letter that can carry it: letters and tone stay the same (DOMAIN §7.2). Called by
``sync.rule.text`` for the few distinct values that ``MISPLACED`` finds, and by ``sync.rule.encoding``. Assumes NFC.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from sync.rule.index import TONES

_ONSETS = "ngh|ng|gh|gi|kh|nh|ph|qu|th|tr|ch|[bcdđghklmnprstvx]"
_RHYMES = (
    "a|ac|ach|ai|am|an|ang|anh|ao|ap|at|au|ay|ăc|ăm|ăn|ăng|ăp|ăt|âc|âm|ân|âng|âp|ât|âu|ây|e|ec|em|en|eng|eo|ep|et|"
    "ê|êch|êm|ên|ênh|êp|êt|êu|i|ia|ich|iêc|iêm|iên|iêng|iêp|iêt|iêu|im|in|inh|ip|it|iu|o|oa|oac|oach|oai|oam|oan|oang|"
    "oanh|oao|oap|oat|oay|oăc|oăm|oăn|oăng|oăt|oc|oe|oen|oeo|oet|oi|om|on|ong|oong|ooc|op|ot|ô|ôc|ôi|ôm|ôn|ông|ôp|ôt|ơ|"
    "ơi|ơm|ơn|ơp|ơt|u|ua|uân|uâng|uât|uây|uc|uê|uêch|uênh|ui|um|un|ung|uơ|uôc|uôi|uôm|uôn|uông|uôt|up|ut|uy|uya|uych|"
    "uyên|uyêt|uynh|uyt|uyu|uyp|ư|ưa|ưc|ưi|ưm|ưn|ưng|ươc|ươi|ươm|ươn|ương|ươp|ươt|ươu|ưt|ưu|y|yêm|yên|yêng|yêt|yêu|ynh|yt|"
    # of names of ethnic minorities (Đắk Lắk, Măng Búk)
    "ak|ăk|âk|ek|êk|ik|iêk|ok|ôk|ơk|uk|ưk|oăk"
)
_SYLLABLE = re.compile(rf"(?:{_ONSETS})?(?P<rhyme>{_RHYMES})")

_STOPPED = re.compile(r"(?:c|ch|k|p|t)$")
_ONLY_MARKS = str.maketrans("", "", TONES)
# Rhymes of a few words (xoong, ngoéo): more likely signs of another encoding.
_UNUSUAL = re.compile("oong|ooc|oeo|uych|uyp|uơ")

_I, _U, _Y, _O, _A = "ìíỉĩị", "ùúủũụ", "ỳýỷỹỵ", "òóỏõọ", "àáảãạ"

MISPLACED = (
    # a tone before a letter with a mark of its own, which always carries the tone: ìê, ùô, ừơ
    rf"(?i:[{_I}{_U}{_Y}{_O}ừứửữự][ăâêôơ]"
    # qu and gi are consonants before a vowel
    rf"|q[{_U}]\p{{L}}|g[{_I}][aeou]"
    # the first of two plain vowels before another letter: òan, ùynh
    rf"|[{_O}][ae]\p{{L}}|[{_U}]y\p{{L}}"
    # the second of two vowels of which the first carries the tone: taì, cuả, miá
    rf"|[aăâeêôơư][{_I}{_Y}]|[ae][{_O}]|[aâeêươ][{_U}]|o[{_I}]|[^q]u[{_I}{_A}]|[^g]i[{_A}]|ư[{_A}])"
)
"""A Rust regular expression of what may be such a tone: what it finds is looked at syllable by syllable."""

_MARKED = "ăâêôơư"
_OPEN_BOTH = ("oa", "oe", "uy")
_WORD = re.compile(r"[^\W\d_]+")
_VOWELS = re.compile(r"[aăâeêioôơuưy]+")


def _places(vowels: str, *, closed: bool) -> tuple[int, ...]:
    """The letters of ``vowels`` that may carry the tone, counted from 0; the first is where it moves to."""
    marked = [place for place, vowel in enumerate(vowels) if vowel in _MARKED]
    if marked:
        return (marked[-1],)
    if len(vowels) == 1 or (len(vowels) == 2 and not closed):
        return (0, 1) if vowels in _OPEN_BOTH else (0,)
    return (1,)


@lru_cache(maxsize=8192)
def possible(word: str) -> bool:
    """Whether ``word`` (letters, lower case, NFC) is a possible Vietnamese syllable."""
    letters = unicodedata.normalize("NFD", word)
    tones = [c for c in letters if c in TONES]
    base = unicodedata.normalize("NFC", letters.translate(_ONLY_MARKS))
    if len(tones) > 1 or not _SYLLABLE.fullmatch(base):
        return False
    # A syllable that ends in a stop carries only sắc or nặng.
    return not (tones and _STOPPED.search(base)) or tones[0] in "\u0301\u0323"


def unusual(word: str) -> bool:
    """Whether ``word`` has a rhyme that hardly any word has."""
    letters = unicodedata.normalize("NFD", word.lower()).translate(_ONLY_MARKS)
    return _UNUSUAL.search(unicodedata.normalize("NFC", letters)) is not None


@lru_cache(maxsize=8192)
def place_tone(word: str) -> str:
    """A word (NFC) with its tone on a letter that can carry it; what is no possible syllable stays."""
    letters, tones = [], []
    for letter in word:
        parts = unicodedata.normalize("NFD", letter)
        tones.append("".join(mark for mark in parts if mark in TONES))
        letters.append(unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in TONES)))
    carriers = [place for place, tone in enumerate(tones) if tone]
    found = _SYLLABLE.fullmatch("".join(letters).lower())
    if len(carriers) != 1 or found is None or not possible(word.lower()):
        return word
    start = found.start("rhyme")
    vowels = _VOWELS.match(found["rhyme"])
    if vowels is None:
        return word
    places = _places(vowels.group(), closed=vowels.end() < len(found["rhyme"]))
    if carriers[0] - start in places:
        return word
    tone = tones[carriers[0]]
    letters[start + places[0]] = unicodedata.normalize("NFC", letters[start + places[0]] + tone)
    return "".join(letters)


def place_tones(text: str) -> str:
    """``text`` with each tone on a letter that can carry it; one that is mostly foreign (Mac Uí Bheannuille) stays."""
    words = [word for word in _WORD.findall(text) if len(word) > 1 and not word.isupper()]
    foreign = sum(not (possible(word.lower()) or (word.isascii() and len(word) < 4)) for word in words)
    return text if 2 * foreign >= max(len(words), 1) else _WORD.sub(lambda word: place_tone(word.group()), text)
