"""The wire form of the validator's state of a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.process.row import GONE, REJECTED, REVIEW, VALID, Kept, Row, decode, encode

rows = st.builds(
    Row,
    status=st.sampled_from([VALID, REJECTED, REVIEW, GONE]),
    entity=st.binary(max_size=20),
    quality=st.binary(max_size=20),
    revision=st.integers(0, 300),
    kept=st.none() | st.builds(Kept, st.integers(0, 2**40), st.binary(max_size=20)),
    closed=st.booleans(),
)


@given(rows)
def test_a_row_survives_its_wire_form(row: Row) -> None:
    assert decode(encode(row)) == row
