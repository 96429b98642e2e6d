"""Java's properties files are read as Java reads them (the cases were tried on ``java.util.Properties``)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.properties import parse


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a=1\nb:2\nc 3\nd\n", {"a": "1", "b": "2", "c": "3", "d": ""}),
        ("  a \t = \f 1 \r\nb\t:2", {"a": "1 ", "b": "2"}),
        ("# a=1\n  ! b=2\n\nc=3", {"c": "3"}),
        ("url=jdbc:postgresql://h/db?user=u", {"url": "jdbc:postgresql://h/db?user=u"}),
        ("password:with=equals", {"password": "with=equals"}),
        ("tables=public\\\\.can_bo,public\\\\.don_vi", {"tables": r"public\.can_bo,public\.don_vi"}),
        ("list=a,\\\n     b,\\\n\n# c", {"list": "a,b,"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("# no further \\\na=1", {"a": "1"}),
        ("a\\ b\\=c\\:=\\#", {"a b=c:": "#"}),
        ("a=\\tx\\u1ebf\\q\\", {"a": "\txếq"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=x\u2028y\x0bz\x85\rb=1", {"a": "x\u2028y\x0bz\x85", "b": "1"}),
        ("=1", {"": "1"}),
        ("\\\n!a\nb", {"b": ""}),
        ("a=1\n\\", {"a": "1", "": ""}),
    ],
)  # fmt: skip
def test_a_text_has_the_entries_that_java_finds(text: str, entries: dict[str, str]) -> None:
    assert parse(text) == entries


@pytest.mark.parametrize("text", ["a=\\u12", "\\uxxxx=1"])
def test_a_character_without_its_four_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="four hexadecimal digits"):
        parse(text)


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_escaped_as_java_escapes_it_comes_back(entries: dict[str, str]) -> None:
    assert parse("\n".join(f"{_escaped(key)}={_escaped(value)}" for key, value in entries.items())) == entries


def _escaped(text: str) -> str:
    """Every character but letters and digits escaped; those of more than two bytes as they are."""
    named = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
    return "".join(named.get(c) or (c if c.isalnum() or ord(c) > 0x7F else f"\\{c}") for c in text)
