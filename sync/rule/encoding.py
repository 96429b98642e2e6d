"""Text in the encodings before Unicode: TCVN3 (ABC, .VnTime), VNI-Windows, Windows-1258; first ``sync.rule.mojibake``.

A value is decoded only if it as a whole becomes better Vietnamese (DOMAIN §7.2): the share of valid syllables rises.
Letters that a foreign word may have (Mäe, Gieß, Seán) prove nothing alone. Where Unicode and an old encoding stand
beside each other in a text, only the words in need of it are decoded.
Called by ``sync.rule.text`` for the few distinct values that look suspicious. Assumes NFC text; U+00AD must still be
there, in TCVN3 it is the letter ư.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from math import log1p

from sync.rule.index import cached
from sync.rule.model import Reference
from sync.rule.mojibake import reread
from sync.rule.syllable import place_tones, unusual
from sync.rule.vietnamese import SIGN_IN_WORD, Measure, measure, tokens, total, words

Encoding = Callable[[str], str]
"""What a token is in an encoding."""

_WORD = re.compile(r"[^\W\d_]+")

# A tone of Windows-1258 behind its vowel, or its ươ.
_TONE_BEHIND = re.compile(r"[aeiouyâêôãõýAEIOUYÂÊÔÃÕÝ][ÌÒÞìò]|[ýÝ][õÕ]")

# What no language of Latin letters has, so that one word with it is evidence enough.
_PROOF = re.compile(
    SIGN_IN_WORD.pattern
    + r"|[a-zA-Z][ªµ]|[a-z][ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ]|[aeiouyâêôãõý][ÌÒÞ]|[âêôãõý][ìò]|[ýÝ][õÕ]|[uU][yY][ôÔ]"
    + r"|[aA][âêåøÂÊÅØ]|[eE][âåøÂÅØ]|[oO][åøÅØ]|[uUyY][øØ]|[ôöÔÖ][ùûøïÙÛØÏ]"
)

# Letters of Unicode that no older encoding shows: beside them only other words can be in one.
_UNICODE = re.compile(r"[ĂăĐđĨĩŨũƠơƯư\u1ea0-\u1ef9]")

_CAPITAL_INSIDE = re.compile(r"[^\s(\"'“-][A-Z]")

# How much likelier one encoding in all of a text is than two: the logarithm of the odds.
_MIXED = 3.0

SUSPICIOUS = (
    # Latin-1 signs and letters that Vietnamese does not have
    r"[\u00a1-\u00bf\u00c4-\u00c7\u00cb\u00ce-\u00d1\u00d6-\u00d8\u00db\u00dc\u00de\u00df"
    r"\u00e4-\u00e7\u00eb\u00ee-\u00f1\u00f6-\u00f8\u00fb\u00fc\u00fe\u00ff\u0152\u0153\u0178\u0192\u02c6\u2018-\u201e\u2020-\u2026"
    r"\u2030\u2039\u203a\u20ac\u2122]"
    # UTF-8's à and Á, as CP1252 shows them
    r"|\u00c3[\u00a0\u0081]|[\u0080-\u009f]"
    # TCVN3: a capital letter with a mark after a small letter
    r"|[a-z][ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝ]"
    # Windows-1258: a vowel, then its tone (iò and uì are also good Vietnamese and prove nothing)
    r"|[aeiouyâêôãõýAEIOUYÂÊÔÃÕÝ][ÌÒÞìò]|[ýÝ][õÕ]"
    # TCVN3's Nguyễn in capitals, and Quỳnh: no syllable has uyô or uú
    r"|[uU][yY][ôÔ]|[uU][úÚ]"
    # VNI: a vowel, then the letter that carries its marks (oà, oá, oã are also good Vietnamese and prove nothing)
    r"|[aA][áàãâêéèúùõÁÀÃÂÊÉÈÚÙÕ]|[eE][áàãâùõÁÀÃÂÙÕ]|[oO][âùõÂÙÕ]|[uUyY][ùõÙÕ]|[ôÔ][ùõÙÕ]"
)
"""A Rust and Python regular expression of what may be an old encoding; whatever it misses is left as it is."""


def _separate(token: str) -> str:
    """``token`` as Windows-1258, where a tone is a character behind its letter, whose bytes were read as CP1252."""
    try:
        return unicodedata.normalize("NFC", token.encode("cp1252").decode("cp1258"))
    except UnicodeError:
        return token


class Decoder:
    """Decoding with the maps of the reference tables ``tcvn3_map`` and ``vni_map``.

    ``known``: how often syllables occur in texts that are surely right. Where two encodings make good Vietnamese of a
    text, the likelier words decide (HiÒn is TCVN3's Hiền, not Windows-1258's Hỉn).
    """

    def __init__(self, tcvn3: Mapping[str, str], vni: Mapping[str, str], known: Mapping[str, int]) -> None:
        self._tcvn3 = str.maketrans(dict(tcvn3))
        self._vni = dict(vni)
        longest_first = sorted(self._vni, key=len, reverse=True)
        self._sequence = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._known = known
        self._likelihood = lru_cache(maxsize=32_768)(self._likelihood_of)

    def _from_tcvn3(self, token: str) -> str:
        return token.translate(self._tcvn3)

    def _from_capitals(self, token: str) -> str:
        return token.translate(self._tcvn3).upper()

    def _from_vni(self, token: str) -> str:
        return self._sequence.sub(lambda match: self._vni[match.group()], token)

    def _candidates(self, text: str, parts: list[str], now: Measure) -> Iterator[list[str]]:
        """What ``text`` may be: in each encoding as a whole, or only those of its words that are in need of it; and
        Unicode with its tones misplaced (Vũng Taù), which VNI looks like.
        """
        # A misplaced tone makes half a good word.
        if now.good % 1:
            yield tokens(place_tones(text))
        encodings: list[Encoding] = [self._from_capitals if _in_capitals(text) else self._from_tcvn3, self._from_vni]
        if _TONE_BEHIND.search(text):
            encodings.insert(0, _separate)
        mixed = _UNICODE.search(text) is not None
        for encoding in encodings:
            partly = [part if part.isascii() or _sound(part) else encoding(part) for part in parts]
            whole = partly if mixed else [part if part.isascii() else encoding(part) for part in parts]
            apart = whole != partly and self._likely(partly) - self._likely(whole) > _MIXED
            yield partly if apart else whole

    def _likelihood_of(self, part: str) -> float:
        """How likely the words of a token are, as a logarithm; those of rare rhymes (xoong) are seldom meant."""
        return sum(log1p(self._known.get(word.lower(), 0)) - unusual(word) for word in words(part))

    def _likely(self, parts: Iterable[str]) -> float:
        return sum(map(self._likelihood, parts))

    def _proven(self, text: str, now: Measure, before: list[str], after: list[str]) -> bool:
        """Whether ``after`` is what ``text`` surely is: by a sequence that no language has or by several words that
        become good and are known, in a text that is not mostly foreign; or as nothing but known words (Gieß and Kaï
        may be names).
        """
        found = total(after)
        improved, left = found.good - now.good, found.words - found.good
        if _PROOF.search(text):
            return left <= 3 * max(improved, 1)
        pairs = zip(before, after, strict=False)
        changed = [word.lower() for old, new in pairs if old != new for word in words(new)]
        known = sum(word in self._known for word in changed)
        if improved >= 2:
            return left < improved and 2 * known >= len(changed)
        return found.words > 1 and left == 0 and known == len(changed)

    def decode(self, text: str) -> str:
        """Return ``text`` decoded by the encoding that makes it the best Vietnamese, or as it is."""
        best = reread(text)
        for _ in range(4):
            found = self._better(best)
            if found is None:
                break
            best = found
        return unicodedata.normalize("NFC", best)

    def _better(self, text: str) -> str | None:
        """The best of what ``text`` may be, if that is better Vietnamese and proven; None else."""
        parts = tokens(text)
        now = total(parts)
        if now.quality == 1:
            return None
        found = [
            (then.quality, self._likely(candidate), candidate)
            for candidate in self._candidates(text, parts, now)
            if _improves(now, then := total(candidate))
        ]
        if not found:
            return None
        # Of equal ones the first.
        *_, best = max(found, key=lambda each: each[:2])
        return "".join(best) if self._proven(text, now, parts, best) else None


def _improves(now: Measure, then: Measure) -> bool:
    """Whether words become good, and not only fewer signs stand in bad ones."""
    if then.jumbled or then.quality <= now.quality:
        return False
    return then.good > now.good or then.good == then.words


def _sound(part: str) -> bool:
    """Whether a token is not in need of decoding, or can't be in an older encoding."""
    return _UNICODE.search(part) is not None or measure(part).quality == 1


def _in_capitals(text: str) -> bool:
    """Whether ``text`` in TCVN3 is in capitals. Those of .VnTimeH are the small letters' codes: ASCII letters behind a
    word's first tell the font.
    """
    latin = [char for char in text if char.isascii() and char.isalpha()]
    return all(map(str.isupper, latin)) and _CAPITAL_INSIDE.search(text) is not None


# Syllables of personal names and addresses that few units have in their names.
_PERSONS = (
    "số nhà ngõ ngách hẻm đường phố thôn xóm tổ khu ấp bản buôn làng đội "
    "nguyễn trần lê phạm hoàng huỳnh phan vũ võ đặng bùi đỗ hồ ngô dương lý đào đinh lâm trịnh trương lương "
    "đoàn tô tạ thái châu quách phùng vương nông hứa lưu tăng triệu lại giàng sùng thào cầm quàng cù khổng bế "
    "lục thạch bạch từ đàm tống nghiêm văn thị đức hữu công quốc đình ngọc bích diệp hằng thảo nhung trâm "
    "thắm oanh nguyệt hiếu dũng tuấn hùng cường quyên thùy thuỳ thúy thuý uyên huệ ngân hạnh hậu khuê thư "
    "trinh quỳnh duyên khánh thịnh toàn quyết chiến thắng luận nghĩa đạt tiến hiền hòa hoà hương hường hồng "
    "hải hà hạ huyền huy lệ liễu liên mỹ mận nhàn nhã nghị nhật phúc phước phượng phương quý quí sáng sỹ sơn "
    "tâm tấn tình tú tuyết tùng ước vân vấn việt vượng xuyến yến ánh ấn đông"
)

_NAMED = (("provinces", "name"), ("communes", "name"), ("districts_old", "name"), ("commune_resolution", "old_commune"))


def _syllables(tables: Reference) -> Counter[str]:
    """How often the names of administrative units have each word; with what the names of persons have."""
    names = (tables.tables[table][column] for table, column in _NAMED if table in tables.tables)
    found = Counter(word for column in names for name in column for word in _WORD.findall(name.lower()))
    found.update(dict.fromkeys(_PERSONS.split(), 20))
    return found


def decoder(reference: Reference) -> Decoder:
    """The decoder of these reference tables, built once."""

    def build(tables: Reference) -> Decoder:
        tcvn3 = tables.table("tcvn3_map", "latin1_char", "unicode")
        vni = tables.table("vni_map", "latin1_seq", "unicode")
        return Decoder(
            dict(zip(tcvn3["latin1_char"].to_list(), tcvn3["unicode"].to_list(), strict=True)),
            dict(zip(vni["latin1_seq"].to_list(), vni["unicode"].to_list(), strict=True)),
            _syllables(tables),
        )

    return cached(reference, "decoder", build)
