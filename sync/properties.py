"""Java's properties files, read as ``java.util.Properties.load`` reads them.

Kafka Connect's standalone mode keeps connectors in such files, and its ``FileConfigProvider`` secrets. Pure. Whoever
brings a file along finds every value as it was there: ``\\`` at a line's end goes on in the next line, an escaped
character is itself (``public\\\\.can_bo`` is ``public\\.can_bo``), the last of equal keys counts, and spaces at a
value's end belong to it.
"""

from __future__ import annotations

import re

_BLANK = " \t\f"
_LINE_END = re.compile(r"\r\n|\r|\n")
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|.?)", re.DOTALL)
_ENTRY = re.compile(
    r"""
    (?P<key> (?: \\. | [^\\=:\ \t\f] )* )   # up to the first separator that is not escaped
    [\ \t\f]* [=:]? [\ \t\f]*
    (?P<value> .* )
    """,
    re.VERBOSE | re.DOTALL,
)
_NAMED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse(text: str) -> dict[str, str]:
    """The entries in the order of their first appearance. Raises ValueError for ``\\u`` without four digits."""
    found: dict[str, str] = {}
    for line in _logical(text):
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            found[_unescaped(entry["key"])] = _unescaped(entry["value"])
    return found


def _logical(text: str) -> list[str]:
    """The lines without comments and empty ones, each with those that continue it."""
    lines: list[str] = []
    begun, goes_on = "", False
    naturals = _LINE_END.split(text)
    for natural in naturals if naturals[-1] else naturals[:-1]:
        line = natural.lstrip(_BLANK)
        if not begun and line[:1] in ("", "#", "!"):
            goes_on = False
            continue
        goes_on = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        begun += line[:-1] if goes_on else line
        if not goes_on:
            lines.append(begun)
            begun = ""
    return [*lines, begun] if goes_on else lines


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_meaning, text)


def _meaning(match: re.Match[str]) -> str:
    told = match[1]
    if len(told) == 5:
        return chr(int(told[1:], 16))
    if told == "u":
        raise ValueError("\\u without four hexadecimal digits")
    return _NAMED.get(told, told)
