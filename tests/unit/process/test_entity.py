"""The hand-written codec of the reconciler's state against fastavro."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from sync.process.entity import (
    MOVED,
    RETRACTED,
    Entity,
    Entry,
    decode,
    encode,
    entry_key,
    referral_key,
    refusal_key,
    source_row,
)
from sync.process.referral import Sent
from sync.schema.derived import contributions_schema


@dataclass(frozen=True)
class Shape:
    id: str
    schema: dict[str, Any]
    key: tuple[str, ...]


SCHEMA = fastavro.parse_schema(contributions_schema(Shape("civil_servant", {"fields": []}, ("citizen_id",))))

text = st.text(max_size=8)
# A value is in wire format; without one the contribution is closed.
contents = st.builds(b"\0".__add__, st.binary(max_size=200)).map(lambda value: (value, b"")) | st.sampled_from(
    [(b"", b""), (b"", RETRACTED), (b"", MOVED + b"\x18000000000001")]
)
entries = st.builds(
    lambda version, flags, content: Entry(version, flags, *content),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**20),
    contents,
)
refusals = st.builds(Entry, st.integers(0, 2**63 - 1), st.just(0), st.just(b'{"verdict": {}, "case": null}'))
sent = st.builds(
    Sent,
    st.integers(0, 2**63 - 1),
    st.sampled_from([b"", b"\x18000000000001"]),
    st.integers(-1, 2**63 - 1),
    st.integers(-1, 2**63 - 1),
    st.dictionaries(text, text | st.none() | st.integers(), max_size=2),
)
entities = st.builds(
    Entity,
    locality=st.none() | text,
    values=st.binary(max_size=16),
    whole=st.binary(max_size=16),
    entries=st.dictionaries(st.builds(entry_key, text, text), entries, max_size=4),
    refusals=st.dictionaries(st.builds(entry_key, text, text).map(refusal_key), refusals, max_size=2),
    referrals=st.dictionaries(st.builds(entry_key, text, text).map(referral_key), sent.map(Sent.entry), max_size=2),
)


@given(entities)
def test_a_state_survives_its_wire_form(entity: Entity) -> None:
    assert decode(encode(entity)) == entity
    assert decode(encode(entity, b"\0\0\0\0\7"), 5) == entity


@given(entities)
def test_the_wire_form_is_avro_of_the_declared_schema(entity: Entity) -> None:
    record = fastavro.schemaless_reader(io.BytesIO(encode(entity)), SCHEMA, None)
    assert isinstance(record, dict)
    assert record["locality"] == entity.locality
    held = {**entity.entries, **entity.refusals, **entity.referrals}
    assert [(item["source"], item["row"]) for item in record["entries"]] == [source_row(key) for key in held]
    assert [item["version"] for item in record["entries"]] == [entry.version for entry in held.values()]


@given(sent)
def test_what_a_home_sent_last_survives_its_state(given: Sent) -> None:
    assert Sent.of(given.entry()) == given
