"""Characters that stand for others: HTML's references, full-width forms, the Icelandic Ð for Đ (DOMAIN §7.2).

Plain functions of a text, called by ``sync.rule.text`` for the few distinct values that ``STANDING_IN`` finds. Each
repair has one outcome only, so none of them needs to weigh anything.
"""

from __future__ import annotations

import html
import re
import unicodedata

STANDING_IN = r"[Ðð]|[\uff01-\uff5e]|&#?[0-9A-Za-z]{2,8};"
"""A Rust and Python regular expression of such characters."""

_WORD = re.compile(r"[^\W\d_]+")
_REFERENCE = re.compile(r"&#?[0-9A-Za-z]{2,8};")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_D = str.maketrans("Ðð", "Đđ")
# Marks that no language with ð has on a letter: circumflex, breve, horn; grave, hook, tilde, dot below.
_VIETNAMESE = re.compile("[\u0302\u0306\u031b\u0300\u0309\u0303\u0323]")


def _with_d(word: str) -> str:
    """Đ for Ð where it begins a word, which no ð does; inside one (Kðăm, not Sigurðsson) beside a letter of Vietnam."""
    if "ð" not in word.lower():
        return word
    if _VIETNAMESE.search(unicodedata.normalize("NFD", word)):
        return word.translate(_D)
    return word[0].translate(_D) + word[1:]


def plain_characters(text: str) -> str:
    """``text`` with the characters that are meant; NFC stays NFC."""
    text = _REFERENCE.sub(lambda found: html.unescape(found.group()), text).translate(_FULL_WIDTH)
    return unicodedata.normalize("NFC", _WORD.sub(lambda word: _with_d(word.group()), text))
