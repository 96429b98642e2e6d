"""Java's ``SimpleDateFormat`` patterns in UTC, for times in milliseconds since 1970: what ``format`` keys hold.

Read leniently as Java does: the 32nd of a month is a day of the next one. Letters: y M d D H h k K m s S a E z Z X,
text in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)")
_NUMBERS = "yMdDHhkKmsS"
_KNOWN = f"{_NUMBERS}aEzZX"

_SHOWN: dict[str, Callable[[datetime], int]] = {
    "M": lambda at: at.month,
    "d": lambda at: at.day,
    "D": lambda at: at.timetuple().tm_yday,
    "H": lambda at: at.hour,
    "h": lambda at: at.hour % 12 or 12,
    "k": lambda at: at.hour or 24,
    "K": lambda at: at.hour % 12,
    "m": lambda at: at.minute,
    "s": lambda at: at.second,
    "S": lambda at: at.microsecond // 1000,
    "y": lambda at: at.year,
}


def _tokens(pattern: str) -> list[tuple[str, str]]:
    """``(letter, letters)`` or ``("", text)``. ValueError for a letter that isn't known."""
    found, at = [], 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise ValueError("Unterminated quote")
        quoted, letters, letter, other = match.groups()
        if letters and letter not in _KNOWN:
            raise ValueError(f"Illegal pattern character '{letter}'")
        text = (quoted.replace("''", "'") or "'") if quoted is not None else letters or other
        found.append((letter or "", text))
        at = match.end()
    return found


class DateFormat:
    """A compiled pattern. Raises ValueError for one that Java wouldn't take, or with letters not known here."""

    def __init__(self, pattern: str) -> None:
        self._tokens = _tokens(pattern)
        self._read, self._letters = _regex(self._tokens)

    def format(self, millis: int) -> str:
        """The text of a time."""
        at = _EPOCH + timedelta(milliseconds=millis)
        return "".join(_written(letter, text, at) for letter, text in self._tokens)

    def parse(self, text: str) -> int:
        """The time of a text. ValueError where it isn't of the pattern."""
        match = self._read.match(text)
        if match is None:
            raise ValueError("Unparseable date")
        values = {letter: given for letter, given in zip(self._letters, match.groups(), strict=True) if letter}
        return (_moment(values) - _EPOCH) // timedelta(milliseconds=1)


def _written(letter: str, text: str, at: datetime) -> str:
    if not letter:
        return text
    if letter == "y":
        return f"{at.year % 100:02d}" if len(text) == 2 else f"{at.year:0{len(text)}d}"
    if letter == "M" and len(text) > 2:
        return _MONTHS[at.month - 1][: 3 if len(text) == 3 else None]
    if letter == "E":
        return _DAYS[at.weekday()][: 3 if len(text) < 4 else None]
    if letter in _SHOWN:
        return f"{_SHOWN[letter](at):0{len(text)}d}"
    return {"a": "AM" if at.hour < 12 else "PM", "Z": "+0000", "X": "Z"}.get(letter) or (
        "Coordinated Universal Time" if len(text) > 3 else "UTC"
    )


def _regex(tokens: list[tuple[str, str]]) -> tuple[re.Pattern[str], list[str]]:
    parts, letters = [], []
    for number, (letter, text) in enumerate(tokens):
        if not letter:
            parts.append(re.escape(text))
            continue
        letters.append(letter if letter != "y" or len(text) != 2 else "Y")
        following = tokens[number + 1][0] if number + 1 < len(tokens) else ""
        if letter == "M" and len(text) > 2:
            parts.append(f"({'|'.join(f'{name}|{name[:3]}' for name in _MONTHS)})")
        elif letter in _NUMBERS:
            # Digits of neighbours without anything between are told apart by their number.
            parts.append(rf"\s*(-?\d{{{len(text)}}})" if following and following in _NUMBERS else r"\s*(-?\d+)")
        else:
            parts.append({"a": "(AM|PM)", "E": f"({'|'.join(f'{day}|{day[:3]}' for day in _DAYS)})"}.get(letter, _ZONE))
    return re.compile("".join(parts), re.IGNORECASE), letters


_ZONE = r"((?:UTC|GMT|Z)?(?:[+-]\d\d(?::?\d\d)?)?)"


def _moment(values: dict[str, Any]) -> datetime:
    year = int(values.get("y", 1970))
    if "Y" in values:
        year = _century(int(values["Y"]), len(values["Y"]))
    month = values.get("M", "1")
    months = year * 12 + (int(month) if month.lstrip("-").isdigit() else _month(month)) - 1
    days = int(values["D"]) if "D" in values and "d" not in values else int(values.get("d", 1))
    at = datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC) + timedelta(days=days - 1)
    hours = int(values.get("H", 0)) or int(values.get("k", 0)) % 24
    if "h" in values or "K" in values:
        hours = int(values.get("h", values.get("K", 0))) % 12 + 12 * (values.get("a", "AM").upper() == "PM")
    return at + timedelta(
        hours=hours,
        minutes=int(values.get("m", 0)) - _offset(values.get("X") or values.get("Z") or values.get("z") or ""),
        seconds=int(values.get("s", 0)),
        milliseconds=int(values.get("S", 0)),
    )


def _century(year: int, digits: int) -> int:
    """A year of two digits lies within 80 years before and 20 after now."""
    if digits != 2:
        return year
    now = datetime.now(UTC).year
    year += now // 100 * 100
    return year - 100 if year > now + 20 else year + 100 if year <= now - 80 else year


def _month(name: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, 1) if month[:3].lower() == name[:3].lower())


def _offset(zone: str) -> int:
    """Minutes east of UTC."""
    match = re.search(r"([+-])(\d\d):?(\d\d)?", zone)
    if match is None:
        return 0
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    return -minutes if match[1] == "-" else minutes
