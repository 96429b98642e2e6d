"""Mojibake: UTF-8 whose bytes were read as CP1252 (or Latin-1), once or several times (DOMAIN §7.2).

The bytes of a letter beyond ASCII show as a capital letter before a sign (``Ã³``, ``Ä‘``, ``á»…``), which no language
writes: such a sequence proves the damage by itself, in a text that is sound elsewhere too. Called by
``sync.rule.encoding`` for the few distinct values that look suspicious, before anything is taken for an older encoding.
"""

from __future__ import annotations

import re
import unicodedata


def _byte(number: int) -> str:
    """A byte as CP1252 shows it; as Latin-1 does where CP1252 has no character."""
    return bytes([number]).decode("cp1252", errors="ignore") or chr(number)


_BYTES = {_byte(number): number for number in range(0x80, 0x100)} | {
    chr(number): number for number in range(0x80, 0xA0)
}
_NEXT = f"[{re.escape(''.join(char for char, number in _BYTES.items() if number < 0xC0))}]"
# Two bytes: Latin letters (U+00C0 to U+01BF) and combining marks. Three: Vietnamese letters, signs of CP1252.
_LETTER = rf"[ÃÄÅÆÌ]{_NEXT}|á[º»]{_NEXT}|â{_NEXT}{_NEXT}"
# A sign by itself, as Latin-1 has it: such a pair proves nothing (it may be Â before a quotation mark).
_PAIR = re.compile(rf"{_LETTER}|Â{_NEXT}")
_PROOF = re.compile(_LETTER)
_KEPT = re.compile(rf"[^\W\d_]|[\u0300-\u036f\u2010-\u203a]|[{re.escape(''.join(_BYTES))}]")
# In capitals: Ã, and a mark that closes.
_CAPITAL_END = re.compile(r"[ÃÄÅÆÌ][…”’»–—](?![^\W\d_])")

# «xá»…: the mark that closes what another one opened, not a letter's second byte.
_QUOTED = re.compile(r"(?<![ÃÄÅÆºÂ])(?<!á»)«.*»")

RESIDUE = rf"[áÁ][º»](?:{_NEXT}|\s|$)|[\p{{L}}][ÃÄÆ]{_NEXT}\p{{Ll}}"
"""A Rust regular expression of what is left of mojibake that could not be read."""


def _read(pair: str) -> str:
    """The character of a sequence, or the sequence itself where it is none that a text has."""
    try:
        char = bytes(_BYTES[each] for each in pair).decode("utf-8")
    except UnicodeError:
        return pair
    return char if _KEPT.fullmatch(char) or pair[0] == "Â" else pair


def _capitals(text: str) -> bool:
    """Whether all letters are capitals; the signs ª and º count as small letters elsewhere."""
    return text.replace("ª", "").replace("º", "").isupper()


def reread(text: str) -> str:
    """``text`` with all sequences read as the UTF-8 that they are; as it is where that would not prove itself right.

    In a text of capitals only, no small letter comes out, and Ã before a closing mark (``LÃ…``) stays; so does what
    stands between « and ».
    """
    if _QUOTED.search(text):
        return text
    capitals = _capitals(text)
    # A word's one letter and its signs (MÃ²) tell nothing of the others.
    spelled = capitals and re.search("[A-Z]{2}|Á[º»]", text) is not None
    for _ in range(4):
        if not _PROOF.search(text):
            break
        better = _PAIR.sub(lambda found: _read(found.group()), text)
        if better == text or (spelled and not _capitals(better)) or (capitals and _CAPITAL_END.search(text)):
            break
        text = unicodedata.normalize("NFC", better)
    return text
