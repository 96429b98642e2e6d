"""Where the form of a value differs from Debezium's, and why; docs/postgresql-types.md tells the same.

Used by the comparison with what Debezium gave once (tests/unit/source/test_pg_types.py) and the one with a running
Debezium (tests/differential).
"""

from __future__ import annotations

ITEMS = "elements of arrays may always be null"
GEOMETRY = "PostgreSQL's own text of the raw form, without Java's .0"
WHOLE = "Debezium can't read the array and writes null"

DIFFERENT: dict[tuple[str, str, str], str] = {
    ("type_array_deep", "row", "i4"): "more dimensions: row by row; Debezium writes nulls",
    ("type_array_deep", "row", "t"): "more dimensions: row by row; Debezium writes addresses of Java objects",
    ("type_array_none", "schema", "b"): "an array of bit strings; Debezium has the type of one, always null",
    ("type_array_none", "row", "b"): "an array of bit strings; Debezium has the type of one, always null",
    ("type_array_none", "schema", "tv"): ITEMS,
    ("type_array_none", "schema", "c"): ITEMS,
    ("type_array_none", "row", "c"): GEOMETRY,
    ("type_array_none", "schema", "d"): "an array of the domain's base type",
    ("type_array_none", "row", "d"): "an array of the domain's base type",
    **{("type_array_none", "schema", name): "asked for, it is an array of its type" for name in "imnpv"},
    ("type_array_special", "row", "d"): "infinity, and years BC by the calendar of the log",
    ("type_array_special", "row", "n"): WHOLE,
    ("type_array_special", "row", "t"): "infinity, and years BC by the calendar of the log",
    ("type_array_text", "schema", "e"): ITEMS,
    ("type_array_text", "row", "e"): WHOLE,
    ("type_array_time", "row", "t"): "microseconds are kept",
    ("type_composite", "schema", "a"): ITEMS,
    ("type_composite", "row", "a"): WHOLE,
    ("type_day", "row", "d"): "infinity: Debezium has one number in the snapshot and another in the log",
    ("type_default", "schema", "cat"): "an expression is no default; Debezium takes its first literal",
    ("type_default", "schema", "q"): "a quote in a default is kept",
    ("type_default", "schema", "f8"): "JSON has no NaN for a default",
    ("type_default", "row", "nd"): "name: Debezium writes null in the log",
    **{("type_geometric", "row", name): GEOMETRY for name in "bcghls"},
    ("type_interval_special", "row", "i"): "infinity is no zero",
    ("type_moment_special", "row", "t"): "infinity, and what nanoseconds do not reach",
    ("type_moment_special", "row", "t0"): "infinity, and what nanoseconds do not reach",
    ("type_moment_special", "row", "t3"): "infinity, and what nanoseconds do not reach",
    ("type_number_scale", "schema", "n3_m2"): "a negative scale: whole numbers; Debezium has scale 2046",
    ("type_number_scale", "row", "n3_m2"): "a negative scale: whole numbers; Debezium has scale 2046",
    ("type_system", "schema", "v"): ITEMS,
    ("type_system", "row", "v"): "an int2vector has its numbers; Debezium's is empty",
    ("type_system", "schema", "o"): ITEMS,
    ("type_system", "row", "o"): "an oidvector has its numbers; Debezium's is empty",
    ("type_text", "row", "n"): "name: Debezium writes null in the log",
    ("type_toast", "updated", "d"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "nn"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "y"): "the placeholder, where Debezium writes null",
    ("type_toast", "updated", "yy"): "the placeholder, where Debezium writes null",
    ("type_vector", "schema", "a"): ITEMS,
    ("type_vector", "row", "s"): "a sparse vector without elements is no null",
    ("type_xml", "schema", "a"): "asked for, it is an array of its type",
}  # fmt: skip
"""``(table, what, column) -> reason``; docs/postgresql-types.md tells the same. Strict: each is one in some mode."""

_JULIAN = "Debezium's snapshot counts days before 1582 by the Julian calendar"
_MONEY = "Debezium's snapshot reads money as a double"

DIFFERENT_SNAPSHOT: dict[tuple[str, str], str] = {
    ("type_array_special", "d"): _JULIAN,
    ("type_array_special", "t"): _JULIAN,
    ("type_binary", "v1"): "Debezium's snapshot reads varbit(1) as null",
    ("type_day", "d"): _JULIAN,
    ("type_default", "gs"): "a generated column is not in the log; Debezium has it in the snapshot only",
    ("type_default", "m"): _MONEY,
    ("type_filler", "m"): _MONEY,
    ("type_moment_special", "t"): _JULIAN,
    ("type_moment_special", "t0"): _JULIAN,
    ("type_money", "m"): _MONEY,
    ("type_zoned", "t3"): _JULIAN,
    ("type_zoned_special", "t"): _JULIAN,
}
"""``(table, column) -> reason``: where Debezium's own snapshot and log differ, and ours is as the log."""
